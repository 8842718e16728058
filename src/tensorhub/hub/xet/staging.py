"""Staged files: files made of chunks that were uploaded, now or long ago.

Duty: from a shard to files that are proven byte by byte; reading such a file, wherever its chunks lie by now.
Not its duty: receiving xorbs (``xorb_files``), remembering where chunks went (``xorb_map``), commits.
Invariants: a file is staged only after all of it was read and its SHA-256 was computed; a run may name only xorbs
that the same user sent. A staged file can be read from several threads, also while a commit moves its chunks from
received xorbs into the store.
"""

from __future__ import annotations

import hashlib
import struct
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tensorhub.errors import InvalidRecordError, LimitExceededError, SourceChangedError, UploadNotFoundError
from tensorhub.hub.xet.hashes import to_text
from tensorhub.hub.xet.shard import ChunkRun, ShardFile
from tensorhub.hub.xet.xorb_files import OpenXorb, XorbFiles
from tensorhub.hub.xet.xorb_map import Piece, XorbMap
from tensorhub.store.files import read_range
from tensorhub.store.read_plan import FileMap
from tensorhub.store.store import Store

# Runs may name one chunk again and again, so that a small shard describes a huge file. The largest file that
# the Hugging Face hub takes has 500 GB.
MAX_FILE_NBYTES = 1 << 40
_BLOCK_NBYTES = 1 << 20  # read at once while a file is hashed
_LOCATED_RUNS = 32  # of one file that is read; several threads read at different places of it
_RUN = struct.Struct("<32sIIQ")


@dataclass(frozen=True, slots=True)
class _InXorb:
    """Where a run lies: in a received xorb."""

    opened: OpenXorb
    offset: int


@dataclass(frozen=True, slots=True)
class _InFiles:
    """Where a run lies: in stored files."""

    pieces: Sequence[Piece]
    starts: Sequence[int]


class ChunkReader:
    """Reads runs of chunks, from received xorbs or from the store.

    Parameters
    ----------
    store, files, places
        Where chunks may lie.
    """

    def __init__(self, store: Store, files: XorbFiles, places: XorbMap) -> None:
        self._store = store
        self._files = files
        self._map = places

    def locate(self, run: ChunkRun) -> _InXorb | _InFiles:
        """Find a run.

        Raises
        ------
        UploadNotFoundError
            Its chunks are nowhere.
        InvalidRecordError
            It says another length than its chunks have.
        """
        opened = self._files.open(run.xorb)
        table = opened.table if opened is not None else None
        if opened is not None and table is not None:
            nbytes = table.starts[run.stop] - table.starts[run.first] if run.stop <= len(table) else -1
            self._check(run, nbytes)
            return _InXorb(opened, table.starts[run.first])
        pieces = self._map.find(run)
        if pieces is None:
            raise UploadNotFoundError(
                f"chunks {run.first} to {run.stop} of xorb {to_text(run.xorb)}",
                expected="chunks that were uploaded",
                found="none, or no longer",
                action="Upload again: the client then sends them again.",
            )
        self._check(run, sum(piece.nbytes for piece in pieces))
        return _InFiles(pieces, list(accumulate((piece.nbytes for piece in pieces), initial=0)))

    def _check(self, run: ChunkRun, nbytes: int) -> None:
        if nbytes != run.nbytes:
            raise InvalidRecordError(
                f"chunks {run.first} to {run.stop} of xorb {to_text(run.xorb)}",
                expected=f"{run.nbytes} bytes, as the shard says",
                found=f"{nbytes} bytes" if nbytes >= 0 else "fewer chunks",
                action="Upload it again; if this repeats, report the client's version.",
            )

    def read_run(self, run: ChunkRun, place: _InXorb | _InFiles, offset: int, out: memoryview) -> None:
        """Fill ``out`` with the content of a run from ``offset``."""
        if isinstance(place, _InXorb):
            self._files.read_range(place.opened, place.offset + offset, out)
            return
        index = bisect_right(place.starts, offset) - 1
        done = 0
        while done < len(out):
            piece = place.pieces[index]
            start = offset + done - place.starts[index]
            nbytes = min(piece.nbytes - start, len(out) - done)
            record = self._store.snapshots.file_record(piece.file)
            target = out[done : done + nbytes]
            read_range(FileMap(record.segments), self._store.reader, piece.offset + start, target)
            done += nbytes
            index += 1


class StagedXetFile:
    """A file made of runs of chunks, as a byte source; reads find its chunks wherever they lie by then.

    Parameters
    ----------
    name
        For messages.
    runs
        In order.
    reader
        Finds and reads them.
    """

    def __init__(self, name: str, runs: Sequence[ChunkRun], reader: ChunkReader) -> None:
        self.name = name
        self.runs = runs
        self._reader = reader
        self._starts = list(accumulate((run.nbytes for run in runs), initial=0))
        self._lock = threading.Lock()
        self._located: OrderedDict[int, _InXorb | _InFiles] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Total length in bytes."""
        return self._starts[-1]

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``.

        Raises
        ------
        SourceChangedError
            The file is shorter.
        UploadNotFoundError
            Chunks of it are gone.
        """
        view = memoryview(out).cast("B")
        if offset + len(view) > self.nbytes:
            raise SourceChangedError(
                self.name, expected=f"{offset + len(view)} bytes", found=f"{self.nbytes}"
            )
        index = bisect_right(self._starts, offset) - 1
        done = 0
        while done < len(view):
            start = offset + done - self._starts[index]
            nbytes = min(self.runs[index].nbytes - start, len(view) - done)
            self._reader.read_run(self.runs[index], self._locate(index), start, view[done : done + nbytes])
            done += nbytes
            index += 1

    def _locate(self, index: int) -> _InXorb | _InFiles:
        with self._lock:
            place = self._located.get(index)
        if place is None:
            place = self._reader.locate(self.runs[index])
            with self._lock:
                self._located[index] = place
                while len(self._located) > _LOCATED_RUNS:
                    self._located.popitem(last=False)
        return place

    def close(self) -> None:
        """Give files back."""
        with self._lock:
            self._located.clear()


def check_senders(files: Iterable[ShardFile], places: XorbMap, user: str) -> None:
    """Refuse a shard that names a xorb which its user never sent.

    Raises
    ------
    UploadNotFoundError
        It does; whether somebody else sent it is not told.
    """
    named = {run.xorb for file in files for run in file.runs}
    foreign = named - places.sent_by(user, named)
    if foreign:
        raise UploadNotFoundError(
            f"xorb {to_text(min(foreign))}",
            expected="one that this user uploaded",
            found=f"none ({len(foreign)} of {len(named)} are not known)",
            action="Upload again: the client then sends it again.",
        )


def prove(file: ShardFile, reader: ChunkReader, should_stop: Callable[[], bool]) -> tuple[bytes, int]:
    """Read all of a file of a shard and compute its SHA-256.

    Parameters
    ----------
    file
        As the shard says.
    reader
        Reads its chunks.
    should_stop
        Asked for each MiB; a client that left needs no proof.

    Returns
    -------
    tuple
        SHA-256 and length.

    Raises
    ------
    InvalidRecordError
        It has another SHA-256 or other lengths than the shard says; or the work was stopped.
    LimitExceededError
        It is longer than any file may be.
    UploadNotFoundError
        Chunks of it are nowhere.
    """
    name = f"file {to_text(file.file_hash)}"
    source = StagedXetFile(name, file.runs, reader)
    if source.nbytes > MAX_FILE_NBYTES:
        raise LimitExceededError(
            name,
            expected=f"at most {MAX_FILE_NBYTES} bytes",
            found=f"{source.nbytes}",
            action="Split the file.",
        )
    hasher = hashlib.sha256()
    block = bytearray(min(_BLOCK_NBYTES, source.nbytes))
    for at in range(0, source.nbytes, _BLOCK_NBYTES):
        if should_stop():
            raise InvalidRecordError(name, expected="a client that waits for the answer", found="none")
        view = memoryview(block)[: min(_BLOCK_NBYTES, source.nbytes - at)]
        source.read_into(at, view)
        hasher.update(view)
    found = hasher.digest()
    if file.sha256 is not None and file.sha256 != found:
        raise InvalidRecordError(
            name,
            expected=f"the SHA-256 {file.sha256.hex()}, as the shard says",
            found=found.hex(),
            action="The file changed while it was uploaded; upload it again.",
        )
    return found, source.nbytes


def pack_runs(runs: Sequence[ChunkRun]) -> bytes:
    """Write runs as the state keeps them."""
    return b"".join(_RUN.pack(run.xorb, run.first, run.stop, run.nbytes) for run in runs)


def unpack_runs(data: bytes) -> tuple[ChunkRun, ...]:
    """Read what :func:`pack_runs` wrote."""
    return tuple(ChunkRun(*fields) for fields in _RUN.iter_unpack(data))
