"""Bodies in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from tensorhub.errors import LengthRequiredError
from tensorhub.hub.receiving import PIECE_NBYTES, content_length, receive_pieces
from tensorhub.hub.request import HubRequest


class Sender:
    """Sends pieces with a pause before each."""

    def __init__(
        self, pieces: list[bytes], pause_s: float = 0.0, headers: dict[str, str] | None = None
    ) -> None:
        self.pieces, self.pause_s, self.headers = pieces, pause_s, headers or {}

    async def stream(self, _: int) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


def receive(sender: Sender) -> list[bytes]:
    async def main() -> list[bytes]:
        request = cast("HubRequest", sender)
        return [piece async for piece in receive_pieces(request, 1 << 30)]

    return asyncio.run(main())


def test_gathering() -> None:
    """Small pieces are gathered, and nothing is lost."""
    pieces = [bytes([n % 256]) * 10_000 for n in range(100)]
    found = receive(Sender(pieces))
    assert b"".join(found) == b"".join(pieces)
    assert [len(piece) >= PIECE_NBYTES for piece in found[:-1]] == [True] * (len(found) - 1)
    assert receive(Sender([])) == []


@pytest.mark.parametrize("text", ["", "-5", "+5", "5 5", "x", "²", "9" * 30])
def test_no_length(text: str) -> None:
    """A length that is none is refused."""
    with pytest.raises(LengthRequiredError):
        content_length(cast("HubRequest", Sender([], headers={"content-length": text})))
