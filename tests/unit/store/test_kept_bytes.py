"""Kept bytes: lent within a budget, lent again, and never more than was promised."""

from tensorhub.schema.records import CHUNK_NBYTES
from tensorhub.store.kept_bytes import KeptBytes


def test_budget() -> None:
    """What nobody insists on stays within the budget; what came back can be lent again."""
    keeper = KeptBytes(2 * CHUNK_NBYTES)
    lent = [keeper.take(CHUNK_NBYTES, must=False) for _ in range(3)]
    assert [chunk is None for chunk in lent] == [False, False, True]
    buffer = lent[0].obj if lent[0] is not None else None
    keeper.give(lent[0])
    again = keeper.take(CHUNK_NBYTES // 2, must=False)
    assert again is not None
    assert again.obj is buffer
    assert len(again) == CHUNK_NBYTES // 2


def test_who_insists_gets() -> None:
    """A small segment is kept whatever the budget says, and small chunks take no whole buffer."""
    keeper = KeptBytes(0)
    assert keeper.take(CHUNK_NBYTES, must=False) is None
    assert len(keeper.take(CHUNK_NBYTES, must=True) or b"") == CHUNK_NBYTES
    small = keeper.take(10, must=True)
    assert small is not None
    assert len(small.obj) == 10  # type: ignore[arg-type]
    keeper.give(small)
    keeper.give(None)


def test_buffers_are_not_shared() -> None:
    """Two loans never are the same memory."""
    keeper = KeptBytes()
    first, second = keeper.take(CHUNK_NBYTES, must=True), keeper.take(CHUNK_NBYTES, must=True)
    assert first is not None
    assert second is not None
    first[0], second[0] = 1, 2
    assert first[0] == 1
