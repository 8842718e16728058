"""The catalogue: questions about what packs hold, and clear errors when it cannot answer."""

import sqlite3
from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.errors import CorruptIndexError, MissingBlobError, StoreLockedError, UnsupportedVersionError
from tensorhub.schema.digest import Digest
from tensorhub.store import catalog, catalog_file
from tensorhub.store.catalog import Catalog, split_references
from tensorhub.store.catalog_index import index_pack
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.pack import PackFile

from ...weights import noise, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)
MISSING = Digest(bytes(32))


@pytest.fixture
def filled(store: Store) -> Store:
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE, "x": weights((30, 30), 2)})})
    put(store, "a/child", {"m.safetensors": safetensors({"w": tuned(BASE, 3)})})
    return store


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_lookups(filled: Store) -> None:
    """What is held is found by digest; what is not is None, False or missing."""
    base, child = filled.tensors("a/base")[0], filled.tensors("a/child")[0]
    row = filled.catalog.blob(child.digest)
    assert row is not None
    assert (row.nbytes, row.is_self_contained) == (BASE.nbytes, False)
    assert row.standalone_nbytes > row.stored_nbytes
    assert filled.catalog.bases([row.blob_id]) == {row.blob_id: base.digest}
    assert filled.catalog.digests_by_id([row.blob_id, 10**6]) == {row.blob_id: child.digest}
    assert filled.catalog.holding(child.digest)[0]
    assert filled.catalog.blob(MISSING) is None
    assert not filled.catalog.holding(MISSING)[0]
    assert not filled.catalog.has_object(MISSING)
    for call in (
        lambda: filled.catalog.blob_record(MISSING),
        lambda: filled.catalog.object(MISSING, ObjectKind.TREE),
    ):
        with pytest.raises(MissingBlobError):
            call()


def test_candidates(filled: Store) -> None:
    """Only self-contained tensors of the same shape are offered as bases."""
    ((key, _),) = filled.catalog.sketches(2, 320, self_contained_only=True)
    assert filled.catalog.digests_by_id([key])[key] == filled.tensors("a/base")[0].digest
    assert len(list(filled.catalog.sketches(2, 320, self_contained_only=False))) == 2
    small = next(item for item in filled.tensors("a/base") if item.name == "x")
    assert [digest for _, digest in filled.catalog.small_candidates(2, 30, 30, 10)] == [small.digest]
    assert filled.catalog.small_candidates(2, 30, 29, 10) == []


def test_indexing_twice(filled: Store) -> None:
    """A pack that is indexed again changes nothing."""
    before = dump(filled.catalog.path)
    for pack, path in filled.layout.list_packs().items():
        file = PackFile(path, pack)
        index_pack(filled.catalog, filled.settings.hasher, pack, file.nbytes, file.read_table())
    assert dump(filled.catalog.path) == before


def test_many_at_once(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers do not depend on how many variables a statement takes."""
    files = {str(n): noise(50, n) for n in range(40)}
    put(filled, "a/many", files)
    digests = [info.digest for info in filled.files("a/many")]
    blobs = [filled.snapshots.file_record(digest).segments[0].digest for digest in digests]
    expected = filled.catalog.blobs(blobs)
    monkeypatch.setattr(catalog, "_BATCH", 3)
    assert filled.catalog.blobs(blobs) == expected
    assert len(expected) == 40


def test_other_versions(filled: Store) -> None:
    """A catalogue of another version is refused, not guessed."""
    filled.close()
    connection = sqlite3.connect(filled.catalog.path)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'version'")
    connection.commit()
    connection.close()
    with pytest.raises(UnsupportedVersionError, match="99"):
        Store.open(filled.path)


def test_no_catalogue_at_all(tmp_path: Path) -> None:
    """A file that is no SQLite file is damage; one where a table is missing too."""
    (tmp_path / "c").write_bytes(noise(8192, 1))
    with pytest.raises(CorruptIndexError, match="rebuild"):
        Catalog(tmp_path / "c")
    catalog = Catalog(tmp_path / "d")
    with catalog.write() as connection:
        connection.exec_driver_sql("DROP TABLE pack")
    with pytest.raises(CorruptIndexError):
        catalog.packs()
    catalog.close()


def test_busy(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that another process keeps locked gives a retryable error; readers are not kept waiting."""
    monkeypatch.setattr(catalog_file, "_BUSY_TIMEOUT_S", 0)
    other = Catalog(filled.catalog.path)
    with filled.catalog.write() as connection:
        connection.exec_driver_sql("DELETE FROM sketch")
        assert len(list(other.sketches(2, 320, self_contained_only=False))) == 2
        with pytest.raises(StoreLockedError) as caught, other.write():
            pass
        assert caught.value.retryable
    other.close()


def test_a_failed_write_changes_nothing(filled: Store) -> None:
    """An error inside a write takes everything back."""
    with pytest.raises(KeyError), filled.catalog.write() as connection:
        connection.exec_driver_sql("DELETE FROM blob")
        raise KeyError
    assert filled.catalog.blob(filled.tensors("a/base")[0].digest) is not None


def test_references() -> None:
    """Joined pack ids come apart again."""
    ids = [Digest(bytes([n]) * 32) for n in range(3)]
    assert split_references(b"".join(item.value for item in ids)) == tuple(ids)
    assert split_references(b"") == ()
