"""Streaming: a file's bytes decoded straight into the response.

Duty: cutting a range into pieces along chunk borders, decoding them in threads a little ahead of the socket, and
bounded memory for all connections together. Not its duty: which file (``resolve``), or headers.
Invariants: a piece's memory is given back once the socket took it; the more connections there are, the smaller
their pieces, so that a thousand slow readers take no more than a few fast ones; no byte is sent unchecked.
"""

from __future__ import annotations

import asyncio
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

# Pieces of all connections together. The first thirty or so connections get whole chunks; a thousand get 32 KiB each.
# As those that came early keep what they hold, the sum can reach about five times this.
BUDGET_NBYTES = 64 << 20
MAX_PIECE_NBYTES = CHUNK_NBYTES  # one chunk: decoded once, straight into the piece
MIN_PIECE_NBYTES = 16 << 10
_AHEAD = 3  # pieces decoded ahead of the socket, while there are few connections
_FEW = 8  # connections


class Streams:
    """Counts the responses that are being sent, and says how large their pieces may be.

    Attributes
    ----------
    active
        Responses that are being sent now.
    sent_nbytes
        Bytes handed to sockets since the start.
    """

    def __init__(self) -> None:
        self.active = 0
        self.sent_nbytes = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a response while it is being sent."""
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1

    def piece_nbytes(self) -> int:
        """Give the size of the next piece of any response."""
        share = BUDGET_NBYTES // (2 * max(self.active, 1))
        return max(MIN_PIECE_NBYTES, min(MAX_PIECE_NBYTES, share))

    def ahead(self) -> int:
        """Give how many pieces a response may hold at a time."""
        return _AHEAD if self.active <= _FEW else 1


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it (ASGI)."""
        gone = asyncio.ensure_future(_disconnected(receive))
        waiting: deque[asyncio.Task[bytearray]] = deque()
        try:
            with self._streams.one_more():
                # The first piece comes before the status: damage is told as an error, not as a broken transfer.
                self._fill(waiting)
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
                    self._fill(waiting)
                    await send({"type": "http.response.body", "body": piece, "more_body": bool(waiting)})
                    self._streams.sent_nbytes += len(piece)
        finally:
            gone.cancel()
            for task in waiting:
                task.cancel()

    def _fill(self, waiting: deque[asyncio.Task[bytearray]]) -> None:
        while len(waiting) < self._streams.ahead():
            piece = self._plan.take(self._streams.piece_nbytes())
            if piece is None:
                return
            waiting.append(asyncio.ensure_future(self._pool.run(self._decode, *piece)))

    def _decode(self, offset: int, nbytes: int) -> bytearray:
        """Decode one piece; runs in a thread. A buffer of its own, because the socket keeps it."""
        out = bytearray(nbytes)
        read_range(self._map, self._reader, offset, memoryview(out))
        return out


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
