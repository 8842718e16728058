"""Answering with a file that is still on its way from another hub.

Duty: send what came, as it comes; pass a far range through from the other hub. Not its duty: fetching (``download``).
Invariants: of the whole file the last byte is sent only after its digest was compared; a transfer that fails is broken
off, never filled up. What is passed through cannot be compared: it is a range of a file whose digest is known only
as a whole, over the same connection by which the file itself comes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tensorhub.errors import BackendUnavailableError, NotReadyError
from tensorhub.hub.download import Download
from tensorhub.hub.pools import Pool
from tensorhub.hub.streaming import Streams

if TYPE_CHECKING:
    from tensorhub.hub.fetching import Fetch

_POLL_S = 0.02
_PATIENCE_S = 8.0  # clients wait 10 s
_PIECE_NBYTES = 256 << 10
# A range that begins so far behind what came is asked for from the other hub instead: clients wait 10 s for a byte.
_FAR_NBYTES = 32 << 20

Source = Callable[[], Awaitable[bytes]]
OpenRange = Callable[[int, int], AbstractContextManager[httpx.Response]]


@dataclass(frozen=True, slots=True)
class ArrivingFile:
    """A file of a fetch, for those who want to read it."""

    fetch: Fetch
    path: str

    @property
    def is_here(self) -> bool:
        """Whether it is in the store by now."""
        return self.path not in self.fetch.downloads

    def want(self) -> Download:
        """Have it fetched now.

        Raises
        ------
        NotReadyError
            The fetch was stopped before it came to this file.
        TensorHubError
            Why it did not come.
        """
        download = self.fetch.want(self.path)
        if download is not None and download.error is not None:
            raise download.error
        if download is None or (self.fetch.is_stopped and not download.is_complete):
            raise self._not_ready()
        return download

    def read(self) -> bytes:
        """Wait for the whole of a small file, and give it; blocks.

        Raises
        ------
        NotReadyError
            It takes longer than a client waits.
        TensorHubError
            See :meth:`want`.
        """
        until_s = time.monotonic() + _PATIENCE_S
        while not (download := self.want()).is_complete and time.monotonic() < until_s:
            time.sleep(_POLL_S)
        if not download.is_complete:
            raise self._not_ready()
        out = bytearray(download.nbytes)
        download.read_into(0, out)
        return bytes(out)

    def _not_ready(self) -> NotReadyError:
        return NotReadyError(
            f"file {self.path} of {self.fetch.repository}",
            expected="a file that is here or on its way",
            found="one that did not come yet",
            action="Try again in a while.",
        )

    def open_range(self, start: int, stop: int) -> AbstractContextManager[httpx.Response]:
        """Open bytes ``[start, stop)`` at the other hub."""
        return self.fetch.open_range(self.path, start, stop)


class ArrivingStream(Response):
    """A response whose body is a range of a file that is being fetched.

    Parameters
    ----------
    download
        The file.
    offset, nbytes
        The range; inside the file.
    open_range
        Opens bytes ``[start, stop)`` of the file at the other hub.
    pool, streams
        The server's, for what waits for the network, and for counting.
    status_code, headers
        Of the response; ``content-length`` is added.
    """

    def __init__(
        self,
        download: Download,
        offset: int,
        nbytes: int,
        *,
        open_range: OpenRange,
        pool: Pool,
        streams: Streams,
        status_code: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(status_code=status_code, headers={**headers, "content-length": str(nbytes)})
        self._download = download
        self._at = offset
        self._stop = offset + nbytes
        self._open_range = open_range
        self._pool = pool
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it (ASGI).

        Raises
        ------
        TensorHubError
            It does not come. Before the first byte this is answered as an error.
        """
        gone = asyncio.ensure_future(_disconnected(receive))
        is_begun = False
        try:
            with self._streams.one_more(), ExitStack() as stack:
                source = await self._choose_source(stack, gone)
                while self._at < self._stop and not gone.done():
                    piece = await source()
                    if not piece:
                        return  # the client left
                    if not is_begun:
                        await self._begin(send)
                        is_begun = True
                    self._at += len(piece)
                    await send(
                        {"type": "http.response.body", "body": piece, "more_body": self._at < self._stop}
                    )
                    self._streams.sent_nbytes += len(piece)
                if not is_begun and not gone.done():
                    await self._begin(send)
                    await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

    async def _choose_source(self, stack: ExitStack, gone: asyncio.Future[None]) -> Source:
        is_far = self._at > self._download.received_nbytes + _FAR_NBYTES
        if not is_far or self._download.is_complete:
            return lambda: self._next_arrived(gone)
        response = await self._pool.run(stack.enter_context, self._open_range(self._at, self._stop))
        if response.status_code != 206:
            raise BackendUnavailableError(
                f"range of {self._download.name}", expected="ranges from the other hub", found="none"
            )
        pieces = response.iter_bytes()
        return lambda: self._pool.run(_next_passed, pieces, self._stop - self._at, self._download.name)

    async def _next_arrived(self, gone: asyncio.Future[None]) -> bytes:
        """Wait for bytes that came, and give some; none where the client left."""
        while self._download.readable_nbytes <= self._at:
            if self._download.error is not None:
                raise self._download.error
            if gone.done():
                return b""
            await asyncio.sleep(_POLL_S)
        nbytes = min(self._stop, self._download.readable_nbytes) - self._at
        out = bytearray(min(nbytes, _PIECE_NBYTES))
        await self._pool.run(self._download.read_into, self._at, out)
        return bytes(out)


def _next_passed(pieces: Iterator[bytes], most: int, name: str) -> bytes:
    piece = next(pieces, b"")[:most]
    if not piece:
        raise BackendUnavailableError(f"range of {name}", expected=f"{most} bytes more", found="the end")
    return piece


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
