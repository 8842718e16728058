"""A spool: content of a request that is kept until its commit is made.

Duty: take bytes, keep the first of them in memory and the rest in one nameless file, give ranges as sources.
Not its duty: what the bytes are.
Invariants: memory is bounded by ``MEMORY_NBYTES`` for each spool and by a budget for all of them; the file has no name,
so that nothing is left behind whatever happens to the process.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import IO

from tensorhub.errors import SourceChangedError, from_os_error

# In memory for each commit that is being received; most commits of text files never touch the disk.
MEMORY_NBYTES = 4 << 20
# For all that are being received: a thousand slow writers take no more memory than this.
SHARED_NBYTES = 64 << 20


class SpoolMemory:
    """What spools may take of memory together; safe for many threads.

    Attributes
    ----------
    nbytes
        Taken now.
    """

    def __init__(self, limit: int = SHARED_NBYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self.nbytes = 0

    def take(self, nbytes: int) -> bool:
        """Take some, if so much is left."""
        with self._lock:
            if self.nbytes + nbytes > self._limit:
                return False
            self.nbytes += nbytes
            return True

    def give(self, nbytes: int) -> None:
        """Give some back."""
        with self._lock:
            self.nbytes -= nbytes


_MEMORY = SpoolMemory()


class Spool:
    """Bytes in the order in which they came. Write from one thread at a time; ranges may be read from many.

    Parameters
    ----------
    folder
        Where the file lies once there is one; made when it is needed.
    memory_nbytes
        How much is kept in memory.
    memory
        Where that is taken from.
    """

    def __init__(
        self, folder: Path, memory_nbytes: int = MEMORY_NBYTES, memory: SpoolMemory = _MEMORY
    ) -> None:
        self._folder = folder
        self._limit = memory_nbytes
        self._shared = memory
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.nbytes = 0

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises
        ------
        OutOfSpaceError, BackendError
            The disk is full, and the like.
        """
        if self._file is None and (self.nbytes + len(data) > self._limit or not self._shared.take(len(data))):
            self._move_to_disk()
        if self._file is None:
            self._memory += data
        else:
            self._append(self._file, data)
        self.nbytes += len(data)

    def _move_to_disk(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise from_os_error(error, f"receiving into {self._folder}") from error
        self._append(self._file, self._memory)
        self._forget_memory()

    def _forget_memory(self) -> None:
        self._shared.give(len(self._memory))
        self._memory = bytearray()

    def _append(self, file: IO[bytes], data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[file.write(view) :]
        except OSError as error:
            raise from_os_error(error, f"receiving into {self._folder}") from error

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``."""
        view = memoryview(out).cast("B")
        if offset + len(view) > self.nbytes:
            raise SourceChangedError(
                "spool", expected=f"{offset + len(view)} bytes", found=f"{self.nbytes} bytes"
            )
        if self._file is None:
            view[:] = memoryview(self._memory)[offset : offset + len(view)]
            return
        filled = 0
        while filled < len(view):
            try:
                got = os.preadv(self._file.fileno(), [view[filled:]], offset + filled)
            except OSError as error:
                raise from_os_error(error, f"reading {self._folder}") from error
            if got == 0:
                raise SourceChangedError(
                    "spool", expected=f"{self.nbytes} bytes", found=f"{offset + filled} bytes"
                )
            filled += got

    def source(self, name: str, offset: int, nbytes: int) -> SpoolSource:
        """Give a range as a source; good until the spool is closed."""
        return SpoolSource(self, name, offset, nbytes)

    def close(self) -> None:
        """Forget everything; once is enough."""
        self._forget_memory()
        if self._file is not None:
            self._file.close()
            self._file = None


class SpoolSource:
    """A range of a spool, as a byte source."""

    def __init__(self, spool: Spool, name: str, offset: int, nbytes: int) -> None:
        self._spool = spool
        self.name = name
        self._offset = offset
        self._nbytes = nbytes

    @property
    def nbytes(self) -> int:
        """Total length in bytes."""
        return self._nbytes

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``."""
        if offset + len(out) > self._nbytes:
            raise SourceChangedError(
                self.name, expected=f"{offset + len(out)} bytes", found=f"{self._nbytes} bytes"
            )
        self._spool.read_into(self._offset + offset, out)
