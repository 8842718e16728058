"""Receiving: bodies that are too large for memory, in pieces worth a thread.

Duty: gather what a socket gives into pieces. Not its duty: what is in it, or how slowly it may come (``limits``).
Invariants: memory is one piece for each sender.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tensorhub.errors import LengthRequiredError

if TYPE_CHECKING:
    from tensorhub.hub.request import HubRequest

PIECE_NBYTES = 256 << 10  # a thread hop costs some 50 us, against which hashing this takes ten times as long


async def receive_pieces(request: HubRequest, max_nbytes: int) -> AsyncIterator[bytes]:
    """Yield a body in pieces of some ``PIECE_NBYTES``.

    Parameters
    ----------
    request
        Whose body; not read before.
    max_nbytes
        What is taken at most.

    Raises
    ------
    LimitExceededError
        It is longer, or came too slowly.
    InvalidRecordError
        The sender went away before its end.
    """
    gathered: list[bytes] = []
    nbytes = 0
    async for piece in request.stream(max_nbytes):
        gathered.append(piece)
        nbytes += len(piece)
        if nbytes >= PIECE_NBYTES:
            yield b"".join(gathered)
            gathered, nbytes = [], 0
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
