"""Byte sources: where content comes from while it is added.

Duty: re-readable ranges over files and memory, with short reads and changes turned into clear errors.
Not its duty: parsing.
Invariants: a source's size is fixed when it is opened; reading past it or finding less is an error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from tensorhub.errors import SourceChangedError, from_os_error


class ByteSource(Protocol):
    """Bytes that can be read again, at any offset, from several threads."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    @property
    def nbytes(self) -> int:
        """Total length in bytes."""

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``; raises SourceChangedError where the source has less."""


class MemorySource:
    """Bytes that are already in memory; borrowed, not copied."""

    def __init__(self, data: bytes | bytearray | memoryview, name: str = "memory") -> None:
        self._view = memoryview(data).cast("B")
        self.name = name

    @property
    def nbytes(self) -> int:
        """Total length in bytes."""
        return len(self._view)

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``."""
        end = offset + len(out)
        if end > len(self._view):
            raise SourceChangedError(self.name, expected=f"{end} bytes", found=f"{len(self._view)} bytes")
        memoryview(out).cast("B")[:] = self._view[offset:end]


def read_exactly(descriptor: int, name: str, offset: int, out: bytearray | memoryview) -> None:
    """Fill ``out`` from a file's ``offset`` by positioned reads; safe for many threads on one descriptor.

    Raises
    ------
    SourceChangedError
        The file ends before.
    BackendError
        The disk does not answer.
    """
    view, filled = memoryview(out).cast("B"), 0
    while filled < len(view):
        try:
            got = os.preadv(descriptor, [view[filled:]], offset + filled)
        except OSError as error:
            raise from_os_error(error, f"reading {name}") from error
        if got == 0:
            raise SourceChangedError(
                name,
                expected=f"{offset + len(view)} bytes",
                found=f"{offset + filled} bytes",
                path=name,
                action="The file shrank while it was read; try again when it is at rest.",
            )
        filled += got


class FileSource:
    """A file on disk, read with positioned reads so that threads share one descriptor.

    Use as a context manager, or call :meth:`close`.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise from_os_error(error, f"reading {path}") from error
        self._nbytes, self._modified_ns = status.st_size, status.st_mtime_ns

    @property
    def nbytes(self) -> int:
        """Size of the file when it was opened."""
        return self._nbytes

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``."""
        read_exactly(self._descriptor, self.name, offset, out)

    def check_unchanged(self) -> None:
        """Make sure that the file is still the one that was opened: its size and time of change.

        Raises
        ------
        SourceChangedError
            Somebody wrote to it meanwhile.
        """
        try:
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise from_os_error(error, f"reading {self.name}") from error
        if (status.st_size, status.st_mtime_ns) != (self._nbytes, self._modified_ns):
            raise SourceChangedError(
                self.name,
                expected=f"the {self._nbytes} bytes that were there when it was opened",
                found=f"{status.st_size} bytes, written to since",
                path=self.name,
                action="Add the file again when nothing writes to it.",
            )

    def close(self) -> None:
        """Give the descriptor back; once is enough."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
