"""The headers of a sharded model, at once."""

from __future__ import annotations

import json

import pytest

from tensorhub import Store
from tensorhub.hub import api_safetensors

from ...weights import safetensors, weights
from .served import ask, put_ready

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
FILES = {
    INDEX: json.dumps({"metadata": {"total_size": 1}, "weight_map": {"a": ONE, "b": TWO}}).encode(),
    ONE: safetensors({"a": weights((4, 8), 1)}, {"format": "pt"}),
    TWO: safetensors({"b": weights((2,), 2)}),
}
URL = "/api/models/ada/model/safetensors-metadata"


@pytest.mark.parametrize("folder", ["", "deep/er/"])
def test_headers(store: Store, folder: str) -> None:
    """The shards are those beside the shard index."""
    put_ready(store, "ada/model", {folder + path: content for path, content in FILES.items()})
    with ask(store) as client:
        found = client.get(f"{URL}/{folder}{INDEX}").json()
    assert found["index"] == {"metadata": {"total_size": 1}}
    assert found["headers"][ONE]["__metadata__"] == {"format": "pt"}
    assert found["headers"][ONE]["a"]["shape"] == [4, 8]
    assert found["headers"][TWO]["b"]["dtype"] == "BF16"


@pytest.mark.parametrize(
    ("index", "status"),
    [
        (b"{", 422),
        (b"[]", 422),
        (b"{}", 422),
        (b'{"x": NaN, "weight_map": {}}', 422),
        (b'{"weight_map": {"a": 3}}', 422),
        (b'{"weight_map": {"a": "../x"}}', 422),
        (b'{"weight_map": {"a": "nothing"}}', 404),
        (b'{"weight_map": {"a": "short"}}', 422),
        (b'{"weight_map": {"a": "lies"}}', 422),
        (b'{"weight_map": {"a": "broken"}}', 422),
        (b'{"weight_map": {}}', 200),
        (b"[" * 100_000, 422),
    ],
)
def test_wrong(store: Store, index: bytes, status: int) -> None:
    """What is not what its name says is refused."""
    lies = {
        "short": b"1234",
        "lies": (1 << 62).to_bytes(8, "little") + b"{}",
        "broken": bytes([2] + [0] * 7) + b"[]",
    }
    put_ready(store, "ada/model", {INDEX: index, **lies})
    with ask(store) as client:
        assert client.get(f"{URL}/{INDEX}").status_code == status


def test_limits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody makes the server read without end."""
    put_ready(store, "ada/model", FILES)
    with ask(store) as client:
        for name in ("_MAX_SHARDS", "_MAX_HEADERS_NBYTES", "_MAX_INDEX_NBYTES"):
            with monkeypatch.context() as patch:
                patch.setattr(api_safetensors, name, 1)
                assert client.get(f"{URL}/{INDEX}").status_code == 422
        assert client.get(f"{URL}/nothing").headers["x-error-code"] == "EntryNotFound"
        assert client.get(f"{URL}/..%2fx").status_code == 400
