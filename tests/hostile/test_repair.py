"""A lost base, a lost pack and a damaged pack are healed by any copy; nothing that was sound gets lost."""

import errno
import os
import shutil

import pytest

import tensorhub as th
from tensorhub.errors import CorruptPackError, IntegrityError, MissingBaseError, MissingBlobError

from .conftest import Family, read_all


def sound(path, family):
    with th.Store.open(path) as store:
        assert read_all(store, family) == family.contents
        assert th.verify(store).is_sound


def test_a_lost_base_is_named_and_healed_by_a_copy(family: Family):
    family.pack_of("a/base").unlink()
    with th.Store.open(family.path) as store:
        with pytest.raises(MissingBaseError, match="base blake3:"):
            store.read_tensor("a/tuned", "w")
        with pytest.raises(MissingBlobError):
            store.read("a/base", "model.safetensors")
        assert store.read("b/small", "config.json") == b'{"hidden": 64}'
        report = th.verify(store)
        assert {damage.kind for damage in report.damages} == {"pack", "blob"}
        assert any("a/tuned@" in place for damage in report.damages for place in damage.affected)
    with th.Store.open(family.path) as store:
        result = th.add_folder(store, family.folders["a/base"], "a/base")
        assert not result.is_new_commit
        assert result.new_nbytes > 0
    sound(family.path, family)
    th.rebuild_catalog(family.path)
    sound(family.path, family)


def test_a_copy_under_another_name_heals_too(family: Family):
    family.pack_of("a/base").unlink()
    with th.Store.open(family.path) as store:
        th.add_folder(store, family.folders["a/base"], "other/copy")
    sound(family.path, family)


def test_a_delta_whose_base_is_lost_is_stored_again(family: Family):
    """Adding only the fine-tune heals the fine-tune, also after the catalogue is built anew."""
    family.pack_of("a/base").unlink()
    with th.Store.open(family.path) as store:
        th.add_folder(store, family.folders["a/tuned"], "a/tuned")
    for _ in range(2):
        with th.Store.open(family.path) as store:
            found = read_all(store, family)
        assert {key for key, value in found.items() if value != family.contents[key]} == {
            ("a/base", "README.md"),
            ("a/base", "model.safetensors"),
        }
        th.rebuild_catalog(family.path)


def test_a_commit_on_a_tree_with_damage_is_possible(family: Family):
    family.pack_of("a/base").unlink()
    with th.Store.open(family.path) as store, store.begin_commit("a/tuned") as commit:
        commit.put_file("new.txt", b"new")
        commit.publish()
    with th.Store.open(family.path) as store:
        assert store.read("a/tuned", "new.txt") == b"new"


def test_lost_pack_and_lost_catalogue(family: Family):
    """Then the commit is lost too: the folder begins a new history, and the ref can be removed."""
    family.pack_of("a/tuned").unlink()
    th.rebuild_catalog(family.path)
    with th.Store.open(family.path) as store:
        with pytest.raises(MissingBlobError):
            store.files("a/tuned")
        with pytest.raises(MissingBlobError), store.begin_commit("a/tuned") as commit:
            commit.put_file("new.txt", b"new")
            commit.publish()
        result = th.add_folder(store, family.folders["a/tuned"], "a/tuned")
        assert any("begins a new history" in notice for notice in result.notices)
    sound(family.path, family)


def test_a_ref_whose_commit_is_lost_can_be_removed(family: Family):
    family.pack_of("a/tuned").unlink()
    th.rebuild_catalog(family.path)
    with th.Store.open(family.path) as store:
        store.delete_ref("a/tuned", "main")
        assert store.refs("a/tuned") == []


def test_a_pack_that_comes_back_counts_again(family: Family, tmp_path):
    pack = family.pack_of("a/base")
    kept = tmp_path / pack.name
    shutil.move(pack, kept)
    with th.Store.open(family.path) as store, store.begin_commit("b/small") as commit:
        commit.put_file("y", b"y")
        commit.publish()
    shutil.move(kept, pack)
    with th.Store.open(family.path) as store:
        found = read_all(store, family)
    assert found == family.contents


def damage_tensor(family: Family, repository: str) -> None:
    with th.Store.open(family.path) as store:
        tensor = next(item for item in store.tensors(repository) if item.name == "big")
        stored = store.reader.record(tensor.digest).chunks[0].stored
        path = store.layout.pack(stored.pack)
    data = bytearray(path.read_bytes())
    data[stored.offset + stored.nbytes // 2] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("damaged", ["a/base", "a/tuned"])
def test_repair_sets_a_damaged_pack_aside_and_a_copy_heals(family: Family, damaged: str):
    pack = family.pack_of(damaged)
    damage_tensor(family, damaged)
    with th.Store.open(family.path) as store:
        with pytest.raises(CorruptPackError):
            store.read(damaged, "model.safetensors")
        report = th.verify(store, is_repairing=True)
        assert report.set_aside == (pack.stem,)
        assert not pack.exists()
        assert (family.path / "packs" / "damaged" / pack.name).exists()
        readable = {key for key, value in read_all(store, family).items() if value == family.contents[key]}
        affected = {(damaged, "model.safetensors"), ("a/tuned", "model.safetensors")}
        assert readable == family.contents.keys() - affected
        assert "big" in [item.name for item in store.tensors(damaged)]
        assert store.read_tensor(damaged, "w").shape == (48, 64)
    th.rebuild_catalog(family.path)
    with th.Store.open(family.path) as store:
        assert {damage.kind for damage in th.verify(store).damages} == {"blob"}
        th.add_folder(store, family.folders[damaged], damaged)
    sound(family.path, family)
    th.rebuild_catalog(family.path)
    sound(family.path, family)
    with th.Store.open(family.path) as store:
        th.collect_garbage(store, grace_s=0)
    sound(family.path, family)


def test_repair_of_a_sound_store_changes_nothing(family: Family):
    before = {path: path.read_bytes() for path in family.path.glob("packs/**/*.pack")}
    with th.Store.open(family.path) as store:
        assert th.verify(store, is_repairing=True).set_aside == ()
    assert {path: path.read_bytes() for path in family.path.glob("packs/**/*.pack")} == before


def test_verify_alone_changes_nothing(family: Family):
    damage_tensor(family, "a/base")
    before = sorted(family.path.glob("packs/**/*"))
    with th.Store.open(family.path) as store:
        assert not th.verify(store).is_sound
    assert sorted(family.path.glob("packs/**/*")) == before


def test_a_lost_pack_is_not_healed_by_reading(family: Family):
    """Opening and reading change nothing; only a commit or a repair does."""
    family.pack_of("a/base").unlink()
    with th.Store.open(family.path) as store:
        known = set(store.catalog.packs())
        with pytest.raises(IntegrityError):
            store.read("a/base", "README.md")
        assert set(store.catalog.packs()) == known


@pytest.mark.parametrize("content", [b"", bytes(4000), None])
def test_repair_keeps_deltas_whose_base_is_damaged(family: Family, content: bytes | None):
    """Their own bytes are sound: adding the base is enough, also without building the catalogue anew."""
    if content is None:
        damage_tensor(family, "a/base")
    else:
        family.pack_of("a/base").write_bytes(content)
    with th.Store.open(family.path) as store:
        assert th.verify(store, is_repairing=True).set_aside
        th.add_folder(store, family.folders["a/base"], "a/base")
    sound(family.path, family)


def test_repair_takes_no_failing_disk_for_damage(family: Family, monkeypatch: pytest.MonkeyPatch):
    """Reads that fail for now say nothing about the bytes."""

    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with th.Store.open(family.path) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pread", fail)
            report = th.verify(store, is_repairing=True)
        assert report.damages
        assert report.set_aside == ()
    sound(family.path, family)
