"""What a profile is made of is read in bounded pieces."""

import json

import pytest

from tensorhub import Store
from tensorhub.hub import profile_reader
from tensorhub.hub.profile_reader import count_parameters, read_card, read_config, read_profile

from ...weights import put, safetensors, weights


def test_reads_card_config_and_types(store: Store) -> None:
    """Card, configuration and element types of one commit."""
    put(
        store,
        "me/a",
        {
            "README.md": b"---\nlicense: mit\n---\n",
            "config.json": json.dumps({"architectures": ["XForCausalLM"]}).encode(),
            "model-00001-of-00002.safetensors": safetensors({"a": weights((2, 8), 1)}),
            "model-00002-of-00002.safetensors": safetensors({"b": weights((3,), 2)}),
        },
    )
    snapshot = store.snapshots.snapshot("me/a")
    found = read_profile(store, snapshot)
    assert (found.license, found.pipeline_tag) == ("mit", "text-generation")
    assert found.parameters == {"BF16": 19}
    assert read_card(store, snapshot).data == {"license": "mit"}


def test_equal_files_count_once(store: Store) -> None:
    """Two names of one content hold its elements once."""
    content = safetensors({"a": weights((2, 8), 1)})
    put(store, "me/a", {"one.safetensors": content, "two.safetensors": content})
    assert count_parameters(store, store.snapshots.snapshot("me/a")) == {"BF16": 16}


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"[" * 100_000, b"\xff\xfe", b'"x"'])
def test_broken_config(store: Store, content: bytes) -> None:
    """What is no JSON object counts as none."""
    put(store, "me/a", {"config.json": content})
    assert read_config(store, store.snapshots.snapshot("me/a")) == {}


def test_large_files(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large card is read at its head; a large configuration is not read."""
    monkeypatch.setattr(profile_reader, "_MAX_CONFIG_NBYTES", 10)
    put(
        store,
        "me/a",
        {"config.json": b'{"a": "0123456789"}', "README.md": b"---\na: 1\n---\n" + b"x" * 200_000},
    )
    snapshot = store.snapshots.snapshot("me/a")
    assert read_config(store, snapshot) == {}
    assert read_card(store, snapshot).data == {"a": 1}


def test_nothing_there(store: Store) -> None:
    """No card, no configuration, no weights."""
    put(store, "me/a", {"x": b"1"})
    assert read_profile(store, store.snapshots.snapshot("me/a")).tags == ()
