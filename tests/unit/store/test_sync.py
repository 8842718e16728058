"""The catalogue follows the packs on disk."""

from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.store.catalog_index import complete_trees
from tensorhub.store.sync import catalog_path, index_missing, open_catalog, remove_catalog

from ...weights import assert_sound, noise, put, read_all


def test_where_it_lies(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the packs; where the environment says; in the user's cache for a read-only store."""
    from tensorhub.store import sync

    assert catalog_path(store.layout, store.settings) == store.path / "catalog.sqlite"
    monkeypatch.setenv("TENSORHUB_CATALOG_DIR", str(tmp_path / "there"))
    assert catalog_path(store.layout, store.settings) == tmp_path / "there" / f"{store.store_id}.sqlite"
    monkeypatch.delenv("TENSORHUB_CATALOG_DIR")
    monkeypatch.setattr(sync.os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = catalog_path(store.layout, store.settings)
    assert found.name == f"{store.store_id}.sqlite"
    assert found.is_relative_to(tmp_path / "cache")


def test_packs_that_it_missed(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a writer with another catalogue added is found at the next opening."""
    store.close()
    monkeypatch.setenv("TENSORHUB_CATALOG_DIR", str(tmp_path / "other"))
    with Store.open(store.path) as other:
        put(other, "a/b", {"x": noise(5000, 1)})
    monkeypatch.delenv("TENSORHUB_CATALOG_DIR")
    with Store.open(store.path) as again:
        assert read_all(again, "a/b") == {"x": noise(5000, 1)}
        assert_sound(again)


def test_a_pack_that_cannot_be_read(store: Store) -> None:
    """A damaged pack is told; the others are indexed all the same."""
    put(store, "a/b", {"x": noise(5000, 1)})
    put(store, "c/d", {"y": noise(5000, 2)})
    store.close()
    segment = store.snapshots.file_record(store.files("a/b")[0].digest).segments[0]
    pack = store.reader.record(segment.digest).chunks[0].stored.pack
    assert pack is not None
    store.layout.pack(pack).write_bytes(b"short")
    store.close()
    remove_catalog(store.catalog.path)
    catalog = open_catalog(store.layout, store.settings)
    (damage,) = index_missing(catalog, store.layout, store.settings)
    assert damage.pack == pack.hex
    catalog.close()
    with Store.open(store.path) as again:
        assert read_all(again, "c/d") == {"y": noise(5000, 2)}


def test_completing_is_idempotent(store: Store) -> None:
    """Trees that are complete stay as they are."""
    put(store, "a/b", {"x": noise(5000, 1), "y": b"y"})
    before = store.places.repositories(
        [store.snapshots.file_record(store.files("a/b")[0].digest).segments[0].digest]
    )
    complete_trees(store.catalog)
    assert before == store.places.repositories(before)
