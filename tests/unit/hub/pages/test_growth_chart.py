"""The chart of growth: inside its frame, with round marks."""

from __future__ import annotations

import re

import pytest

from tensorhub.hub.pages.growth_chart import HEIGHT, WIDTH, date_ticks, plan_growth_chart, round_step, thin
from tensorhub.store.growth import GrowthPoint

DAY_MS = 86_400_000


def coordinates(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.e+]+) (-?[\d.e+]+)", path)]


def test_lines() -> None:
    """Time runs to the right, bytes upwards from zero, and both lines end where the dots are."""
    chart = plan_growth_chart([GrowthPoint(at * DAY_MS, at * 10**9, at * 10**8) for at in range(1, 31)])
    assert chart is not None
    seen, stored = coordinates(chart.seen_line), coordinates(chart.stored_line)
    assert len(seen) == len(stored) == 30
    assert [x for x, _ in seen] == sorted(x for x, _ in seen)
    assert [y for _, y in seen] == sorted((y for _, y in seen), reverse=True)
    assert all(a < b for (_, a), (_, b) in zip(seen, stored, strict=True))
    for x, y in [*seen, *stored, *coordinates(chart.seen_area), *coordinates(chart.stored_area)]:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert chart.end == (*seen[-1], stored[-1][1])
    assert chart.y_ticks[0].label == "0"
    assert 3 <= len(chart.y_ticks) <= 6
    assert 2 <= len(chart.x_ticks) <= 7


@pytest.mark.parametrize("points", [[], [GrowthPoint(5, 1, 1)], [GrowthPoint(5, 1, 1), GrowthPoint(5, 2, 2)]])
def test_nothing_to_draw(points: list[GrowthPoint]) -> None:
    """One moment is no line."""
    assert plan_growth_chart(points) is None


def test_all_zero() -> None:
    """A store of empty files has a flat line."""
    chart = plan_growth_chart([GrowthPoint(0, 0, 0), GrowthPoint(DAY_MS, 0, 0)])
    assert chart is not None
    assert len({y for _, y in coordinates(chart.seen_line)}) == 1


@pytest.mark.parametrize(
    ("number", "step"), [(1, 1), (1.1, 2), (2.2, 2.5), (3, 5), (5, 5), (6, 10), (1234, 2000), (0.03, 0.05)]
)
def test_round_steps(number: float, step: float) -> None:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    assert round_step(number) == pytest.approx(step)


@pytest.mark.parametrize(
    "span_ms", [60_000, 3_600_000, 5 * DAY_MS, 40 * DAY_MS, 400 * DAY_MS, 4000 * DAY_MS, 20_000 * DAY_MS]
)
def test_date_ticks(span_ms: int) -> None:
    """From minutes to decades: inside the span, rising, not too many."""
    first = 1_700_000_123_456
    ticks = date_ticks(first, first + span_ms)
    assert 1 <= len(ticks) <= 7
    assert all(first <= at <= first + span_ms for at, _ in ticks)
    assert [at for at, _ in ticks] == sorted(at for at, _ in ticks)
    assert len({label for _, label in ticks}) == len(ticks)


def test_thinning() -> None:
    """Many points become few, and the last stays."""
    points = [GrowthPoint(at, at, at) for at in range(1000)]
    assert thin(points, 10)[-1] == points[-1]
    assert 10 <= len(thin(points, 10)) <= 11
    assert thin(points[:5], 10) == points[:5]
