"""Folders: rows, sizes, pages."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.errors import FileEntryNotFoundError
from tensorhub.hub.pages import files
from tensorhub.hub.pages.files import list_crumbs, read_folder

from .models import CHILD, fill


def test_a_folder(store: Store) -> None:
    """Folders come first; sizes as a user sees them and as stored, with the share of deltas."""
    fill(store)
    folder = read_folder(store.catalog, store.snapshots.snapshot("bob/child"))
    assert [(row.name, row.is_folder, row.nbytes) for row in folder.rows] == [
        ("a", True, 4), ("config.json", False, 9), ("model.safetensors", False, len(CHILD)),
    ]  # fmt: skip
    model = folder.rows[-1]
    assert model.tensors == 2
    assert 0 < model.stored_nbytes < model.nbytes // 2
    assert 0.9 < model.delta_share < 1
    assert (folder.files, folder.nbytes) == (3, 13 + len(CHILD))
    assert folder.stored_nbytes == sum(row.stored_nbytes for row in folder.rows)


def test_below(store: Store) -> None:
    """A folder in a folder; one that is not there is told."""
    fill(store)
    snapshot = store.snapshots.snapshot("bob/child")
    assert [row.path for row in read_folder(store.catalog, snapshot, "a").rows] == ["a/b"]
    assert [row.path for row in read_folder(store.catalog, snapshot, "a/b").rows] == ["a/b/c.txt"]
    with pytest.raises(FileEntryNotFoundError):
        read_folder(store.catalog, snapshot, "config.json")
    with pytest.raises(FileEntryNotFoundError):
        read_folder(store.catalog, snapshot, "a/b/c")


def test_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many entries come in pages; what the folder is altogether stays the same."""
    fill(store)
    monkeypatch.setattr(files, "PAGE_FILES", 2)
    folder = read_folder(store.catalog, store.snapshots.snapshot("bob/child"), page=7)
    assert (folder.page, folder.pages, folder.entries, folder.files) == (2, 2, 3, 3)
    assert [row.name for row in folder.rows] == ["model.safetensors"]


def test_crumbs() -> None:
    """Each folder on the way."""
    assert list_crumbs("") == ()
    assert list_crumbs("a/b") == (("a", "a"), ("b", "a/b"))
