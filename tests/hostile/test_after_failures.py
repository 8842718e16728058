"""What a caller does after something went wrong, or behind the store's back, never costs content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tensorhub import Store, add_files, add_folder, collect_garbage, rebuild_catalog, verify
from tensorhub.errors import (
    BackendError,
    InvalidNameError,
    RevisionMovedError,
    SourceChangedError,
    StoreLockedError,
    TensorHubError,
)
from tensorhub.formats.source import FileSource
from tensorhub.store.ingest import KEEP_NBYTES
from tensorhub.store.progress import Quiet

from ..weights import noise, put, read_all, safetensors, tuned, weights, write_folder


class _Failing(FileSource):
    """A file whose disk fails when the second half is read."""

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        if offset + len(out) > 8192:
            raise BackendError("disk", expected="bytes", found="none")
        super().read_into(offset, out)


def test_nothing_is_published_after_a_failure(store: Store, tmp_path: Path) -> None:
    """A transaction in which a file could not be read stays failed, whatever its caller catches."""
    data = safetensors({"a": weights((16, 64), 1), "b": weights((128, 64), 2)})
    (tmp_path / "x").write_bytes(data)
    with store.begin_commit("a/b") as transaction:
        source = _Failing(tmp_path / "x")
        with pytest.raises(BackendError):
            transaction.put_file("x.safetensors", source)
            transaction.publish()
        for call in (
            transaction.publish,
            lambda: transaction.put_file("y", b"later"),
            lambda: transaction.put_file("x.safetensors", data),
        ):
            with pytest.raises(BackendError):
                call()
                transaction.publish()
        source.close()
    assert store.repositories() == []


def test_a_callers_source_stays_open(store: Store, tmp_path: Path) -> None:
    """A source that the caller opened may be put twice, and is the caller's to close."""
    (tmp_path / "x").write_bytes(noise(3000, 1))
    with FileSource(tmp_path / "x") as source, store.begin_commit("a/b") as transaction:
        transaction.put_file("1", source)
        transaction.totals  # noqa: B018 - nothing is closed by looking
        transaction.put_file("2", source)
        transaction.publish()
        source.read_into(0, bytearray(10))
    assert store.read("a/b", "1") == store.read("a/b", "2") == noise(3000, 1)


class _Meddler(Quiet):
    """Writes to a file as soon as some of it was taken."""

    def __init__(self, path: Path, mode: str) -> None:
        self.path, self.mode = path, mode

    def advance(self, nbytes: int) -> None:
        with self.path.open(self.mode) as file:
            file.write(b"later")
        os.utime(self.path, ns=(0, 10**18 + nbytes))


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_a_file_written_to_while_it_is_added(store: Store, tmp_path: Path, mode: str) -> None:
    """A tail that is appended, or a change behind the read position, makes no commit."""
    folder = write_folder(tmp_path / "f", {"x": noise(KEEP_NBYTES + 3000, 1)})
    with pytest.raises(SourceChangedError):
        add_folder(store, folder, "a/b", progress=_Meddler(folder / "x", mode))
    assert store.repositories() == []


def test_an_equal_tree_is_checked_too(store: Store, tmp_path: Path) -> None:
    """Adding what is there already does not claim so when it was removed meanwhile."""
    folder = write_folder(tmp_path / "f", {"x": noise(5000, 1)})
    add_folder(store, folder, "a/b")
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x", folder / "x")
        store.delete_repository("a/b")
        with pytest.raises((RevisionMovedError, StoreLockedError)):
            transaction.publish()


def test_damage_of_a_base_does_not_keep_files_out(store: Store, tmp_path: Path) -> None:
    """A tensor whose base turns out to be damaged is kept by itself."""
    base = weights((700, 512), 1)
    put(store, "a/base", {"m.safetensors": safetensors({"w": base})})
    (pack,) = store.layout.list_packs().values()
    damaged = bytearray(pack.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    pack.write_bytes(damaged)
    with Store.open(store.path) as fresh:
        put(fresh, "a/child", {"m.safetensors": safetensors({"w": tuned(base, 2)})})
        assert fresh.read("a/child", "m.safetensors") == safetensors({"w": tuned(base, 2)})


def test_a_folder_whose_name_is_not_utf8(store: Store, tmp_path: Path) -> None:
    """The folder's own name is nobody's path; it is written with escapes into the message."""
    folder = Path(os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\xfe"))
    try:
        write_folder(folder, {"x": b"x"})
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    add_folder(store, folder, "a/b")
    assert "udcff" in store.commits("a/b")[0].title


def test_colliding_names_are_refused_before_coding(store: Store, tmp_path: Path) -> None:
    """A file whose name differs in case only from one that is there is refused, and so is a file over a folder."""
    put(store, "a/b", {"README.md": b"one", "d/x": b"two"})
    for name in ("readme.md", "d"):
        path = write_folder(tmp_path / "f", {name: noise(100, 1)}) / name
        with pytest.raises(InvalidNameError):
            add_files(store, [path], "a/b")
    with store.begin_commit("a/b") as transaction:
        transaction.copy("d/x", "Readme.MD")
        with pytest.raises(InvalidNameError):
            transaction.publish()
    assert read_all(store, "a/b") == {"README.md": b"one", "d/x": b"two"}


def test_a_catalogue_built_anew_under_an_open_store(store: Store, tmp_path: Path) -> None:
    """A store that stays open sees what others publish in the new catalogue, and keeps the history."""
    put(store, "a/b", {"1": noise(1000, 1)})
    rebuild_catalog(store.path)
    with Store.open(store.path) as other:
        put(other, "a/b", {"2": noise(1000, 2)})
    assert len(store.commits("a/b")) == 2
    add_folder(store, write_folder(tmp_path / "f", {"3": noise(1000, 3)}), "a/b")
    assert len(store.commits("a/b")) == 3


def test_commits_through_two_catalogues(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hosts with a catalogue each see each other's commits, and neither drops history."""
    monkeypatch.setenv("TENSORHUB_CATALOG_DIR", str(tmp_path / "elsewhere"))
    with Store.open(store.path) as other:
        put(store, "a/b", {"1": noise(1000, 1)})
        assert read_all(other, "a/b") == {"1": noise(1000, 1)}
        add_folder(other, write_folder(tmp_path / "f", {"2": noise(1000, 2)}), "a/b")
    assert [len(item.parents) for item in store.commits("a/b")] == [1, 0]


def test_content_that_gc_took_through_another_catalogue(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that reuses what another host's gc has removed is not published."""
    put(store, "a/dead", {"x": noise(50_000, 1)})
    store.delete_repository("a/dead")
    monkeypatch.setenv("TENSORHUB_CATALOG_DIR", str(tmp_path / "elsewhere"))
    with Store.open(store.path) as other, other.begin_commit("a/new") as transaction:
        transaction.put_file("x", noise(50_000, 1))
        transaction.put_file("y", noise(50_000, 2))
        for path in store.layout.list_packs().values():
            path.unlink()
        with pytest.raises(TensorHubError):
            transaction.publish()
    put(store, "a/new", {"x": noise(50_000, 1)})
    assert read_all(store, "a/new") == {"x": noise(50_000, 1)}
    collect_garbage(store, grace_s=0)
    assert verify(store).is_sound
