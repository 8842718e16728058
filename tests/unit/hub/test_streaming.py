"""Pieces cover a range exactly, end where chunks end, and shrink with the number of readers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tensorhub.hub.streaming import BUDGET_NBYTES, MAX_PIECE_NBYTES, PiecePlan, Streams
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import CHUNK_NBYTES
from tensorhub.schema.tensor import Segment
from tensorhub.store.read_plan import FileMap


def _map(sizes: list[int]) -> FileMap:
    return FileMap([Segment(size, Digest(bytes([index]) * 32), None) for index, size in enumerate(sizes)])


@given(
    st.lists(st.integers(0, 3 * CHUNK_NBYTES), min_size=1, max_size=8),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, MAX_PIECE_NBYTES),
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
    while (piece := plan.take(MAX_PIECE_NBYTES)) is not None:
        pieces.append(piece)
    inside = [(offset - 1000) % CHUNK_NBYTES for offset, _ in pieces[2:]]
    assert set(inside) == {0}


def test_many_readers_share() -> None:
    """One reader gets whole chunks; a thousand fit the budget together."""
    streams = Streams()
    with streams.one_more():
        assert streams.piece_nbytes() == MAX_PIECE_NBYTES
        assert streams.ahead() > 1
        streams.active += 999
        assert streams.piece_nbytes() * 1000 <= BUDGET_NBYTES
        assert streams.ahead() == 1
        streams.active -= 999
    assert streams.active == 0
