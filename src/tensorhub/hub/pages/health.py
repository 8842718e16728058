"""The health of a store, for a page.

Duty: put known facts together, and say in a line whether somebody should act. Not its duty: finding damage
(``verify``), or any long walk.
Invariants: who is no administrator sees the line, and nothing about places, sizes or damage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tensorhub.hub.pages.listing import RepositoryRow
from tensorhub.hub.pages.page_data import DiskUse
from tensorhub.schema.sizes import format_count, format_nbytes
from tensorhub.store.last_verified import LastVerified

_LOW_SHARE = 0.05  # of a disk free, below which adding is about to fail
_LOW_NBYTES = 10_000_000_000  # but 10 GB are enough for most models, however large the disk


@dataclass(frozen=True, slots=True)
class Work:
    """Background work: SHA-256 that is still to be computed."""

    files: int
    nbytes: int
    nbytes_done: int
    failed_files: int


@dataclass(frozen=True, slots=True)
class Health:
    """What the page shows; ``line`` is for everybody, the rest for administrators."""

    is_good: bool
    line: str
    warnings: tuple[str, ...]
    disk: DiskUse | None
    work: Work | None
    verified: LastVerified | None
    damaged: tuple[RepositoryRow, ...]


def judge_health(
    rows: Sequence[RepositoryRow],
    disk: DiskUse | None,
    work: Work | None,
    verified: LastVerified | None,
    *,
    is_admin: bool,
) -> Health:
    """Judge the health of a store.

    Parameters
    ----------
    rows
        Repositories that the reader may see.
    disk, work, verified
        What is known; None for what is not.
    is_admin
        Whether the reader may see more than the line.
    """
    damaged = tuple(row for row in rows if row.is_damaged)
    warnings: list[str] = []
    if damaged:
        warnings.append(f"{format_count(len(damaged), 'repository', 'repositories')} cannot be read.")
    if is_admin and verified is not None and verified.damages:
        warnings.append(f"The last verification found {format_count(verified.damages, 'damaged thing')}.")
    if is_admin and work is not None and work.failed_files:
        warnings.append(
            f"{format_count(work.failed_files, 'file')} cannot be read, so clients do not see them."
        )
    if is_admin and disk is not None and disk.free_nbytes < min(_LOW_NBYTES, _LOW_SHARE * disk.disk_nbytes):
        warnings.append(f"Only {format_nbytes(disk.free_nbytes)} of the disk are free.")
    line = warnings[0] if warnings else "No damage is known."
    if not is_admin:
        return Health(not damaged, line, tuple(warnings), None, None, None, damaged)
    return Health(not warnings, line, tuple(warnings), disk, work, verified, damaged)
