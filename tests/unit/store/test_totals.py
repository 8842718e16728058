"""Totals add up to the byte, whatever was stored."""

from pathlib import Path

import pytest

from tensorhub import Store, collect_garbage, stats
from tensorhub.errors import MissingBlobError

from ...weights import assert_identity, assert_sound, noise, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)


def test_empty(store: Store) -> None:
    """An empty store has no content, a ratio of 0, and sums that add up."""
    found = stats(store)
    assert (found.repositories, found.revisions, found.files, found.nbytes, found.ratio) == (0, 0, 0, 0, 0.0)
    assert_identity(store)


def test_disk_usage_is_what_lies_there(store: Store) -> None:
    """``stored_nbytes`` is the sum of all file sizes below the hub."""
    put(store, "a/b", {"x": noise(5000, 1)})
    found = stats(store)
    assert found.stored_nbytes == sum(
        path.lstat().st_size for path in store.path.rglob("*") if path.is_file()
    )
    assert found.packs_nbytes == sum(path.stat().st_size for path in store.layout.list_packs().values())
    assert found.refs_nbytes == sum(
        path.stat().st_size for path in store.layout.refs.rglob("*") if path.is_file()
    )


def test_catalogue_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue outside the hub counts all the same."""
    monkeypatch.setenv("TENSORHUB_CATALOG_DIR", str(tmp_path / "elsewhere"))
    with Store.create(tmp_path / "hub") as store:
        put(store, "a/b", {"x": noise(5000, 1)})
        assert not list((tmp_path / "hub").glob("catalog*"))
        assert stats(store).catalog_nbytes > 10_000
        assert_identity(store)


def test_counts(store: Store) -> None:
    """Each distinct content counts once per repository, over all live commits."""
    model = safetensors({"w": BASE, "v": weights((9, 9), 2)})
    put(store, "a/one", {"m.safetensors": model, "copy.safetensors": model, "x": b"x"})
    put(store, "a/one", {"m.safetensors": model, "y": b"yy"})
    put(store, "a/two", {"m.safetensors": model})
    put(store, "a/two", {"m.safetensors": model}, revision="dev")
    found = stats(store)
    assert (found.repositories, found.revisions, found.files, found.tensors) == (2, 4, 4, 4)
    assert found.nbytes == 2 * len(model) + 3
    assert found.saved.identical_files == len(model)
    assert_identity(store)


def test_split(store: Store) -> None:
    """Each kind of saving is put down to its cause."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE}), "noise": noise(30_000, 1)})
    before = stats(store).saved
    assert before.identical_files == before.identical_tensors == before.delta == 0
    assert before.standalone > BASE.nbytes // 10
    put(store, "a/child", {"m.safetensors": safetensors({"renamed": tuned(BASE, 2)})})
    after = stats(store).saved
    assert after.delta > BASE.nbytes // 2
    assert after.identical_tensors == after.identical_files == 0
    put(store, "a/other", {"m.safetensors": safetensors({"w2": BASE}), "n": noise(30_000, 1)})
    last = stats(store).saved
    assert last.identical_tensors == BASE.nbytes
    assert last.identical_files == 30_000
    assert last.delta == after.delta


def test_garbage_is_overhead(store: Store) -> None:
    """What gc could free counts as overhead, and a base that only serves others against the delta."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/child", {"m.safetensors": safetensors({"w": tuned(BASE, 2)})})
    put(store, "a/dead", {"x": noise(80_000, 1)})
    full = stats(store)
    store.delete_repository("a/dead")
    store.delete_repository("a/base")
    assert_identity(store)
    found = stats(store)
    assert found.saved.overhead - full.saved.overhead > 79_000
    assert found.saved.delta < full.saved.delta - 30_000
    collect_garbage(store, grace_s=0)
    assert_sound(store)
    assert stats(store).packs_nbytes < found.packs_nbytes - 79_000


def test_a_missing_file_record_is_named(store: Store) -> None:
    """A live file record that no pack holds is told by its digest."""
    put(store, "a/b", {"x": noise(5000, 1)})
    (entry,) = store.snapshots.snapshot("a/b").tree.entries
    store.catalog.drop_rows(packs=[], blobs=[], objects=[entry.file])
    with pytest.raises(MissingBlobError, match=entry.file.value.hex()):
        stats(store)
