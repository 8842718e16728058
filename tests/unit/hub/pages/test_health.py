"""Health in a line, and who sees more."""

from __future__ import annotations

from dataclasses import replace

from tensorhub.hub.pages.health import Work, judge_health
from tensorhub.hub.pages.listing import RepositoryRow
from tensorhub.hub.pages.page_data import DiskUse
from tensorhub.schema.names import parse_repository
from tensorhub.store.last_verified import LastVerified

ROW = RepositoryRow(parse_repository("a/b"), 1, 1, 1, 1)
DISK = DiskUse(1, 10, 1, 1, 1, 1, 14, 10**12, 5 * 10**11)


def test_good() -> None:
    """Nothing known is good."""
    found = judge_health([ROW], DISK, None, LastVerified(1, 0, 5), is_admin=True)
    assert found.is_good
    assert found.line == "No damage is known."


def test_what_an_administrator_is_told() -> None:
    """Each reason to act."""
    rows = [ROW, replace(ROW, is_damaged=True)]
    disk = replace(DISK, free_nbytes=10**9)
    found = judge_health(rows, disk, Work(1, 1, 0, 2), LastVerified(1, 3, 5), is_admin=True)
    assert not found.is_good
    assert found.warnings == (
        "1 repository cannot be read.",
        "The last verification found 3 damaged things.",
        "2 files cannot be read, so clients do not see them.",
        "Only 1.00 GB of the disk are free.",
    )
    assert found.damaged == (rows[1],)


def test_what_others_are_told() -> None:
    """A line about what they may see, and no numbers of the store."""
    disk = replace(DISK, free_nbytes=0)
    found = judge_health([ROW], disk, Work(1, 1, 0, 2), LastVerified(1, 3, 5), is_admin=False)
    assert found.is_good
    assert (found.disk, found.work, found.verified, found.warnings) == (None, None, None, ())
    assert not judge_health([replace(ROW, is_damaged=True)], None, None, None, is_admin=False).is_good
