"""A revision's history, and which commit last changed each file.

Duty: pages of commits, and last changes of a folder. Not its duty: resolving revisions.
Invariants: the work is bounded, whatever the history's length: what was not reached is not claimed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from tensorhub.schema.records import TreeEntry
from tensorhub.store.snapshots import Snapshot, Snapshots
from tensorhub.store.values import CommitInfo

PAGE_COMMITS = 40
_MAX_WALK = (
    64  # commits looked through for last changes: trees of most histories stay in the snapshots' cache
)


@dataclass(frozen=True, slots=True)
class History:
    """One page of a history, newest first; ``has_more`` says that there is a next page."""

    commits: tuple[CommitInfo, ...]
    page: int
    has_more: bool


def read_history(snapshots: Snapshots, snapshot: Snapshot, page: int = 1) -> History:
    """Read one page of a snapshot's history; ``page`` counts from 1."""
    start = (page - 1) * PAGE_COMMITS
    found = list(islice(snapshots.walk([snapshot.reference]), start, start + PAGE_COMMITS + 1))
    commits = []
    for reference in found[:PAGE_COMMITS]:
        commit = snapshots.commit(reference.digest)
        commits.append(
            CommitInfo(
                reference.commit_id,
                tuple(parent.commit_id for parent in commit.parents),
                commit.author,
                commit.date_ms,
                commit.title,
                commit.message,
                commit.is_partial,
                commit.origin,
            )
        )
    return History(tuple(commits), page, len(found) > PAGE_COMMITS)


@dataclass(frozen=True, slots=True)
class LastChange:
    """The commit that last changed a path."""

    commit_id: str
    title: str
    date_ms: int


def find_last_changes(snapshot: Snapshot, folder: str) -> dict[str, LastChange]:
    """Say which commit last changed each entry of a folder, along first parents.

    Parameters
    ----------
    snapshot
        Where to begin.
    folder
        Path of the folder; empty for the top.

    Returns
    -------
    dict
        By the entry's name in the folder: a file, or a folder below it. Entries that did not change within the
        last 64 commits are left out.
    """
    source = snapshot.source
    present = _children(snapshot.tree.entries, folder)
    waiting = set(present)
    found: dict[str, LastChange] = {}
    reference, commit = snapshot.reference, snapshot.commit
    for _ in range(_MAX_WALK):
        parent = commit.parents[0] if commit.parents else None
        before = {} if parent is None else _children(source.tree_of(parent).entries, folder)
        for name in [name for name in waiting if before.get(name) != present[name]]:
            found[name] = LastChange(reference.commit_id, commit.title, commit.date_ms)
            waiting.discard(name)
        if parent is None or not waiting:
            break
        reference, commit = parent, source.commit(parent.digest)
    return found


def _children(entries: Iterable[TreeEntry], folder: str) -> dict[str, list[TreeEntry]]:
    """Give each child of a folder with all that lies below it."""
    start = f"{folder}/" if folder else ""
    found: dict[str, list[TreeEntry]] = {}
    for entry in entries:
        if entry.path.startswith(start):
            found.setdefault(entry.path[len(start) :].partition("/")[0], []).append(entry)
    return found
