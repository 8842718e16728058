"""Odd but real safetensors files are cut, and come back byte for byte."""

import json
import time
from typing import Any

import pytest

from tensorhub.errors import InvalidHeaderError, LimitExceededError
from tensorhub.formats.base import ParsedFile, find_cover_fault
from tensorhub.formats.registry import parse_file
from tensorhub.formats.safetensors import parse_header
from tensorhub.formats.source import MemorySource
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_file(header: object, data: bytes = b"", *, pad: str = "") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode() + pad.encode()
    return len(text).to_bytes(8, "little") + text + data


def cut(content: bytes, path: str = "model.safetensors") -> ParsedFile:
    parsed = parse_file(path, MemorySource(content))
    assert find_cover_fault(parsed.segments, len(content)) is None
    assert b"".join(content[s.start : s.start + s.nbytes] for s in parsed.segments) == content
    return parsed


def tensors(parsed: ParsedFile) -> dict[str, tuple[str, tuple[int, ...], int]]:
    return {
        s.tensor.name: (s.tensor.dtype.name, s.tensor.shape, s.nbytes) for s in parsed.segments if s.tensor
    }


def kinds(parsed: ParsedFile) -> list[str]:
    return [s.tensor.name if s.tensor else f"bytes {s.nbytes}" for s in parsed.segments]


def test_plain() -> None:
    """Header, then one segment for each tensor, in the order of the data."""
    content = make_file({"b": entry("F32", [2], 8, 16), "a": entry("BF16", [2, 2], 0, 8)}, bytes(16))
    parsed = cut(content)
    assert kinds(parsed) == [f"bytes {len(content) - 16}", "a", "b"]
    assert tensors(parsed) == {"a": ("BF16", (2, 2), 8), "b": ("F32", (2,), 8)}
    assert parsed.notices == ()


@pytest.mark.parametrize("pad", ["", " ", " " * 1000, "\n\t "])
def test_padded_header(pad: str) -> None:
    """White space behind the header belongs to it."""
    assert kinds(cut(make_file({"a": entry("U8", [3], 0, 3)}, b"abc", pad=pad)))[1:] == ["a"]


def test_leading_space() -> None:
    """White space before the header is accepted where the name says what the file is."""
    text = b' \n{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}'
    assert kinds(cut(make_file(text, b"abc")))[1:] == ["a"]


def test_key_order_and_spacing() -> None:
    """Keys in any order, spaces anywhere, unknown keys: all the same tensor."""
    for text in (
        b'{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}}',
        b'{ "a" : { "dtype" : "F32" , "shape" : [ 1 ] , "data_offsets" : [ 0 , 4 ] } }',
        b'{"a":{"dtype":"F32","extra":{"x":[1.5,null]},"shape":[1],"data_offsets":[0,4]}}',
        b'{"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    ):
        assert tensors(cut(make_file(text, bytes(4)))) == {"a": ("F32", (1,), 4)}


def test_duplicate_names() -> None:
    """The last of two entries counts; the range of the first is bytes."""
    text = (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},'
        b'"a":{"dtype":"U8","shape":[2],"data_offsets":[6,8]}}'
    )
    parsed = cut(make_file(text, bytes(8)))
    assert kinds(parsed) == [f"bytes {8 + len(text)}", "bytes 4", "b", "a"]
    assert "twice" in parsed.notices[0]


@pytest.mark.parametrize(
    "metadata", [{}, {"format": "pt"}, None, {"a": 1}, {"a": {"b": [1, None]}}, "x", [1], 5]
)
def test_metadata(metadata: object) -> None:
    """Metadata of any kind leaves the tensors alone; a map of strings is read."""
    content = make_file({"__metadata__": metadata, "a": entry("U8", [1], 0, 1)}, b"x")
    assert tensors(cut(content)) == {"a": ("U8", (1,), 1)}
    header = parse_header(MemorySource(content))
    assert header.metadata == (metadata if metadata in ({}, {"format": "pt"}) else None)
    assert bool(header.notices) == (metadata not in ({}, {"format": "pt"}, None))


def test_metadata_that_looks_like_a_tensor() -> None:
    """The reserved name is never a tensor."""
    parsed = cut(make_file({"__metadata__": entry("U8", [1], 0, 1)}, b"x"))
    assert tensors(parsed) == {}


def test_zero_size_and_rank() -> None:
    """Tensors without elements are segments of no bytes, in the order of offsets; scalars have rank 0."""
    content = make_file(
        {
            "end": entry("F32", [0, 5], 6, 6), "scalar": entry("F16", [], 4, 6), "a": entry("F32", [1], 0, 4),
            "first": entry("U8", [0], 0, 0), "middle": entry("I64", [3, 0], 4, 4),
        },
        bytes(6),
    )  # fmt: skip
    assert kinds(cut(content))[1:] == ["first", "a", "middle", "scalar", "end"]


def test_gaps_and_tail() -> None:
    """What no tensor names is bytes."""
    content = make_file({"a": entry("U8", [2], 1, 3), "b": entry("U8", [2], 5, 7)}, b"0123456789")
    assert kinds(cut(content))[1:] == ["bytes 1", "a", "bytes 2", "b", "bytes 3"]


def test_no_tensors() -> None:
    """An empty header, with or without data behind it."""
    assert kinds(cut(make_file(b"{}", b"xyz"))) == ["bytes 10", "bytes 3"]
    assert kinds(cut(make_file(b"{}"))) == ["bytes 10"]


def test_sub_byte() -> None:
    """Types below a byte are measured in bits."""
    content = make_file({"a": entry("F4", [4], 0, 2), "b": entry("F6_E2M3", [4], 2, 5)}, bytes(5))
    assert tensors(cut(content)) == {"a": ("F4", (4,), 2), "b": ("F6_E2M3", (4,), 3)}


def test_unknown_dtype() -> None:
    """Only the tensor of the unknown type is bytes, and it is said."""
    content = make_file(
        {"a": entry("U8", [2], 0, 2), "b": entry("I4", [4], 2, 4), "c": entry("U8", [1], 4, 5)}, bytes(5)
    )
    parsed = cut(content)
    assert kinds(parsed)[1:] == ["a", "bytes 2", "c"]
    assert "I4" in parsed.notices[0]
    assert parsed.format_name == "safetensors"


def test_shared_range() -> None:
    """Two names for the same bytes: one segment, under the first name, and a notice."""
    content = make_file(
        {"b": entry("F32", [2], 0, 8), "a": entry("U8", [8], 0, 8), "c": entry("X9", [1], 0, 8)}, bytes(8)
    )
    parsed = cut(content)
    assert kinds(parsed)[1:] == ["b"]
    assert any("share" in notice and "a" in notice for notice in parsed.notices)


def test_known_wins_over_unknown_on_a_shared_range() -> None:
    """A type that is understood is worth more than one that comes first."""
    content = make_file({"b": entry("X9", [2], 0, 8), "a": entry("U8", [8], 0, 8)}, bytes(8))
    assert kinds(cut(content))[1:] == ["a"]


def test_dimension_beyond_records() -> None:
    """A dimension that records cannot hold makes bytes of that tensor alone."""
    content = make_file({"a": entry("U8", [0, (1 << 64) - 1], 0, 0), "b": entry("U8", [1], 0, 1)}, b"x")
    assert kinds(cut(content))[1:] == ["b"]


def test_names_verbatim() -> None:
    """Names of any Unicode text are kept as written."""
    names = ["", "é", "e\u0301", "😀", 'a"b\\c', "a\nb", "\x00", " "]
    header = {name: entry("U8", [1], index, index + 1) for index, name in enumerate(names)}
    for escaped in (True, False):
        text = json.dumps(header, ensure_ascii=escaped).encode()
        assert list(tensors(cut(make_file(text, bytes(len(names)))))) == names


def test_parse_header_fields() -> None:
    """Starts count from the start of the file."""
    content = make_file({"a": entry("U8", [2], 0, 2)}, b"xy")
    header = parse_header(MemorySource(content))
    assert header.nbytes == len(content) - 2
    assert header.tensors[0].start == len(content) - 2
    assert header.tensors[0].tensor == TensorSpec("a", DType.U8, (2,))


def test_parse_header_raises() -> None:
    """A caller that needs a header gets an error of the format branch."""
    with pytest.raises(InvalidHeaderError):
        parse_header(MemorySource(b"abc"))
    with pytest.raises(LimitExceededError):
        parse_header(MemorySource((100_000_001).to_bytes(8, "little") + b"{}"))


def test_git_lfs_pointer() -> None:
    """A pointer that a clone left behind is named as one."""
    parsed = cut(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert parsed.format_name == "bytes"
    assert "Git LFS pointer" in parsed.notices[0]


def test_large_header() -> None:
    """A header of 5 MB takes well below a few seconds (one of 25 MB is the same, five times)."""
    count = 50_000
    header = {
        f"model.layers.{i}.mlp.experts.weight": entry("BF16", [2, 2], 8 * i, 8 * i + 8) for i in range(count)
    }
    content = make_file(header, bytes(8 * count))
    started_at = time.monotonic()
    parsed = parse_file("m.safetensors", MemorySource(content))
    assert time.monotonic() - started_at < 10
    assert len(parsed.segments) == count + 1
