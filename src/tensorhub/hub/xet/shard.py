"""Shards: the list of files that an upload is made of, each as runs of chunks of xorbs.

Duty: parse a received shard into frozen values. Not its duty: looking at the xorbs it names.
Invariants: every count is checked against the bytes that are there before anything is read; records that this
version does not know are refused; parsing is linear in the shard, which has 64 MiB at most.

A shard has a header of 48 bytes (tag, version 2, length of a footer or 0), then records of 48 bytes: for each
file a header, its runs, as many verification records and one with its SHA-256 where flags say so; a bookend;
for each xorb a header and its chunks; a bookend; the footer. Lists of xorbs and footers repeat what the xorbs
say themselves, so they are checked for form and left out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tensorhub.errors import (
    InvalidHeaderError,
    InvalidRecordError,
    LimitExceededError,
    UnsupportedVersionError,
)
from tensorhub.hub.xet.hashes import to_text
from tensorhub.hub.xet.xorb import MAX_CHUNKS, MAX_XORB_NBYTES

RECORD_NBYTES = 48
MAX_SHARD_NBYTES = 80 << 20  # clients cut them at 64 MiB, and one file's records are never cut
MAX_RUNS = (
    1 << 19
)  # in one shard; each takes some 200 bytes of memory. A file of 500 GB has 8,000 if nothing repeats
_TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
_HEADER = struct.Struct("<32sQQ")
_FILE = struct.Struct("<32sIIQ")
_RUN = struct.Struct("<32sIIII")
_VERSION = 2
_BOOKEND = b"\xff" * 32
_HAS_VERIFICATION = 1 << 31
_HAS_SHA256 = 1 << 30


@dataclass(frozen=True, slots=True)
class ChunkRun:
    """A run of chunks of one xorb.

    Attributes
    ----------
    xorb
        Hash of the xorb.
    first, stop
        Indices of its first chunk and of the one after its last.
    nbytes
        Decoded bytes, as the shard says.
    """

    xorb: bytes
    first: int
    stop: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class ShardFile:
    """A file, as runs of chunks.

    Attributes
    ----------
    file_hash
        The name that the client's protocol gives it; not checked, and not used.
    runs
        In order.
    sha256
        Of its content, as the shard says; None where it does not.
    """

    file_hash: bytes
    runs: tuple[ChunkRun, ...]
    sha256: bytes | None

    @property
    def nbytes(self) -> int:
        """Length of the file, as the shard says."""
        return sum(run.nbytes for run in self.runs)


def parse_shard(data: bytes | bytearray | memoryview) -> tuple[ShardFile, ...]:
    """Read the files of a shard.

    Raises
    ------
    InvalidHeaderError, InvalidRecordError
        The bytes are no shard, or cut short, or say something that cannot be.
    LimitExceededError, UnsupportedVersionError
        It is larger than accepted; another version wrote it.
    """
    view = memoryview(data).cast("B")
    if len(view) > MAX_SHARD_NBYTES:
        raise LimitExceededError(
            "shard",
            expected=f"at most {MAX_SHARD_NBYTES} bytes",
            found=f"{len(view)}",
            action="Upload fewer files at once.",
        )
    footer_nbytes = _parse_header(view)
    files: list[ShardFile] = []
    runs = 0
    at = RECORD_NBYTES
    while True:
        file, at = _parse_file(view, at)
        if file is None:
            break
        files.append(file)
        runs += len(file.runs) + 1
        if runs > MAX_RUNS:
            raise LimitExceededError(
                "shard",
                expected=f"at most {MAX_RUNS} files and runs",
                found="more",
                action="Upload fewer files at once.",
            )
    at = _skip_xorbs(view, at)
    if footer_nbytes == 0 and at != len(view):
        raise _reject("the end of the shard", f"{len(view) - at} bytes more")
    return tuple(files)


def _parse_header(view: memoryview) -> int:
    if len(view) < RECORD_NBYTES or view[: len(_TAG)] != _TAG:
        raise InvalidHeaderError(
            "shard",
            expected="the tag of a shard",
            found=f"{len(view)} bytes that begin with {view[:16].hex()}",
            action="Upload it with a Hugging Face client.",
        )
    _, version, footer_nbytes = _HEADER.unpack_from(view)
    if version != _VERSION:
        raise UnsupportedVersionError(
            "shard",
            expected=f"version {_VERSION}",
            found=str(version),
            action="The client is newer than this hub; update the hub.",
        )
    return int(footer_nbytes)


def _parse_file(view: memoryview, at: int) -> tuple[ShardFile | None, int]:
    """Read the file at an offset; gives None at the bookend, and where the next one begins."""
    _require(view, at, 1, "a file or a bookend")
    file_hash, flags, count, _ = _FILE.unpack_from(view, at)
    at += RECORD_NBYTES
    if file_hash == _BOOKEND:
        return None, at
    if flags & ~(_HAS_VERIFICATION | _HAS_SHA256):
        raise _reject("flags of this version", f"{flags:#x}")
    verifications = count if flags & _HAS_VERIFICATION else 0
    has_sha256 = bool(flags & _HAS_SHA256)
    _require(view, at, count + verifications + has_sha256, f"{count} runs and what follows them")
    runs = tuple(_parse_run(view, at + RECORD_NBYTES * index) for index in range(count))
    at += RECORD_NBYTES * (count + verifications)
    sha256 = None
    if has_sha256:
        sha256 = bytes.fromhex(to_text(bytes(view[at : at + 32])))
        at += RECORD_NBYTES
    return ShardFile(file_hash, runs, sha256), at


def _parse_run(view: memoryview, at: int) -> ChunkRun:
    xorb, _, nbytes, first, stop = _RUN.unpack_from(view, at)
    if not first < stop <= MAX_CHUNKS:
        raise _reject(f"a run among {MAX_CHUNKS} chunks", f"chunks {first} to {stop}")
    if not 0 < nbytes <= MAX_XORB_NBYTES:
        raise _reject(f"a run of at most {MAX_XORB_NBYTES} bytes", f"{nbytes} bytes")
    return ChunkRun(xorb, first, stop, nbytes)


def _skip_xorbs(view: memoryview, at: int) -> int:
    """Walk over the lists of chunks; gives the end of their bookend."""
    while True:
        _require(view, at, 1, "a xorb or a bookend")
        xorb, _, count, _, _ = _RUN.unpack_from(view, at)
        at += RECORD_NBYTES
        if xorb == _BOOKEND:
            return at
        if count > MAX_CHUNKS:
            raise _reject(f"at most {MAX_CHUNKS} chunks in a xorb", f"{count}")
        _require(view, at, count, f"{count} chunks of a xorb")
        at += RECORD_NBYTES * count


def _require(view: memoryview, at: int, records: int, what: str) -> None:
    if records * RECORD_NBYTES > len(view) - at:
        raise _reject(what, f"the end of the shard after {len(view) - at} bytes")


def _reject(expected: str, found: str) -> InvalidRecordError:
    return InvalidRecordError(
        "shard",
        expected=expected,
        found=found,
        action="Upload it again; if this repeats, report the client's version.",
    )
