"""Growth: how a store came to hold what it holds now.

Duty: decoded and stored bytes over time, of what is live now. Not its duty: what was removed since; that left no trace.
Invariants: points rise in time, and the last holds all of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

MAX_POINTS = 200  # more cannot be told apart in a drawing as wide as a page


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """What was there at a time.

    Attributes
    ----------
    date_ms
        Milliseconds since 1970 UTC.
    nbytes
        Each distinct file content once per repository.
    stored_nbytes
        Packs; for some repositories of a store, coded content.
    """

    date_ms: int
    nbytes: int
    stored_nbytes: int


_FILES = text(
    "SELECT min(:now_ms, came_ms), sum(nbytes) FROM temp.live_file CROSS JOIN object ON object.id = file GROUP BY 1"
)
_PACKS = text("SELECT min(:now_ms, sealed_at_ns / 1000000), sum(nbytes) FROM pack GROUP BY 1")
_BLOBS = text(
    "SELECT min(:now_ms, came_ms), sum(stored_nbytes) FROM temp.blob_home "
    "CROSS JOIN blob ON blob.id = blob_home.blob WHERE pack IS NOT NULL GROUP BY 1"
)


def read_growth(connection: Connection, now_ms: int, *, is_whole: bool) -> tuple[GrowthPoint, ...]:
    """Read how a store grew.

    Parameters
    ----------
    connection
        A read transaction of the catalogue, with the tables of a survey.
    now_ms
        Later times, which clocks and commits may claim, count as this one.
    is_whole
        Whether all of the store is asked about, packs and all.
    """
    files = connection.execute(_FILES, {"now_ms": now_ms}).all()
    stored = connection.execute(_PACKS if is_whole else _BLOBS, {"now_ms": now_ms}).all()
    return sum_up([(row[0], row[1], 0) for row in files] + [(row[0], 0, row[1]) for row in stored])


def sum_up(steps: list[tuple[int, int, int]], max_points: int = MAX_POINTS) -> tuple[GrowthPoint, ...]:
    """Add steps up in the order of their times; pure.

    Parameters
    ----------
    steps
        Time, bytes, stored bytes.
    max_points
        At most so many points, at times that are equally far from each other; at least 2.
    """
    if not steps:
        return ()
    steps = sorted(steps)
    first, last = steps[0][0], steps[-1][0]
    width = max(1, -(-(last - first) // (max_points - 1)))
    points: list[GrowthPoint] = []
    nbytes = stored_nbytes = 0
    for date_ms, more, more_stored in steps:
        nbytes, stored_nbytes = nbytes + more, stored_nbytes + more_stored
        at_ms = min(last, first + -(-(date_ms - first) // width) * width)
        if points and points[-1].date_ms == at_ms:
            points.pop()
        points.append(GrowthPoint(at_ms, nbytes, stored_nbytes))
    return tuple(points)
