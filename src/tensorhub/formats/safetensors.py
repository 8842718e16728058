"""Safetensors files: where each tensor lies.

Duty: find the tensors of a safetensors file by its content, and write headers of new ones.
Not its duty: reading tensor data, or judging it.
Invariants: the header is one bytes segment, kept verbatim, so that padding, key order and duplicates
come back; each tensor is a segment; gaps and what follows are bytes. A file whose offsets overlap, leave the
file or do not agree with shape and dtype is bytes as a whole, with a notice. Peak memory is about ten times
the header, which is at most 100 MB.

The format: 8 bytes little-endian header length, a JSON object of that length, data. See "Format" in the
README of ``huggingface/safetensors``. We accept more than its reference reader does (gaps, trailing bytes,
shared ranges, unknown dtypes), since a file that exists has to be kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tensorhub.errors import FormatError, InvalidHeaderError, LimitExceededError
from tensorhub.formats.base import Format, ParsedFile, as_bytes, fill_gaps
from tensorhub.formats.json_scan import SPACE, STRING, JsonScanner
from tensorhub.formats.notices import NoticeBook, shorten
from tensorhub.formats.safetensors_write import (
    LENGTH_NBYTES,
    MAX_HEADER_NBYTES,
    build_header,
    sort_for_writing,
)
from tensorhub.formats.source import ByteSource
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import ParsedSegment, TensorSpec

__all__ = ["SafetensorsFormat", "SafetensorsHeader", "build_header", "parse_header", "sort_for_writing"]

_MAX_ENTRY_NBYTES = 1 << 16  # an entry that is not in the usual form; a real one has some 200 bytes
_MAX_ODD_METADATA_NBYTES = 1 << 20  # metadata that breaks the format's rule of plain strings
_MAX_DIMENSION = (1 << 63) - 1  # records hold dimensions below 2**63
_OVERFLOW = 1 << 64  # the reference reader refuses sizes beyond 64 bits
_LFS_POINTER = b"version https://git-lfs"

_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"  # what is longer takes the slow path
_USUAL_ENTRY = re.compile(
    SPACE.join(
        [
            b"", STRING, b":", rb"\{",
            b'"dtype"', b":", b'"([A-Za-z0-9_]{1,32})"', b",",
            b'"shape"', b":", rb"\[",
            b"((?:" + _NUMBER + b"(?:" + SPACE + b"," + SPACE + _NUMBER + b"){0,63}+)?)", rb"\]", b",",
            b'"data_offsets"', b":", rb"\[", b"(" + _NUMBER + b")", b",", b"(" + _NUMBER + b")",
            rb"\]", rb"\}",
        ]
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SafetensorsHeader:
    """What a safetensors header says, checked against the size of its file.

    Attributes
    ----------
    nbytes
        Length of the header with its 8 length bytes; data starts here.
    tensors
        Tensors by their place in the file; ``start`` is counted from the start of the file.
    metadata
        ``__metadata__``, or None where it is absent or not a map of strings to strings.
    notices
        What was left as bytes, and why.
    """

    nbytes: int
    tensors: tuple[ParsedSegment, ...]
    metadata: Mapping[str, str] | None
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member of the header; offsets count from the start of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class SafetensorsFormat(Format):
    """Finds the tensors of safetensors files, whatever they are called."""

    name = "safetensors"

    def parse(self, path_in_repo: str, source: ByteSource) -> ParsedFile | None:
        """Cut a file into its header, tensors and gaps."""
        is_named = path_in_repo.lower().endswith(".safetensors")
        try:
            if not is_named and not _looks_like(source):
                return None
            header = parse_header(source)
        except FormatError as error:
            if not is_named or source.nbytes == 0:
                return None
            hint = " (it is a Git LFS pointer, not the file itself)" if _is_lfs_pointer(source) else ""
            return as_bytes(source.nbytes, f"{shorten(path_in_repo)}: kept as bytes{hint}, because {error}")
        if not is_named and not header.tensors:
            return None
        notices = tuple(f"{shorten(path_in_repo)}: {notice}" for notice in header.notices)
        return ParsedFile(self.name, fill_gaps(header.tensors, header.nbytes, source.nbytes), notices)


def parse_header(source: ByteSource) -> SafetensorsHeader:
    """Read and check the header of a safetensors file.

    Parameters
    ----------
    source
        The whole file; only its header is read.

    Returns
    -------
    SafetensorsHeader
        Tensors that lie in the file, in order and without overlap.

    Raises
    ------
    InvalidHeaderError
        The file breaks a rule of the format.
    LimitExceededError
        The header is longer than 100 MB.
    SourceChangedError
        The source shrank while it was read.

    Notes
    -----
    Linear in the header; some nine microseconds for each tensor, two seconds for a header of 25 MB.
    """
    nbytes = _read_length(source)
    header = bytearray(nbytes)
    source.read_into(LENGTH_NBYTES, header)
    scanner = JsonScanner(header, f"safetensors header of {shorten(source.name)}")
    notices = NoticeBook()
    entries, metadata = _scan_entries(scanner, notices)
    start = LENGTH_NBYTES + nbytes
    tensors = _place(list(entries.values()), start, source.nbytes - start, notices)
    return SafetensorsHeader(start, tensors, metadata, notices.to_tuple())


def _read_length(source: ByteSource) -> int:
    thing = f"safetensors header of {shorten(source.name)}"
    if source.nbytes < LENGTH_NBYTES + 2:
        raise InvalidHeaderError(
            thing,
            expected="at least 10 bytes",
            found=f"{source.nbytes} bytes",
            action="The file is cut short.",
        )
    prefix = bytearray(LENGTH_NBYTES)
    source.read_into(0, prefix)
    nbytes = int.from_bytes(prefix, "little")
    if nbytes > MAX_HEADER_NBYTES:
        raise LimitExceededError(
            thing, expected=f"at most {MAX_HEADER_NBYTES} bytes", found=f"{nbytes}",
            action="The file is not safetensors, or is damaged.",
        )  # fmt: skip
    if nbytes > source.nbytes - LENGTH_NBYTES:
        raise InvalidHeaderError(
            thing, expected=f"a header of {nbytes} bytes", found=f"a file of {source.nbytes} bytes",
            action="The file is cut short or damaged.",
        )  # fmt: skip
    return nbytes


def _looks_like(source: ByteSource) -> bool:
    """Say whether nine bytes allow the file to be safetensors."""
    if source.nbytes < LENGTH_NBYTES + 2:
        return False
    prefix = bytearray(LENGTH_NBYTES + 1)
    source.read_into(0, prefix)
    nbytes = int.from_bytes(prefix[:LENGTH_NBYTES], "little")
    return prefix[-1:] == b"{" and 2 <= nbytes <= min(MAX_HEADER_NBYTES, source.nbytes - LENGTH_NBYTES)


def _is_lfs_pointer(source: ByteSource) -> bool:
    prefix = bytearray(min(len(_LFS_POINTER), source.nbytes))
    source.read_into(0, prefix)
    return prefix == _LFS_POINTER


def _scan_entries(
    scanner: JsonScanner, notices: NoticeBook
) -> tuple[dict[str, _Entry], Mapping[str, str] | None]:
    """Read the members of the header; the last of equal names wins."""
    entries: dict[str, _Entry] = {}
    metadata: Mapping[str, str] | None = None
    scanner.expect(b"{")
    if not scanner.take(b"}"):
        while True:
            usual = scanner.match(_USUAL_ENTRY)
            if usual is not None and usual[1] != b"__metadata__":
                dimensions = usual[3]
                shape = tuple(map(int, dimensions.split(b","))) if dimensions else ()
                name = scanner.decode(usual[1])
                entry = _Entry(name, usual[2].decode("ascii"), shape, int(usual[4]), int(usual[5]))
            else:
                if usual is not None:
                    scanner.position = usual.start()
                name = scanner.string()
                scanner.expect(b":")
                if name == "__metadata__":
                    metadata = _scan_metadata(scanner, notices)
                    entry = None
                else:
                    entry = _scan_odd_entry(scanner, name)
            if entry is not None:
                if entries.pop(name, None) is not None:
                    notices.add("tensor names that occur twice, the last counts", name)
                entries[name] = entry
            if scanner.take(b"}"):
                break
            scanner.expect(b",")
    scanner.finish()
    return entries, metadata


def _scan_metadata(scanner: JsonScanner, notices: NoticeBook) -> Mapping[str, str] | None:
    start = scanner.position
    try:
        return scanner.string_map()
    except InvalidHeaderError:
        scanner.position = start
    value = scanner.small_value(_MAX_ODD_METADATA_NBYTES)
    if value is not None:
        notices.add("metadata that is not a map of strings, kept in the header only", "__metadata__")
    return None


def _scan_odd_entry(scanner: JsonScanner, name: str) -> _Entry:
    """Read an entry whose keys are in another order, or that has more of them."""
    value = scanner.small_value(_MAX_ENTRY_NBYTES)
    fields = value if isinstance(value, dict) else {}
    dtype, shape, offsets = fields.get("dtype"), fields.get("shape"), fields.get("data_offsets")
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise scanner.fail("dtype, shape and data_offsets", f"something else for tensor {shorten(name)}")
    # ``bool`` is an ``int`` in Python, so ``isinstance`` would let true and false pass.
    if len(offsets) != 2 or any(type(number) is not int or number < 0 for number in (*shape, *offsets)):
        raise scanner.fail(
            "whole numbers, 0 or more", f"others in shape or offsets of tensor {shorten(name)}"
        )
    return _Entry(name, dtype, tuple(shape), offsets[0], offsets[1])


def _place(
    entries: list[_Entry], data_start: int, data_nbytes: int, notices: NoticeBook
) -> tuple[ParsedSegment, ...]:
    """Order the entries by offset, and check that they lie apart and inside the data."""
    ranges: list[tuple[int, int, bool, int]] = []
    specs: list[TensorSpec | None] = []
    for order, entry in enumerate(entries):
        if not 0 <= entry.begin <= entry.end <= data_nbytes:
            raise _misfit(
                entry, f"offsets inside {data_nbytes} bytes of data", shorten(f"{entry.begin} to {entry.end}")
            )
        spec = _make_spec(entry, notices)
        specs.append(spec)
        # Of entries that share a range, those that are understood come first, then the order of the file.
        ranges.append((entry.begin, entry.end, spec is None, order))
    ranges.sort()
    tensors: list[ParsedSegment] = []
    last_begin = last_end = 0
    for begin, end, _, order in ranges:
        if begin < end and (begin, end) == (last_begin, last_end):
            notices.add("tensors that share another's bytes, named in the header only", entries[order].name)
            continue
        if begin < last_end:
            raise _misfit(entries[order], "bytes of its own", f"overlap up to offset {last_end}")
        if begin < end:
            last_begin, last_end = begin, end
        spec = specs[order]
        if spec is not None:
            tensors.append(ParsedSegment(data_start + begin, end - begin, spec))
    return tuple(tensors)


def _make_spec(entry: _Entry, notices: NoticeBook) -> TensorSpec | None:
    """Check size against shape and dtype; None where the tensor can only be kept as bytes."""
    try:
        dtype = DType[entry.dtype]
    except KeyError:
        notices.add(f"tensors of unknown dtype {shorten(entry.dtype)} kept as bytes", entry.name)
        return None
    nelems = 1
    for dimension in entry.shape:
        nelems *= dimension
        if nelems >= _OVERFLOW:
            raise _misfit(entry, "a shape below 2**64 elements", f"{len(entry.shape)} dimensions with more")
    nbits = nelems * dtype.bits
    if nbits % 8 or nbits // 8 != entry.end - entry.begin:
        raise _misfit(entry, f"{nbits} bits for its shape and dtype", f"{entry.end - entry.begin} bytes")
    if any(dimension > _MAX_DIMENSION for dimension in entry.shape):
        notices.add("tensors with a dimension of 2**63 or more kept as bytes", entry.name)
        return None
    return TensorSpec(entry.name, dtype, entry.shape)


def _misfit(entry: _Entry, expected: str, found: str) -> InvalidHeaderError:
    return InvalidHeaderError(f"tensor {shorten(entry.name)}", expected=expected, found=found)
