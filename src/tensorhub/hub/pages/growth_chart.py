"""How the store grew, drawn as two lines.

Duty: from dated sizes to the geometry of a chart with axes. Not its duty: SVG (``templates/growth_chart.html``).
Invariants: every coordinate lies inside the drawing; the vertical axis starts at 0, so that heights compare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tensorhub.schema.sizes import format_nbytes
from tensorhub.store.growth import GrowthPoint

WIDTH, HEIGHT = 560, 210  # units of the drawing: pixels where it stands beside the totals on a desk
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 30  # room for the axes' labels at 12 units a line
_MAX_POINTS = 240  # one for every two units: more cannot be told apart
_MAX_ROWS = 40  # of the table beside the drawing
_STEPS = (1, 2, 2.5, 5, 10)  # round numbers that people read


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """Geometry of the chart.

    Attributes
    ----------
    points, table
        What is drawn, and what the table beside it has; both thinned, the last is the present.
    seen_line, stored_line, seen_area, stored_area
        SVG paths of the two lines, and of the areas below them.
    x_ticks, y_ticks
        Marks of the axes.
    end
        Where both lines end: x, y of what a user sees, y of what is stored.
    """

    points: tuple[GrowthPoint, ...]
    table: tuple[GrowthPoint, ...]
    seen_line: str
    stored_line: str
    seen_area: str
    stored_area: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    end: tuple[float, float, float]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def plan_growth_chart(points: Sequence[GrowthPoint]) -> GrowthChart | None:
    """Lay out the chart.

    Parameters
    ----------
    points
        In the order of time.

    Returns
    -------
    GrowthChart or None
        None where there are not two points in time to draw a line between.
    """
    if len(points) < 2 or points[-1].date_ms <= points[0].date_ms:
        return None
    shown = thin(points, _MAX_POINTS)
    first_ms, last_ms = shown[0].date_ms, shown[-1].date_ms
    top_nbytes = max(max(point.nbytes, point.stored_nbytes) for point in shown) or 1
    step = round_step(top_nbytes / 4)
    ceiling = step * math.ceil(top_nbytes / step)

    def x_of(date_ms: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (date_ms - first_ms) / (last_ms - first_ms), 1)

    def y_of(nbytes: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * nbytes / ceiling, 1)

    seen = [(x_of(point.date_ms), y_of(point.nbytes)) for point in shown]
    stored = [(x_of(point.date_ms), y_of(point.stored_nbytes)) for point in shown]
    marks = range(round(ceiling / step) + 1)
    return GrowthChart(
        tuple(shown),
        tuple(thin(points, _MAX_ROWS)),
        _line(seen),
        _line(stored),
        _area(seen),
        _area(stored),
        tuple(Tick(x_of(at), label) for at, label in date_ticks(first_ms, last_ms)),
        tuple(Tick(y_of(mark * step), format_nbytes(round(mark * step)) if mark else "0") for mark in marks),
        (seen[-1][0], seen[-1][1], stored[-1][1]),
    )


def round_step(at_least: float) -> float:
    """Give the smallest round number that is not below a positive one: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(at_least))
    return next(step * power for step in _STEPS if step * power >= at_least * (1 - 1e-9))


def date_ticks(first_ms: int, last_ms: int, *, most: int = 6) -> list[tuple[int, str]]:
    """Give at most so many round dates between two, with what to write: hours, days, months or years."""
    first = datetime.fromtimestamp(first_ms / 1000, UTC)
    last = datetime.fromtimestamp(last_ms / 1000, UTC)
    span = last - first
    for step in (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6)):
        if span <= step * most:
            return _even_ticks(first, last, step, "%H:%M")
    for days in (1, 2, 7, 14):
        if span <= timedelta(days=days * most):
            return _even_ticks(first, last, timedelta(days=days), "%d %b")
    months = next((count for count in (1, 3, 6, 12, 24, 60) if span.days <= 31 * count * most), 120)
    found: list[tuple[int, str]] = []
    count = first.year * 12 + first.month - 1
    while (count := count + 1) <= last.year * 12 + last.month - 1:
        if count % months == 0:
            at = datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)
            found.append((_to_ms(at), f"{at:%b %Y}" if months < 12 else f"{at:%Y}"))
    return found[:most]


def _even_ticks(first: datetime, last: datetime, step: timedelta, form: str) -> list[tuple[int, str]]:
    epoch = datetime.fromtimestamp(0, UTC)
    at = epoch + step * -((epoch - first) // step)
    found: list[tuple[int, str]] = []
    while at <= last:
        found.append((_to_ms(at), f"{at:{form}}"))
        at += step
    return found


def _to_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def thin(points: Sequence[GrowthPoint], most: int) -> list[GrowthPoint]:
    """Keep every nth point, so that about so many are left, and always the last one."""
    stride = -(-len(points) // most)
    return [*points[: len(points) - 1 : stride], points[-1]]


def _line(at: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in at)


def _area(at: Sequence[tuple[float, float]]) -> str:
    floor = HEIGHT - _BOTTOM
    return f"{_line(at)}L{at[-1][0]:g} {floor}L{at[0][0]:g} {floor}Z"
