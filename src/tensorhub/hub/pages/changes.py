"""What a commit changed: files added, changed and removed.

Duty: compare two trees by path. Not its duty: differences inside files.
Invariants: at most :data:`MAX_CHANGES` are listed, and all are counted; nothing but trees and sizes is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorhub.schema.records import Tree, TreeEntry
from tensorhub.store.snapshots import Snapshots

MAX_CHANGES = 500  # rows on a page; a first commit of a data set adds 100,000 files


@dataclass(frozen=True, slots=True)
class Change:
    """A path that changed.

    Attributes
    ----------
    path
        Which.
    kind
        ``added``, ``changed`` or ``removed``.
    before_nbytes, nbytes
        Size before and after; None where there was or is none.
    """

    path: str
    kind: str
    before_nbytes: int | None
    nbytes: int | None


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes, counted by kind, and the first of them by path."""

    rows: tuple[Change, ...]
    added: int
    changed: int
    removed: int

    @property
    def total(self) -> int:
        """How many there are."""
        return self.added + self.changed + self.removed


def compare_trees(snapshots: Snapshots, before: Tree | None, after: Tree) -> Changes:
    """Compare a tree with the one before it; without one everything was added."""
    old = {entry.path: entry for entry in before.entries} if before else {}
    new = {entry.path: entry for entry in after.entries}
    paths = sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path))
    shown = paths[:MAX_CHANGES]
    entries = [side[path] for path in shown for side in (old, new) if path in side]
    sizes = snapshots.file_sizes([entry.file for entry in entries])

    def size(entry: TreeEntry | None) -> int | None:
        return None if entry is None else sizes.get(entry.file, (0, 0))[0]

    return Changes(
        tuple(
            Change(path, _kind(path, old, new), size(old.get(path)), size(new.get(path))) for path in shown
        ),
        sum(path not in old for path in paths),
        sum(path in old and path in new for path in paths),
        sum(path not in new for path in paths),
    )


def _kind(path: str, old: dict[str, TreeEntry], new: dict[str, TreeEntry]) -> str:
    return "added" if path not in old else "removed" if path not in new else "changed"
