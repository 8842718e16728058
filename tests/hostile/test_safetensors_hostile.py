"""Hostile safetensors files: one malformed input for each rule. Each is kept as bytes, with a notice."""

import json
import tracemalloc

import pytest

from tensorhub.formats.base import BYTES_FORMAT_NAME, find_cover_fault
from tensorhub.formats.registry import parse_file
from tensorhub.formats.source import MemorySource


def tensor(dtype: object = "U8", shape: object = (2,), offsets: object = (0, 2)) -> str:
    return json.dumps({"t": {"dtype": dtype, "shape": shape, "data_offsets": offsets}})


def framed(text: str | bytes, data: bytes = b"xy") -> bytes:
    header = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return len(header).to_bytes(8, "little") + header + data


CASES: dict[str, bytes] = {
    "one byte": b"x",
    "length bytes only": bytes(8),
    "length 0": bytes(8) + b"xyz",
    "length 1": framed("{"),
    "length beyond the file": (100).to_bytes(8, "little") + b"{}",
    "length beyond the limit": (100_000_001).to_bytes(8, "little") + b"{}",
    "length of all ones": b"\xff" * 8 + b"{}",
    "not JSON": framed("hello"),
    "a list": framed("[]"),
    "a string": framed('"x"'),
    "cut JSON": framed(tensor()[:-1]),
    "text behind the object": framed(tensor() + "x"),
    "NUL padding": framed(tensor().encode() + b"\0\0"),
    "trailing comma": framed(tensor()[:-1] + ",}"),
    "not UTF-8": framed(b'{"\xff":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    "surrogate bytes": framed('{"\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    "half a surrogate pair": framed(r'{"\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    "raw control character": framed('{"a\nb":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    "unknown escape": framed(r'{"\q":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'),
    "entry is null": framed('{"t":null}'),
    "entry is a number": framed('{"t":1}'),
    "entry is a list": framed('{"t":[1,2]}'),
    "no dtype": framed('{"t":{"shape":[2],"data_offsets":[0,2]}}'),
    "no shape": framed('{"t":{"dtype":"U8","data_offsets":[0,2]}}'),
    "no offsets": framed('{"t":{"dtype":"U8","shape":[2]}}'),
    "dtype is a number": framed(tensor(dtype=1)),
    "dtype is an object": framed(tensor(dtype={"U8": None})),
    "shape is a number": framed(tensor(shape=2)),
    "shape is nested": framed(tensor(shape=[[2]])),
    "negative dimension": framed(tensor(shape=[-2])),
    "two negative dimensions": framed(tensor(shape=[-2, -1])),
    "dimension is a float": framed(tensor(shape=[2.0])),
    "dimension is a bool": framed(tensor(shape=[2, True])),
    "dimension is null": framed(tensor(shape=[None])),
    "dimension of 30 digits": framed(tensor(shape=[10**30])),
    "dimension of 5000 digits": framed(
        '{"t":{"dtype":"U8","shape":[' + "9" * 5000 + '],"data_offsets":[0,2]}}'
    ),
    "shape that overflows": framed(tensor(shape=[1 << 62, 1 << 62, 0], offsets=[0, 0])),
    "leading zero": framed('{"t":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}}'),
    "one offset": framed(tensor(offsets=[2])),
    "three offsets": framed(tensor(offsets=[0, 2, 2])),
    "negative offset": framed(tensor(offsets=[-1, 1])),
    "float offset": framed(tensor(offsets=[0, 2.0])),
    "bool offset": framed(tensor(shape=[1], offsets=[False, True])),
    "NaN offset": framed('{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,NaN]}}'),
    "infinite offset": framed('{"t":{"dtype":"U8","shape":[2],"data_offsets":[0,Infinity]}}'),
    "offset of 20 digits": framed(tensor(offsets=[0, 10**19])),
    "offset of 4000 digits": framed(tensor(offsets=[0, 10**4000])),
    "NaN in an unused field": framed('{"t":{"dtype":"U8","x":NaN,"shape":[2],"data_offsets":[0,2]}}'),
    "end beyond the file": framed(tensor(shape=[3], offsets=[0, 3])),
    "begin behind end": framed(tensor(offsets=[2, 0])),
    "too small for its shape": framed(tensor(offsets=[0, 1])),
    "too large for its shape": framed(tensor(shape=[1])),
    "bytes for an empty tensor": framed(tensor(shape=[0])),
    "half a byte": framed(tensor(dtype="F4", shape=[3], offsets=[0, 2])),
    "unknown dtype beyond the file": framed(tensor(dtype="X1", offsets=[0, 3])),
    "overlap": framed(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}',
        b"xyz",
    ),
    "one inside the other": framed(
        '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        b"xyz",
    ),
    "empty tensor inside another": framed(
        '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}',
        b"xyz",
    ),
    "overlap of an unknown dtype": framed(
        '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"X1","shape":[2],"data_offsets":[1,3]}}',
        b"xyz",
    ),
    "deep lists": framed("[" * 200_000),
    "deep objects": framed('{"a":' * 200_000),
    "deep entry": framed('{"t":' + "[" * 200_000),
    "deep metadata": framed('{"__metadata__":' + '{"a":' * 200_000),
    "long odd metadata": framed('{"__metadata__":[' + "1," * 600_000 + "1]}"),
    "long odd entry": framed(
        '{"t":{"x":"' + "y" * 70_000 + '","dtype":"U8","shape":[2],"data_offsets":[0,2]}}'
    ),
    "many quotes": framed('{"' + '\\"' * 200_000),
    "many spaces": framed('{"a"' + " " * 200_000),
}


@pytest.mark.parametrize("name", CASES)
def test_kept_as_bytes(name: str) -> None:
    """The whole file is bytes; the reason is told in a few words; the same answer comes twice."""
    content = CASES[name]
    parsed = parse_file("m.safetensors", MemorySource(content))
    assert parsed.format_name == BYTES_FORMAT_NAME
    assert find_cover_fault(parsed.segments, len(content)) is None
    assert len(parsed.segments) == 1
    assert len(parsed.notices) == 1
    assert "kept as bytes" in parsed.notices[0]
    assert len(parsed.notices[0]) < 600
    parsed.notices[0].encode("utf-8")
    assert parse_file("m.safetensors", MemorySource(content)) == parsed


@pytest.mark.parametrize("name", CASES)
def test_unnamed_is_silent(name: str) -> None:
    """Under another name the same bytes are plain bytes, without a notice."""
    assert parse_file("m.bin", MemorySource(CASES[name])).notices == ()


@pytest.mark.parametrize(
    "fill", [b"[]," * 1_000_000, b'{"a":' * 600_000, b"0," * 1_500_000], ids=["lists", "objects", "numbers"]
)
@pytest.mark.parametrize(
    "start", [b'{"__metadata__":[', b'{"t":{"dtype":"U8","shape":['], ids=["metadata", "shape"]
)
def test_memory_is_bounded(start: bytes, fill: bytes) -> None:
    """A header that a JSON parser would blow up to a hundred megabytes costs some thirty at most."""
    content = framed(start + fill)
    tracemalloc.start()
    try:
        parsed = parse_file("m.safetensors", MemorySource(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert parsed.format_name == BYTES_FORMAT_NAME
    assert peak < len(content) + 40_000_000
