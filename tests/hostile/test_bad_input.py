"""What bad input gets: one clear error for each situation, with its exit code, and nothing lost."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import tensorhub as th
from tensorhub import errors
from tensorhub.store.layout import Layout

from .conftest import Family, read_all


def check_parts(error: th.TensorHubError, exit_code: int) -> None:
    """Require what, expected, found, what to do; and the exit code of the branch."""
    assert error.exit_code == exit_code
    for part in (error.thing, error.expected, error.found, error.action):
        assert part and part in str(error)


def check_nothing_lost(family: Family) -> None:
    with th.Store.open(family.path) as store:
        assert read_all(store, family) == family.contents
        assert th.verify(store).is_sound
    leftover = Layout(family.path).temporary
    assert not leftover.exists() or not list(leftover.iterdir())


def test_not_a_store(tmp_path: Path):
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "file" / "below"):
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(errors.StoreNotFoundError) as caught:
            th.Store.open(path)
        check_parts(caught.value, 10)
        assert "tensorhub init" in str(caught.value)


def test_a_store_where_something_else_is(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(errors.AlreadyExistsError) as caught:
        th.Store.create(tmp_path)
    check_parts(caught.value, 11)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("change", [{"format_version": 2}, {"digest": "sha3"}, {"cipher": "aes-gcm"}])
def test_a_store_of_a_newer_version(family: Family, change: dict[str, object]):
    hub = family.path / "hub.json"
    text = hub.read_text()
    hub.write_text(json.dumps(json.loads(text) | change))
    with pytest.raises(errors.UnsupportedVersionError, match="Upgrade") as caught:
        th.Store.open(family.path)
    check_parts(caught.value, 12)
    hub.write_text(text)
    check_nothing_lost(family)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "{",
        '{"format": "other", "format_version": 1}',
        '{"format": "tensorhub"}',
        "[" * 9000,
    ]
    + [
        '{"format": "tensorhub", "format_version": VALUE}'.replace("VALUE", value)
        for value in ("true", '"1"', "0", "-1", "1.0", "1e999")
    ],
)
def test_a_store_with_broken_settings(family: Family, text: str):
    (family.path / "hub.json").write_text(text)
    with pytest.raises(errors.CorruptIndexError) as caught:
        th.Store.open(family.path)
    check_parts(caught.value, 13)


def test_a_missing_file(family: Family, tmp_path: Path):
    with th.Store.open(family.path) as store:
        for add in (
            lambda: th.add_folder(store, tmp_path / "nowhere", "a/new"),
            lambda: th.add_files(store, [tmp_path / "nowhere"], "a/new"),
        ):
            with pytest.raises(errors.NotFoundError) as caught:
                add()
            check_parts(caught.value, 10)
        for read in (
            lambda: store.read("a/base", "nowhere"),
            lambda: store.read("a/nobody", "x"),
            lambda: store.read("a/base", "README.md", revision="nowhere"),
            lambda: store.read_tensor("a/base", "nothing"),
        ):
            with pytest.raises(errors.NotFoundError) as caught:
                read()
            check_parts(caught.value, 10)
    check_nothing_lost(family)


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../../x", "", ".", "a//b", "a/./b", "a\0b", "a/", "x" * 5000, "\udc80"]
)
def test_a_path_that_leaves_the_repository(family: Family, path: str):
    with th.Store.open(family.path) as store, store.begin_commit("a/base") as commit:
        with pytest.raises(errors.InvalidNameError) as caught:
            commit.put_file(path, b"x")
        assert caught.value.exit_code == 2
        assert caught.value.action
    check_nothing_lost(family)


def test_get_never_writes_through_a_link(family: Family, tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    destination = tmp_path / "destination"
    destination.mkdir()
    (destination / "notes").symlink_to(outside)
    with th.Store.open(family.path) as store, pytest.raises(errors.InvalidNameError) as caught:
        th.restore(store, "a/tuned", destination, overwrite=True)
    check_parts(caught.value, 2)
    assert not list(outside.iterdir())


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../x", "a/..", "a b", "a/b.git", "-a", "a--b", "ä/b", "a/" + "x" * 97]
)
def test_an_invalid_repository_name(family: Family, name: str):
    with th.Store.open(family.path) as store, pytest.raises(errors.InvalidNameError) as caught:
        store.begin_commit(name)
    assert caught.value.exit_code == 2
    assert caught.value.action
    check_nothing_lost(family)


@pytest.mark.parametrize("name", ["", "a b", "..", "x/", "refs/odd/x", "a\\b", "0" * 40, "ä" * 60, "x" * 241])
def test_an_invalid_ref_name(family: Family, name: str):
    with th.Store.open(family.path) as store, pytest.raises(errors.InvalidNameError) as caught:
        store.begin_commit("a/base", revision=name)
    assert caught.value.exit_code == 2
    check_nothing_lost(family)


def test_a_corrupt_pack(family: Family):
    pack = family.pack_of("a/base")
    pack.write_bytes(b"not a pack any more")
    with th.Store.open(family.path) as store:
        with pytest.raises(errors.CorruptPackError) as caught:
            store.read("a/base", "README.md")
        check_parts(caught.value, 13)
        assert caught.value.pack == pack.stem
        assert store.read("b/small", "config.json") == family.contents["b/small", "config.json"]
        assert pack.stem in {damage.thing for damage in th.verify(store).damages}


def test_a_truncated_pack_at_every_length_of_its_tail(family: Family):
    pack = family.pack_of("b/small")
    data = pack.read_bytes()
    with th.Store.open(family.path) as store:
        for length in range(len(data)):
            pack.write_bytes(data[:length])
            with pytest.raises(errors.CorruptPackError):
                store.reader.forget()
                from tensorhub.store.pack import PackFile

                PackFile(pack, th.Digest.parse(pack.stem)).read_table(store.settings.store_id)
            if length % 97 == 0:
                for key, found in read_all(store, family).items():
                    assert found == family.contents[key] or isinstance(found, errors.IntegrityError)
                    assert found == family.contents[key] or key[0] == "b/small"
    pack.write_bytes(data)
    check_nothing_lost(family)


def test_a_truncated_catalogue(family: Family):
    catalog = family.path / "catalog.sqlite"
    data = catalog.read_bytes()
    for length in [*range(1, 200, 23), *range(200, len(data), 1999), len(data) - 1]:
        catalog.write_bytes(data[:length])
        with pytest.raises(errors.CorruptIndexError, match="--rebuild-catalog") as caught:
            th.Store.open(family.path)
        check_parts(caught.value, 13)
    catalog.write_bytes(b"SQLite format 4\0" + bytes(5000))
    with pytest.raises(errors.CorruptIndexError, match="--rebuild-catalog"):
        th.Store.open(family.path)
    th.rebuild_catalog(family.path)
    check_nothing_lost(family)


@pytest.mark.parametrize("content", [None, b""])
def test_an_empty_or_missing_catalogue_is_made_anew(family: Family, content: bytes | None):
    catalog = family.path / "catalog.sqlite"
    catalog.unlink()
    if content is not None:
        catalog.write_bytes(content)
    check_nothing_lost(family)


def test_stray_files_are_left_alone(family: Family):
    folder = family.pack_of("a/base").parent
    (folder / ("z" * 64 + ".pack")).write_bytes(b"?")
    (folder / (family.pack_of("a/base").stem.upper() + ".pack")).write_bytes(b"?")
    (folder / "notes.txt").write_bytes(b"?")
    (family.path / "packs" / "zz").write_bytes(b"?")
    (family.path / "refs" / "model" / ".DS_Store").write_bytes(b"?")
    check_nothing_lost(family)


# -- disks -----------------------------------------------------------------------------------------------------


class FullDisk:
    """Makes the n-th write or fsync of this process fail, and all later ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, good_calls: int) -> None:
        self.calls = 0
        real = getattr(os, name)

        def fail(*arguments: object) -> object:
            self.calls += 1
            if self.calls > good_calls:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments)

        monkeypatch.setattr(os, name, fail)


@pytest.mark.parametrize("good_calls", range(8))
def test_a_disk_that_fills_up_at_any_sync(family: Family, monkeypatch: pytest.MonkeyPatch, good_calls: int):
    """Every fsync of a commit in turn: pack, its folders, ref, its folders."""
    with monkeypatch.context() as patch, th.Store.open(family.path) as store:
        disk = FullDisk(patch, "fsync", good_calls)
        try:
            with store.begin_commit("c/new") as commit:
                commit.put_file("x", b"x" * 5000)
                commit.publish()
        except errors.OutOfSpaceError as error:
            check_parts(error, 14)
            assert "nothing already kept is lost" in str(error)
        else:
            assert disk.calls <= good_calls
    check_nothing_lost(family)
    with th.Store.open(family.path) as store:
        with store.begin_commit("c/new") as commit:
            commit.put_file("x", b"x" * 5000)
            commit.publish()
        assert store.read("c/new", "x") == b"x" * 5000


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount a file system of its own at a folder; skips where this process may not."""
    folder.mkdir(exist_ok=True)
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system")
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.decode()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("free_nbytes", [0, 4096, 65536, 200_000])
def test_a_full_disk(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_nbytes: int):
    """A real one, with more or less room left: the error is clear, and the store works again with room."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    noise = os.urandom(700_000)
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=4m", "none"):
        shutil.copytree(family.path, disk / "store")
        copy = Family(disk / "store", family.folders)
        ballast = disk / "ballast"
        fill(ballast, free_nbytes)
        with (
            pytest.raises(errors.OutOfSpaceError) as caught,
            th.Store.open(copy.path) as store,
            store.begin_commit("c/new") as commit,
        ):
            commit.put_file("noise", noise)
            commit.publish()
        check_parts(caught.value, 14)
        with th.Store.open(copy.path) as store:
            assert read_all(store, family) == family.contents
        ballast.unlink()
        check_nothing_lost(copy)
        with th.Store.open(copy.path) as store:
            with store.begin_commit("c/new") as commit:
                commit.put_file("noise", noise)
                commit.publish()
            assert store.read("c/new", "noise") == noise


def fill(ballast: Path, free_nbytes: int) -> None:
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                break
        file.truncate(max(0, file.tell() - free_nbytes))


def check_read_only(family: Family, cache: Path) -> None:
    """Read with a catalogue in the user's cache folder; writing is refused with a clear error."""
    with th.Store.open(family.path) as store:
        assert read_all(store, family) == family.contents
        assert th.verify(store).is_sound
        assert store.catalog.path.is_relative_to(cache)
        for write in (
            lambda: store.begin_commit("a/base"),
            lambda: store.create_repository("a/new"),
            lambda: store.delete_ref("a/base", "main"),
            lambda: store.delete_repository("a/base"),
            lambda: th.collect_garbage(store),
            lambda: th.verify(store, is_repairing=True),
        ):
            with pytest.raises(errors.BackendPermissionError) as caught:
                write()
            check_parts(caught.value, 14)
    with pytest.raises(errors.BackendPermissionError):
        th.Store.create(family.path / "below")


def test_a_read_only_disk(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    disk = tmp_path / "disk"
    with mounted(disk, "--bind", str(family.path)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(disk)], check=True)
        check_read_only(Family(disk, family.folders), tmp_path)
    check_nothing_lost(family)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folders = [family.path, *(path for path in family.path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        check_read_only(family, tmp_path)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    check_nothing_lost(family)


def test_an_interrupted_add(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever was seen of the folder before, no half of it is visible, and adding again completes."""
    from tensorhub.store.ingest import Ingest

    real, calls = Ingest.submit, iter(range(100))

    def interrupt(self: Ingest, *arguments: object) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt
        real(self, *arguments)  # type: ignore[arg-type]

    with th.Store.open(family.path) as store:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Ingest, "submit", interrupt)
            th.add_folder(store, family.folders["a/base"], "c/new")
        with pytest.raises(errors.RepositoryNotFoundError):
            store.refs("c/new")
    check_nothing_lost(family)
    with th.Store.open(family.path) as store:
        assert th.add_folder(store, family.folders["a/base"], "c/new").is_new_commit
        assert store.read("c/new", "README.md") == family.contents["a/base", "README.md"]


def test_another_writer_won(family: Family):
    with th.Store.open(family.path) as store, store.begin_commit("a/base") as slow:
        slow.put_file("x", b"slow")
        with store.begin_commit("a/base") as fast:
            fast.put_file("x", b"fast")
            fast.publish()
        with pytest.raises(errors.RevisionMovedError) as caught:
            slow.publish()
        check_parts(caught.value, 11)
    with th.Store.open(family.path) as store:
        assert store.read("a/base", "x") == b"fast"
