"""Whatever bytes come, a file is covered exactly; what the reference reader accepts, we cut the same way."""

import json
from typing import Any

import safetensors
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tensorhub.formats.base import ParsedFile, find_cover_fault
from tensorhub.formats.registry import parse_file
from tensorhub.formats.safetensors import build_header, sort_for_writing
from tensorhub.formats.source import MemorySource
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec

QUICK = settings(max_examples=150, deadline=None)

PATHS = st.sampled_from(["m.safetensors", "m.bin"])
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
SPECS = st.lists(
    st.builds(TensorSpec, st.text(max_size=6), st.sampled_from(DType), SHAPES).filter(
        lambda spec: spec.nelems * spec.dtype.bits % 8 == 0 and spec.name != "__metadata__"
    ),
    max_size=5,
    unique_by=lambda spec: spec.name,
)
# Headers near the format: right words in wrong places, and numbers near the borders.
NUMBERS = st.sampled_from([0, 1, 2, 4, 8, 16, -1, 2**63, 2**64, 1.0, True, None])
ENTRIES = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["U8", "F32", "F4", "X9", 1, None]),
        "shape": st.lists(NUMBERS, max_size=2),
        "data_offsets": st.lists(NUMBERS, min_size=1, max_size=3),
    }
)
HEADERS = st.dictionaries(
    st.text(max_size=2) | st.just("__metadata__"),
    ENTRIES | st.dictionaries(st.text(max_size=2), st.text(max_size=2)),
    max_size=3,
)


def cut(path: str, content: bytes) -> ParsedFile:
    parsed = parse_file(path, MemorySource(content))
    assert find_cover_fault(parsed.segments, len(content)) is None
    return parsed


def contents(parsed: ParsedFile, content: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    return {
        s.tensor.name: (s.tensor.dtype.name, list(s.tensor.shape), content[s.start : s.start + s.nbytes])
        for s in parsed.segments
        if s.tensor
    }


def read_by_reference(content: bytes) -> dict[str, tuple[str, list[int], bytes]] | None:
    try:
        loaded = safetensors.deserialize(content)
    except safetensors.SafetensorError:
        return None
    return {name: (f["dtype"], list(f["shape"]), bytes(f["data"])) for name, f in loaded}


def make_file(specs: list[TensorSpec]) -> bytes:
    head = build_header(specs, {"format": "pt"})
    return head + bytes(i % 251 for i in range(sum(spec.nbytes for spec in specs)))


@QUICK
@given(PATHS, st.binary(max_size=200))
@example("m.bin", b"\x02\0\0\0\0\0\0\0{}")
def test_random_bytes(path: str, content: bytes) -> None:
    """Random bytes are covered."""
    cut(path, content)


@QUICK
@given(PATHS, st.text(max_size=60), st.binary(max_size=10))
def test_random_headers(path: str, text: str, data: bytes) -> None:
    """A right length before random text, too."""
    header = b"{" + text.encode()
    cut(path, len(header).to_bytes(8, "little") + header + data)


@settings(max_examples=400, deadline=None)
@given(HEADERS, st.binary(max_size=16), st.booleans())
def test_near_headers_agree_with_the_reference(header: dict[str, Any], data: bytes, is_compact: bool) -> None:
    """Headers near the format: covered, and what the reference accepts has the same tensors."""
    text = json.dumps(header, separators=(",", ":") if is_compact else None).encode()
    content = len(text).to_bytes(8, "little") + text + data
    ours = contents(cut("m.safetensors", content), content)
    reference = read_by_reference(content)
    if reference is not None:
        assert ours == reference


@QUICK
@given(SPECS)
def test_valid_files(specs: list[TensorSpec]) -> None:
    """Files we write are cut to the tensors we wrote, and the reference reads the same."""
    content = make_file(specs)
    parsed = cut("m.safetensors", content)
    assert [s.tensor for s in parsed.segments if s.tensor] == sorted(
        sort_for_writing(specs), key=lambda spec: _offset_of(content, spec)
    )
    assert contents(parsed, content) == read_by_reference(content)


def _offset_of(content: bytes, spec: TensorSpec) -> tuple[int, int]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    begin, end = header[spec.name]["data_offsets"]
    return begin, end


@QUICK
@given(SPECS, PATHS, st.integers(0, 10_000), st.integers(0, 7), st.integers(0, 10_000))
def test_damaged_files(specs: list[TensorSpec], path: str, place: int, bit: int, length: int) -> None:
    """A flipped bit and a cut: covered, and in agreement with the reference where it still accepts."""
    content = bytearray(make_file(specs))
    content[place % len(content)] ^= 1 << bit
    damaged = bytes(content)
    ours = contents(cut(path, damaged), damaged)
    reference = read_by_reference(damaged)
    if reference is not None and path == "m.safetensors":
        assert ours == reference
    cut(path, damaged[: length % (len(damaged) + 1)])
