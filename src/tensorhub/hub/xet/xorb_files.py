"""Received xorbs: on disk with plain chunks, until all of their chunks lie in the store.

Duty: receive, check, unpack, keep, open, read ranges. Not its duty: who sent them, and where their chunks are
afterwards (``xorb_map``).
Invariants: a xorb lies under its hash only after every chunk and the hash were checked; one that an earlier process
received is checked again before it is used. Safe to use from many threads; a xorb that is removed while it is read
stays readable for who has it.
"""

from __future__ import annotations

import os
import secrets
import threading
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from io import FileIO
from pathlib import Path

from tensorhub.errors import FormatError, InvalidRecordError, SourceChangedError, from_os_error
from tensorhub.formats.source import read_exactly
from tensorhub.hub.upload_space import UploadSpace, make_folder
from tensorhub.hub.xet.hashes import parse_hash, to_text
from tensorhub.hub.xet.xorb import (
    HEADER_NBYTES,
    ChunkTable,
    check_xorb,
    hash_chunks,
    plain_header,
    scan_xorb,
)

_OPEN_XORBS = (
    64  # a descriptor and some 10 kB of offsets each; one file in the making reads two or three at a time
)


class OpenXorb:
    """A received xorb, opened: ranges of its decoded content."""

    def __init__(self, path: Path) -> None:
        self.name = f"xorb {path.name}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise from_os_error(error, f"opening the xorb {path.name}") from error
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)  # the last of several readers closes it
        self._nbytes = os.fstat(descriptor).st_size
        self.table: ChunkTable | None = None

    @property
    def nbytes(self) -> int:
        """Length of the xorb as it lies."""
        return self._nbytes

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` with bytes as they lie, from ``offset``."""
        read_exactly(self._descriptor, self.name, offset, out)


class XorbFiles:
    """The folder of received xorbs.

    Parameters
    ----------
    folder
        ``HUB/uploads``.
    space
        What uploads may take.
    """

    def __init__(self, folder: Path, space: UploadSpace) -> None:
        self._folder = folder / "xorbs"
        self._temporary = folder / "tmp"
        self._space = space
        self._lock = threading.Lock()
        self._open: OrderedDict[bytes, OpenXorb] = OrderedDict()
        self._checked: set[bytes] = set()

    def path(self, xorb: bytes) -> Path:
        """Where a xorb lies."""
        return self._folder / to_text(xorb)

    def names(self) -> Iterator[bytes]:
        """Name every xorb that lies here."""
        with suppress(FileNotFoundError):  # gc removes folders that were empty for long
            for entry in self._folder.iterdir():
                with suppress(InvalidRecordError):
                    yield parse_hash(entry.name)

    def begin(self, nbytes: int, user: str) -> Path:
        """Make room for a body; gives the path to write it to.

        Raises
        ------
        OutOfSpaceError
            There is no room for it.
        """
        path = self._temporary / secrets.token_hex(12)
        make_folder(self._temporary)
        self._space.charge(str(path), user, nbytes)
        return path

    def finish(self, path: Path, xorb: bytes, user: str) -> ChunkTable:
        """Check a body that was written, and keep it, decoded, under its hash.

        Parameters
        ----------
        path, xorb
            The body, and the hash that it goes by.
        user
            Whose space it takes.

        Raises
        ------
        FormatError
            It is not the xorb that it is said to be; then it is removed.
        OutOfSpaceError
            There is no room for it.
        """
        try:
            received = OpenXorb(path)
            table = scan_xorb(received)
            if table.is_plain:
                check_xorb(received, xorb)
                if table.stored_nbytes < received.nbytes:
                    os.truncate(path, table.stored_nbytes)  # a footer
            else:
                path = self._unpack(path, received, table, xorb, user)
            make_folder(self._folder)
            path.replace(self.path(xorb))
        except OSError as error:
            self.drop(path)
            raise from_os_error(error, f"keeping the xorb {to_text(xorb)}") from error
        except BaseException:
            self.drop(path)
            raise
        self._space.move(str(path), str(self.path(xorb)))
        with self._lock:
            self._checked.add(xorb)
        return table

    def _unpack(self, path: Path, received: OpenXorb, table: ChunkTable, xorb: bytes, user: str) -> Path:
        """Check a xorb and write it anew with plain chunks; gives where it lies then.

        Its files are read three times more, to be proven and to be added, and clients' compression gains little on
        weights: writing it once costs less than decoding it thrice.
        """
        plain = self.begin(table.nbytes + len(table) * HEADER_NBYTES, user)
        try:
            with plain.open("xb") as file:

                def write(chunk: bytes | memoryview) -> None:
                    file.write(plain_header(len(chunk)))
                    file.write(chunk)

                check_xorb(received, xorb, write)
        except BaseException:
            self.drop(plain)
            raise
        self.drop(path)
        return plain

    def drop(self, path: Path) -> None:
        """Give up a body that was being received."""
        with suppress(OSError):
            path.unlink(missing_ok=True)
        self._space.release(str(path))

    def has(self, xorb: bytes) -> bool:
        """Say whether a xorb lies here."""
        return self.path(xorb).exists()

    def remove(self, xorb: bytes) -> None:
        """Remove a xorb."""
        with self._lock:
            self._checked.discard(xorb)
            self._open.pop(xorb, None)
        self.drop(self.path(xorb))

    def doubt(self, xorb: bytes) -> None:
        """Check a xorb again before it is used the next time."""
        with self._lock:
            self._checked.discard(xorb)
            self._open.pop(xorb, None)

    def modified_ms(self, xorb: bytes) -> int:
        """Give when a xorb came or was touched; 0 where it is not here."""
        try:
            return self.path(xorb).stat().st_mtime_ns // 1_000_000
        except OSError:
            return 0

    def touch(self, xorb: bytes, at_ms: int) -> None:
        """Tell gc, which goes by the time of a file, that a xorb was still needed at a time."""
        with suppress(OSError):
            os.utime(self.path(xorb), ns=(at_ms * 1_000_000, at_ms * 1_000_000))

    def open(self, xorb: bytes) -> OpenXorb | None:
        """Open a xorb; None where it is not here, or was damaged since it came."""
        with self._lock:
            found = self._open.get(xorb)
            if found is not None:
                self._open.move_to_end(xorb)
                return found
            is_checked = xorb in self._checked
        path = self.path(xorb)
        if not path.exists():
            return None
        opened = OpenXorb(path)
        try:
            opened.table = scan_xorb(opened) if is_checked else check_xorb(opened, xorb)
        except FormatError:
            self.remove(xorb)
            return None
        if not opened.table.is_plain:
            self.remove(xorb)  # nothing here keeps them so
            return None
        with self._lock:
            self._checked.add(xorb)
            self._open[xorb] = opened
            while len(self._open) > _OPEN_XORBS:
                self._open.popitem(last=False)
        return opened

    def chunk_hashes(self, xorb: bytes) -> list[bytes] | None:
        """Give the hash of every chunk of a xorb; None where it is not here."""
        opened = self.open(xorb)
        return None if opened is None else hash_chunks(opened)

    @staticmethod
    def read_range(opened: OpenXorb, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the decoded content of a xorb from ``offset``; the range must lie inside it."""
        table = opened.table
        if table is None:
            raise SourceChangedError(opened.name, expected="an opened xorb", found="one that was not scanned")
        index = bisect_right(table.starts, offset) - 1
        done = 0
        while done < len(out):
            start = offset + done - table.starts[index]
            stop = min(start + len(out) - done, table.starts[index + 1] - table.starts[index])
            at = table.offsets[index] + HEADER_NBYTES + start
            opened.read_into(at, out[done : done + stop - start])
            done += stop - start
            index += 1


def open_body(path: Path) -> FileIO:
    """Open a file for a body that comes.

    Raises
    ------
    BackendError
        The disk is full, read-only, and the like.
    """
    try:
        return FileIO(path, "xb")
    except OSError as error:
        raise from_os_error(error, f"receiving {path.name}") from error


def write_body(file: FileIO, piece: bytes) -> None:
    """Write the next piece of a body.

    Raises
    ------
    BackendError
        The disk is full, and the like.
    """
    view = memoryview(piece)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        raise from_os_error(error, "receiving an upload") from error
