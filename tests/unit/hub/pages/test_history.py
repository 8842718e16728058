"""Pages of history, and last changes."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.hub.pages import history
from tensorhub.hub.pages.history import find_last_changes, read_history


def commit(store: Store, title: str, **files: bytes) -> str:
    with store.begin_commit("a/b") as transaction:
        for name, content in files.items():
            transaction.put_file(name.replace("__", "/"), content)
        transaction.publish(title)
    return store.resolve("a/b")


def test_last_changes(store: Store) -> None:
    """Of files, and of folders by what is below; along first parents."""
    first = commit(store, "first", one=b"1", two=b"2", dir__deep__x=b"3")
    second = commit(store, "second", two=b"22")
    third = commit(store, "third", dir__deep__x=b"33")
    snapshot = store.snapshots.snapshot("a/b")
    changes = find_last_changes(snapshot, "")
    assert {name: change.commit_id for name, change in changes.items()} == {
        "one": first, "two": second, "dir": third,
    }  # fmt: skip
    assert changes["two"].title == "second"
    assert find_last_changes(snapshot, "dir/deep")["x"].commit_id == third


def test_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not found within the bound is not claimed."""
    commit(store, "first", one=b"1")
    for number in range(3):
        commit(store, f"more {number}", two=b"%d" % number)
    monkeypatch.setattr(history, "_MAX_WALK", 2)
    assert set(find_last_changes(store.snapshots.snapshot("a/b"), "")) == {"two"}


def test_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Newest first; each page says whether there is another."""
    ids = [commit(store, f"number {number}", one=b"%d" % number) for number in range(5)]
    monkeypatch.setattr(history, "PAGE_COMMITS", 2)
    snapshot = store.snapshots.snapshot("a/b")
    pages = [read_history(store.snapshots, snapshot, page) for page in (1, 2, 3, 4)]
    assert [item.commit_id for page in pages for item in page.commits] == ids[::-1]
    assert [page.has_more for page in pages] == [True, True, False, False]
    assert pages[0].commits[0].parents == (ids[3],)
