"""Stored files: reading any range of a file, and a file object over one.

Duty: run a read plan against blobs; the seekable binary file. Not its duty: planning (``read_plan``, pure).
Invariants: only the chunks that a range touches are decoded; every byte given out passed its checksum.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from tensorhub.errors import FileEntryNotFoundError, IntegrityError, UsageError
from tensorhub.schema.names import MAX_PATH_NBYTES
from tensorhub.schema.records import FileMode, FileRecord, TreeEntry
from tensorhub.store.read_plan import FileMap
from tensorhub.store.reader import BlobReader
from tensorhub.store.snapshots import Snapshot

BUFFER_NBYTES = 1 << 20  # one chunk: a smaller buffer would decode the same chunk again and again
_MAX_LINKS = 8  # a chain of links that is longer is a circle, or meant to be one
_TRUSTED_NBYTES = 16 << 20  # of one run: worth no look-up before its memory is taken


class StoredFile(io.RawIOBase):
    """A stored file as an unbuffered, seekable, read-only file object.

    Wrap it with :func:`open_buffered`; use one object per thread.

    Parameters
    ----------
    record
        What to read.
    reader
        The store's.
    name
        For messages and ``repr``.
    """

    def __init__(self, record: FileRecord, reader: BlobReader, name: str) -> None:
        super().__init__()
        self.name = name
        self._map = FileMap(record.segments)
        self._reader = reader
        self._position = 0

    def __repr__(self) -> str:
        return f"<StoredFile {self.name!r} of {self._map.nbytes} bytes>"

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can seek."""
        return True

    def tell(self) -> int:
        """Give the position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; past the end is allowed and reads nothing."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._map.nbytes}.get(whence)
        if base is None or base + offset < 0:
            raise UsageError(
                f"seek in {self.name}",
                expected="a position at or after 0",
                found=f"offset {offset}, whence {whence}",
                action="Seek inside the file.",
            )
        self._position = base + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the position; gives the number of bytes, 0 at the end."""
        if self.closed:
            raise UsageError(f"read from {self.name}", expected="an open file", found="a closed one")
        view = memoryview(buffer).cast("B")
        nbytes = max(0, min(len(view), self._map.nbytes - self._position))
        read_range(self._map, self._reader, self._position, view[:nbytes])
        self._position += nbytes
        return nbytes


def open_buffered(record: FileRecord, reader: BlobReader, name: str) -> io.BufferedReader:
    """Open a stored file for reading, buffered by one chunk."""
    return io.BufferedReader(StoredFile(record, reader, name), BUFFER_NBYTES)


def read_range(file_map: FileMap, reader: BlobReader, offset: int, out: memoryview) -> None:
    """Fill ``out`` with a file's bytes from ``offset``; the range must lie inside the file."""
    for run in file_map.plan_range(offset, len(out)):
        target = out[run.position : run.position + run.stop - run.start]
        reader.read_into(run.digest, run.start, target, blob_nbytes=run.blob_nbytes)


def check_before_allocating(file_map: FileMap, reader: BlobReader, offset: int, nbytes: int) -> None:
    """Compare the sizes in a file record with the blobs, before memory is taken for an absurd one.

    Raises
    ------
    IntegrityError
        The file record lies.
    """
    for run in file_map.plan_range(offset, nbytes):
        if run.stop - run.start > _TRUSTED_NBYTES:
            reader.record(run.digest, nbytes=run.blob_nbytes)


def read_link(record: FileRecord, reader: BlobReader) -> str:
    """Read the target of a symlink.

    Raises
    ------
    IntegrityError
        The record says more than a path can have, or its bytes are damaged.
    """
    if record.nbytes > MAX_PATH_NBYTES:
        raise IntegrityError(
            "symlink of a snapshot",
            expected=f"a target of at most {MAX_PATH_NBYTES} bytes",
            found=f"{record.nbytes} bytes",
            action="Run `tensorhub verify`; no add made this.",
        )
    text = bytearray(record.nbytes)
    read_range(FileMap(record.segments), reader, 0, memoryview(text))
    return os.fsdecode(bytes(text))


def follow_link(snapshot: Snapshot, entry: TreeEntry, reader: BlobReader) -> TreeEntry:
    """Find what a symlink of a snapshot points at; links to links are followed a few times.

    Raises
    ------
    FileEntryNotFoundError
        Nothing is there, or only more links.
    """
    for _ in range(_MAX_LINKS):
        text = read_link(snapshot.record(entry), reader)
        target = os.path.normpath(str(Path(entry.path).parent / text))
        entry = snapshot.entry(target)
        if entry.mode is not FileMode.SYMLINK:
            return entry
    raise FileEntryNotFoundError(
        f"symlink {entry.path!r}",
        expected="a file at its end",
        found="more symlinks",
        path=entry.path,
        action="Read the target itself.",
    )
