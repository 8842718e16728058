"""Streaming: a file's bytes decoded straight into the response.

Duty: cutting a range into pieces along chunk borders, decoding them in threads a little ahead of the socket, and
bounded memory for all connections together. Not its duty: which file (``resolve``), or headers.
Invariants: a piece's memory is given back once the socket took it; the more connections there are, the smaller
their pieces, so that a thousand slow readers take no more than a few fast ones; no byte is sent unchecked.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tensorhub.hub.pools import Pool
from tensorhub.schema.records import CHUNK_NBYTES, FileRecord
from tensorhub.store.files import read_range
from tensorhub.store.read_plan import FileMap
from tensorhub.store.reader import BlobReader

# Whole chunks that all connections together may hold; a reader that finds none left, or takes its bytes slowly, gets
# one small piece at a time. A thousand slow readers hold this and 68 MiB (benchmarks/records/hub.json).
BUDGET_NBYTES = 48 << 20
LARGE_NBYTES = CHUNK_NBYTES  # decoded once, straight into the piece
SMALL_NBYTES = (
    68 << 10
)  # a little more than the 64 KiB that asyncio's transports take before they let a writer wait
_SLOW_BYTES_PER_S = 4e6  # below it a reader gains nothing from large pieces
_GRACE_S = 0.02  # that a busy event loop may take without the reader's fault
_FAST_PIECES = (
    4  # that must go out fast before pieces grow: what socket buffers swallow says nothing of the reader
)
_AHEAD = 3  # pieces decoded ahead of the socket, while there are few connections
_FEW = 8  # connections


class Streams:
    """Counts the responses that are being sent and the memory that they hold.

    Attributes
    ----------
    active
        Responses that are being sent now.
    held_nbytes
        Memory of their large pieces.
    sent_nbytes
        Bytes handed to sockets since the start.
    """

    def __init__(self) -> None:
        self.active = 0
        self.held_nbytes = 0
        self.sent_nbytes = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a response while it is being sent."""
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1


class Pace:
    """How fast one reader takes its bytes, and so how large its pieces are.

    Parameters
    ----------
    streams
        The server's.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._fast = 0

    def sent(self, nbytes: int, took_s: float) -> None:
        """Note that a piece waited so long for the socket to take what came before."""
        is_fast = took_s < _GRACE_S + nbytes / _SLOW_BYTES_PER_S
        self._fast = self._fast + 1 if is_fast else 0

    def piece_nbytes(self) -> int:
        """Give the size of the next piece."""
        has_room = self._streams.held_nbytes + LARGE_NBYTES <= BUDGET_NBYTES
        return LARGE_NBYTES if self._fast >= _FAST_PIECES and has_room else SMALL_NBYTES

    def ahead(self) -> int:
        """Give how many pieces may be decoded before the socket asks; 0 for a slow reader, and for each of many."""
        return _AHEAD if self._fast >= _FAST_PIECES and self._streams.active <= _FEW else 0


class PiecePlan:
    """Cuts a range of a file into pieces that end where chunks end.

    Parameters
    ----------
    file_map, offset, stop
        The range ``[offset, stop)``.
    """

    def __init__(self, file_map: FileMap, offset: int, stop: int) -> None:
        self._map = file_map
        self._at = offset
        self._stop = stop

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to take."""
        return self._at >= self._stop

    def take(self, limit: int) -> tuple[int, int] | None:
        """Give offset and size of the next piece, at most ``limit`` bytes; None at the end."""
        if self._at >= self._stop:
            return None
        nbytes = min(limit, self._stop - self._at)
        *_, last = self._map.plan_range(self._at, nbytes)
        if last.stop < last.blob_nbytes and (inside := last.stop % CHUNK_NBYTES):
            # It would end inside a chunk: end before that chunk, if anything comes before it.
            border = last.stop - inside
            if border > last.start:
                nbytes = last.position + border - last.start
            elif border == last.start and last.position:
                nbytes = last.position
        piece = (self._at, nbytes)
        self._at += nbytes
        return piece


class FileStream(Response):
    """A response whose body is a range of a stored file.

    Parameters
    ----------
    record
        The file.
    offset, nbytes
        The range; inside the file.
    reader
        The store's.
    pool
        Threads that decode.
    streams
        The server's.
    status_code, headers
        Of the response; ``content-length`` is added.
    """

    def __init__(
        self,
        record: FileRecord,
        offset: int,
        nbytes: int,
        *,
        reader: BlobReader,
        pool: Pool,
        streams: Streams,
        status_code: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(status_code=status_code, headers={**headers, "content-length": str(nbytes)})
        self._map = FileMap(record.segments)
        self._plan = PiecePlan(self._map, offset, offset + nbytes)
        self._reader = reader
        self._pool = pool
        self._streams = streams
        self._held = 0  # of ``streams.held_nbytes``, what is this response's

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it (ASGI)."""
        gone = asyncio.ensure_future(_disconnected(receive))
        waiting: deque[asyncio.Task[bytearray]] = deque()
        pace = Pace(self._streams)
        in_socket = 0  # size of the piece that the socket may still hold
        try:
            with self._streams.one_more():
                # The first piece comes before the status: damage is told as an error, not as a broken transfer.
                self._fill(waiting, pace, 1)
                if waiting:
                    await asyncio.wait([waiting[0]])
                    waiting[0].result()
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                if not waiting:
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                while waiting and not gone.done():
                    piece = await waiting.popleft()
                    self._fill(waiting, pace, pace.ahead())
                    began = time.perf_counter()
                    has_more = bool(waiting) or not self._plan.is_done
                    await send({"type": "http.response.body", "body": piece, "more_body": has_more})
                    self._streams.sent_nbytes += len(piece)
                    if has_more and not waiting:  # nothing is decoded before the socket took what it has
                        await send({"type": "http.response.body", "body": b"", "more_body": True})
                    pace.sent(len(piece), time.perf_counter() - began)
                    self._give_back(in_socket)
                    in_socket = len(piece)
                    del piece
                    self._fill(waiting, pace, 1)
        finally:
            gone.cancel()
            for task in waiting:
                task.cancel()
            self._streams.held_nbytes -= self._held

    def _fill(self, waiting: deque[asyncio.Task[bytearray]], pace: Pace, count: int) -> None:
        while len(waiting) < count:
            piece = self._plan.take(pace.piece_nbytes())
            if piece is None:
                return
            if piece[1] > SMALL_NBYTES:
                self._held += piece[1]
                self._streams.held_nbytes += piece[1]
            waiting.append(asyncio.ensure_future(self._pool.run(self._decode, *piece)))

    def _give_back(self, nbytes: int) -> None:
        if nbytes > SMALL_NBYTES:
            self._held -= nbytes
            self._streams.held_nbytes -= nbytes

    def _decode(self, offset: int, nbytes: int) -> bytearray:
        """Decode one piece; runs in a thread. A buffer of its own, because the socket keeps it."""
        out = bytearray(nbytes)
        read_range(self._map, self._reader, offset, memoryview(out))
        return out


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
