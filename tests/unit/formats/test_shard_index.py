"""Shard indexes are read, or refused with a reason."""

import json

import pytest

from tensorhub.errors import FormatError
from tensorhub.formats.shard_index import is_shard_index, read_shard_index
from tensorhub.formats.source import MemorySource

PATH = "model.safetensors.index.json"


def test_reads() -> None:
    """Tensor names lead to paths relative to the index."""
    text = json.dumps(
        {
            "metadata": {"total_size": 5.0},
            "weight_map": {"b": "m-2.safetensors", "a": "m-1.safetensors", "c": "m-1.safetensors"},
        }
    )
    index = read_shard_index(f"unet/{PATH}", MemorySource(text.encode()))
    assert index.path_of_tensor == {
        "a": "unet/m-1.safetensors",
        "b": "unet/m-2.safetensors",
        "c": "unet/m-1.safetensors",
    }
    assert index.shards == ("unet/m-1.safetensors", "unet/m-2.safetensors")
    assert read_shard_index(PATH, MemorySource(text.encode())).shards == (
        "m-1.safetensors",
        "m-2.safetensors",
    )


def test_names() -> None:
    """An index is known by its name."""
    assert is_shard_index(PATH)
    assert is_shard_index(f"a/{PATH}")
    assert not is_shard_index("model.safetensors")


@pytest.mark.parametrize(
    "text",
    [
        b"", b"[]", b"{}", b"\xff", b'{"weight_map":null}', b'{"weight_map":{"a":1}}',
        b'{"weight_map":{"a":"x"}',
        b'{"weight_map":{"a":"x"}} x', b'{"metadata":' + b"[" * 100_000, b'{"weight_map":{"a":"../x"}}',
        b'{"weight_map":{"a":"/x"}}', b'{"weight_map":{"a":""}}', b'{"weight_map":{"a":"\\u0000"}}',
    ],
)  # fmt: skip
def test_refuses(text: bytes) -> None:
    """Anything else is a format error that names the index."""
    with pytest.raises(FormatError) as caught:
        read_shard_index(PATH, MemorySource(text))
    assert PATH in str(caught.value)
