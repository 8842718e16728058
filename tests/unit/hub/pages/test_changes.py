"""What a commit changed."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.hub.pages import changes
from tensorhub.hub.pages.changes import Change, compare_trees

from ....weights import put


def test_kinds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added, changed and removed paths, with sizes; what is the same is not listed."""
    put(store, "a/b", {"same": b"1", "changed": b"22", "gone": b"333"})
    before = store.snapshots.snapshot("a/b").tree
    put(store, "a/b", {"same": b"1", "changed": b"4444", "new/file": b"55555"})
    after = store.snapshots.snapshot("a/b").tree
    found = compare_trees(store.snapshots, before, after)
    assert found.rows == (
        Change("changed", "changed", 2, 4),
        Change("gone", "removed", 3, None),
        Change("new/file", "added", None, 5),
    )
    assert (found.added, found.changed, found.removed, found.total) == (1, 1, 1, 3)
    first = compare_trees(store.snapshots, None, before)
    assert {row.kind for row in first.rows} == {"added"}
    monkeypatch.setattr(changes, "MAX_CHANGES", 1)
    cut = compare_trees(store.snapshots, before, after)
    assert (len(cut.rows), cut.total) == (1, 3)
