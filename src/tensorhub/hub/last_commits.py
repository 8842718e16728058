"""The last commit of each path: which commit of a history changed a file, or anything in a folder.

Duty: walk first parents back from a commit and compare trees. Not its duty: what is shown of the commits.
Invariants: every path of the commit's tree gets a commit of its history; beyond the bounds of the walk it is the oldest
one looked at, which is then later than the truth, never another history's.
"""

from __future__ import annotations

from collections.abc import Mapping

from tensorhub.schema.digest import Digest
from tensorhub.schema.records import CommitReference, FileMode, Tree
from tensorhub.store.snapshots import Snapshots

_MAX_COMMITS = 2000  # some 0.2 s of small commits
_MAX_ENTRIES = 2_000_000  # of trees compared together: some 0.5 s

Content = tuple[FileMode, Digest]


def find_last_commits(
    snapshots: Snapshots,
    start: CommitReference,
    *,
    max_commits: int = _MAX_COMMITS,
    max_entries: int = _MAX_ENTRIES,
) -> dict[str, CommitReference]:
    """Find the last commit of every file and folder of a commit's tree.

    Parameters
    ----------
    snapshots
        The store's.
    start
        Whose tree, and where the walk begins.
    max_commits, max_entries
        Where it ends at the latest.

    Returns
    -------
    dict
        Path → commit; folders without a slash at the end.
    """
    reference, commit = start, snapshots.commit(start.digest)
    contents = _contents(snapshots.tree(commit.tree))
    pending = {path for file in contents for path in (file, *_folders(file))}
    found: dict[str, CommitReference] = {}
    compared = 0
    for _ in range(max_commits):
        if not pending or not commit.parents or compared > max_entries:
            break
        parent = commit.parents[0]
        older = snapshots.commit(parent.digest)
        if older.tree != commit.tree:
            before = _contents(snapshots.tree(older.tree))
            compared += len(before)
            for file in _changed(contents, before):
                for path in (file, *_folders(file)):
                    if path in pending:
                        pending.remove(path)
                        found[path] = reference
            contents = before
        reference, commit = parent, older
    found.update(dict.fromkeys(pending, reference))
    return found


def _contents(tree: Tree) -> dict[str, Content]:
    return {entry.path: (entry.mode, entry.file) for entry in tree.entries}


def _changed(new: Mapping[str, Content], old: Mapping[str, Content]) -> list[str]:
    """Name the files that differ, were added or were removed."""
    changed = [path for path, content in new.items() if old.get(path) != content]
    return changed + [path for path in old if path not in new]


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
