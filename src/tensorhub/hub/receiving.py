"""Receiving: bodies that are too large for memory, in pieces worth a thread.

Duty: gather what a socket gives into pieces, and give up on senders that stall. Not its duty: what is in it.
Invariants: memory is one piece for each sender; who sends nothing for ``IDLE_S``, or less than a piece in
``PIECE_S``, is sent away, so that slow senders cannot hold a server's memory and files for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tensorhub.errors import FormatError, InvalidRecordError

if TYPE_CHECKING:
    from tensorhub.hub.request import HubRequest

PIECE_NBYTES = 256 << 10  # a thread hop costs some 50 us, against which hashing this takes ten times as long
IDLE_S = 60.0
PIECE_S = 300.0  # 0.9 KB/s: slower than any line that could finish an upload


class SlowBodyError(FormatError):
    """A body came too slowly; clients try again on status 408."""

    http_status = 408


async def receive_pieces(
    request: HubRequest, max_nbytes: int, *, idle_s: float = IDLE_S, piece_s: float = PIECE_S
) -> AsyncIterator[bytes]:
    """Yield a body in pieces of some ``PIECE_NBYTES``.

    Parameters
    ----------
    request
        Whose body; not read before.
    max_nbytes
        What is taken at most.
    idle_s, piece_s
        How long nothing may come, and how long a piece may take, in seconds.

    Raises
    ------
    LimitExceededError
        It is longer.
    InvalidRecordError
        The sender went away before its end.
    SlowBodyError
        It came too slowly.
    """
    clock = asyncio.get_running_loop().time
    gathered: list[bytes] = []
    nbytes = 0
    due = clock() + piece_s
    stream = request.stream(max_nbytes)
    try:
        while True:
            try:
                piece = await asyncio.wait_for(anext(stream), max(0.0, min(idle_s, due - clock())))
            except StopAsyncIteration:
                break
            gathered.append(piece)
            nbytes += len(piece)
            if nbytes >= PIECE_NBYTES:
                yield b"".join(gathered)
                gathered, nbytes, due = [], 0, clock() + piece_s
    except TimeoutError as error:
        raise SlowBodyError(
            "request body",
            expected=f"something within {idle_s:.0f} s, and {PIECE_NBYTES} bytes within {piece_s:.0f} s",
            found="less",
            action="Try again over a better line.",
        ) from error
    if gathered:
        yield b"".join(gathered)


def content_length(request: HubRequest) -> int:
    """Give the announced length of a body.

    Raises
    ------
    InvalidRecordError
        None was announced.
    """
    announced = request.headers.get("content-length", "")
    if not announced.isascii() or not announced.isdecimal() or len(announced) > 18:
        raise LengthRequiredError(
            "request body",
            expected="a Content-Length header",
            found=announced[:40] or "none",
            action="Send the length of the body.",
        )
    return int(announced)


class LengthRequiredError(InvalidRecordError):
    """A body came without its length."""

    http_status = 411
