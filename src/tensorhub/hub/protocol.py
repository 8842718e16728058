"""Connections: what a peer may send before its request has a head.

Duty: bound the number of connections, and the size and the time of a request's head, which uvicorn does not. Not its
duty: bodies (``limits``), or answers.
Invariants: a connection without a complete head costs at most ``MAX_HEAD_NBYTES`` and one read of memory, and is closed
after ``HEAD_TIMEOUT_S``; connections leave the store files to open, however many there are.
"""

from __future__ import annotations

import asyncio
import resource
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Clients of the Hugging Face hub send less than 2 kB; browsers with cookies up to 16. Servers usually take 8 to 64.
MAX_HEAD_NBYTES = 64 << 10
# Long enough for a lost packet or three on a bad line; short enough that many idle connections do not add up.
HEAD_TIMEOUT_S = 30.0

# Each connection is an open file, of which systems give 1024 to a process that does not ask for more.
_WANTED_FILES = 1 << 16
_KEPT_FILES = 512  # for packs, databases and uploads; half of all where there are few
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 5\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\nToo many connections."
)
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 31\r\n\r\nThe request's head is too long."
)


def raise_file_limit() -> None:
    """Let this process have as many files open as the system allows, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # then it stays as it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def max_connections() -> int:
    """Give how many connections there may be at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _WANTED_FILES if soft == resource.RLIM_INFINITY else min(soft, _WANTED_FILES)
    return max(files - _KEPT_FILES, files // 2)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with bounded request heads."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_nbytes = 0
        self._is_in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            transport.write(_FULL)
            transport.close()
            return
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and close where the head does not come to its end."""
        if self._is_in_head:
            self._head_nbytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_nbytes > MAX_HEAD_NBYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count the next head."""
        if not self._is_in_head:
            self._is_in_head, self._head_nbytes = True, 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop to count: the head is complete."""
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
