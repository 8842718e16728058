"""How a store came to hold what it holds."""

import time

from tensorhub import Store
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.growth import GrowthPoint, sum_up
from tensorhub.store.survey import survey

from ...weights import noise, put


def test_summing_up() -> None:
    """Points rise, are no more than asked for, and end with all of it at the last time."""
    assert sum_up([]) == ()
    assert sum_up([(5, 1, 0), (5, 0, 2)]) == (GrowthPoint(5, 1, 2),)
    steps = [(index * 7, 1, 2) for index in range(1000)]
    points = sum_up(steps[::-1], 10)
    assert 2 <= len(points) <= 10
    assert points[-1] == GrowthPoint(999 * 7, 1000, 2000)
    assert list(points) == sorted(points, key=lambda point: (point.date_ms, point.nbytes))
    for point in points:
        assert point.nbytes == sum(1 for step in steps if step[0] <= point.date_ms)


def test_growth_of_a_store(store: Store) -> None:
    """Each distinct file counts once for each repository, from its first commit, yet not before it was stored."""
    assert survey(store).growth == ()
    began_ms = time.time_ns() // 1_000_000
    put(store, "a/b", {"x": noise(5000, 1), "same": noise(5000, 1)})
    put(store, "a/b", {"y": b"1"}, keep=True)
    with store.begin_commit("c/d") as transaction:
        transaction.put_file("x", noise(5000, 1))
        transaction.publish(facts=CommitFacts("imported", date_ms=1000))
    with store.begin_commit("e/f") as transaction:
        transaction.put_file("z", b"future")
        transaction.publish(facts=CommitFacts("from a clock that is wrong", date_ms=1 << 50))
    points = survey(store).growth
    now_ms = time.time_ns() // 1_000_000
    assert began_ms <= points[0].date_ms
    assert points[-1].date_ms <= now_ms
    assert points[-1].nbytes == 5000 + 1 + 5000 + 6
    assert points[-1].stored_nbytes == sum(path.stat().st_size for path in store.layout.list_packs().values())
    coded = survey(store, store.ref_store.repositories())
    assert [point.nbytes for point in coded.growth] == sorted(point.nbytes for point in coded.growth)
    assert coded.growth[-1].nbytes == points[-1].nbytes
    assert coded.growth[-1].stored_nbytes == coded.summary.stored_nbytes
