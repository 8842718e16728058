"""Pieces cover a range exactly, end where chunks end, and shrink with the number of readers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.hub.pools import Pool
from tensorhub.hub.streaming import (
    BUDGET_NBYTES,
    LARGE_NBYTES,
    SMALL_NBYTES,
    FileStream,
    Pace,
    PiecePlan,
    Streams,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import CHUNK_NBYTES, FileRecord
from tensorhub.schema.tensor import Segment
from tensorhub.store.read_plan import FileMap


def _map(sizes: list[int]) -> FileMap:
    return FileMap([Segment(size, Digest(bytes([index]) * 32), None) for index, size in enumerate(sizes)])


@given(
    st.lists(st.integers(0, 3 * CHUNK_NBYTES), min_size=1, max_size=8),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, LARGE_NBYTES),
)
def test_pieces_cover_the_range(sizes: list[int], low: float, high: float, limit: int) -> None:
    """In order, without gap or overlap, none larger than asked."""
    file_map = _map(sizes)
    begin, end = sorted((int(low * file_map.nbytes), int(high * file_map.nbytes)))
    limit = max(limit, (end - begin) // 1000 + 1)
    plan, at = PiecePlan(file_map, begin, end), begin
    while (piece := plan.take(limit)) is not None:
        assert piece[0] == at
        assert 0 < piece[1] <= limit
        at += piece[1]
    assert at == end


def test_pieces_follow_chunks() -> None:
    """After a header that is not aligned, whole chunks of the tensor are read, so that each is decoded once."""
    plan = PiecePlan(_map([1000, 4 * CHUNK_NBYTES]), 0, 1000 + 4 * CHUNK_NBYTES)
    pieces = []
    while (piece := plan.take(LARGE_NBYTES)) is not None:
        pieces.append(piece)
    inside = [(offset - 1000) % CHUNK_NBYTES for offset, _ in pieces[2:]]
    assert set(inside) == {0}


def test_pieces_grow_for_fast_readers() -> None:
    """After some that went out fast; one that is slow makes them small again."""
    pace = Pace(Streams())
    assert pace.piece_nbytes() == SMALL_NBYTES
    for _ in range(4):
        pace.sent(SMALL_NBYTES, 0.001)
    assert pace.piece_nbytes() == LARGE_NBYTES
    assert pace.ahead() > 1
    pace.sent(LARGE_NBYTES, 2.0)
    assert pace.piece_nbytes() == SMALL_NBYTES


def test_memory_is_shared() -> None:
    """Where large pieces took all that there is, the next reader gets small ones."""
    streams = Streams()
    pace = Pace(streams)
    for _ in range(4):
        pace.sent(SMALL_NBYTES, 0.001)
    streams.held_nbytes = BUDGET_NBYTES
    assert pace.piece_nbytes() == SMALL_NBYTES


class _Reader:
    """A blob reader whose every byte is 7."""

    def read_into(self, digest: Digest, start: int, out: memoryview, **_: object) -> None:
        out[:] = bytes([7]) * len(out)


@pytest.mark.parametrize("leaves_after", [None, 3])
def test_memory_is_given_back(leaves_after: int | None) -> None:
    """At the end, and when the reader leaves in the middle."""
    record = FileRecord("bytes", 20 << 20, (Segment(20 << 20, Digest(b"x" * 32), None),))
    streams, pool, sent = Streams(), Pool("test", 2, 100), []

    async def receive() -> dict[str, object]:
        while leaves_after is None or len(sent) < leaves_after:
            await asyncio.sleep(0.001)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if message["type"] == "http.response.body":
            sent.append(len(message["body"]))

    stream = FileStream(
        record,
        0,
        record.nbytes,
        reader=_Reader(),
        pool=pool,
        streams=streams,
        status_code=200,
        headers={},  # type: ignore[arg-type]
    )
    asyncio.run(stream({"type": "http"}, receive, send))  # type: ignore[arg-type]
    pool.close()
    assert (streams.active, streams.held_nbytes) == (0, 0)
    assert (sum(sent) == record.nbytes) == (leaves_after is None)
