"""Restoring: byte for byte, never through links, never outside."""

import os
import time
from pathlib import Path

import pytest

from tensorhub import FileMode, Store, add_folder, restore
from tensorhub.errors import (
    AlreadyExistsError,
    FileEntryNotFoundError,
    IntegrityError,
    InvalidNameError,
    TensorHubError,
)
from tensorhub.schema.digest import Digest
from tensorhub.store.reader import BlobReader

from ...weights import noise, put, safetensors, tuned, weights, write_folder

BASE = weights((1200, 1024), 1)
FILES = {
    "m.safetensors": safetensors({"w": BASE, "v": weights((40, 40), 2)}),
    "n.safetensors": safetensors({"w": tuned(BASE, 3)}),
    "sub/deep/x.bin": noise(1_500_000, 4),
    "sub/empty": b"",
    "ünï/文.txt": b"text",
}


def found_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_byte_for_byte(store: Store, tmp_path: Path, workers: int) -> None:
    """Every file comes back, with any number of workers; nothing else is there."""
    put(store, "a/b", FILES)
    result = restore(store, "a/b", tmp_path / "out", workers=workers)
    assert found_in(tmp_path / "out") == FILES
    assert (result.files, result.nbytes) == (5, sum(map(len, FILES.values())))
    assert not result.is_partial


def test_some_of_it(store: Store, tmp_path: Path) -> None:
    """Paths may be files or folders; an unknown one is told before anything is written."""
    put(store, "a/b", FILES)
    restore(store, "a/b", tmp_path / "out", paths=["sub", "ünï/文.txt", "sub/empty"])
    assert sorted(found_in(tmp_path / "out")) == ["sub/deep/x.bin", "sub/empty", "ünï/文.txt"]
    with pytest.raises(FileEntryNotFoundError):
        restore(store, "a/b", tmp_path / "other", paths=["sub", "su"])
    assert not (tmp_path / "other").exists()


def test_modes_and_links(store: Store, tmp_path: Path) -> None:
    """Executable bits and links inside the folder come back."""
    folder = write_folder(tmp_path / "in", {"run": b"x", "sub/data": b"d"})
    (folder / "run").chmod(0o755)
    (folder / "sub/up").symlink_to("../run")
    (folder / "dir").symlink_to("sub")
    (folder / "nowhere").symlink_to("sub/missing")
    add_folder(store, folder, "a/b")
    restore(store, "a/b", tmp_path / "out")
    out = tmp_path / "out"
    assert os.access(out / "run", os.X_OK)
    assert not os.access(out / "sub/data", os.X_OK) or os.geteuid() != 0
    assert not (out / "sub/data").stat().st_mode & 0o111
    assert {name: str((out / name).readlink()) for name in ("sub/up", "dir", "nowhere")} == {
        "sub/up": "../run", "dir": "sub", "nowhere": "sub/missing",
    }  # fmt: skip
    assert not add_folder(store, out, "a/b").is_new_commit


def test_existing_files(store: Store, tmp_path: Path) -> None:
    """An existing file, or link, stops everything before the first write, unless it may be replaced."""
    put(store, "a/b", {"a": b"new", "b": b"new"})
    out = write_folder(tmp_path / "out", {"b": b"mine", "other": b"stays"})
    with pytest.raises(AlreadyExistsError) as caught:
        restore(store, "a/b", out)
    assert caught.value.path == str(out / "b")
    assert found_in(out) == {"b": b"mine", "other": b"stays"}
    restore(store, "a/b", out, overwrite=True)
    assert found_in(out) == {"a": b"new", "b": b"new", "other": b"stays"}
    (out / "a").unlink()
    (out / "a").symlink_to("nowhere")
    with pytest.raises(AlreadyExistsError):
        restore(store, "a/b", out, paths=["a"])
    restore(store, "a/b", out, paths=["a"], overwrite=True)
    assert not (out / "a").is_symlink()


def test_links_in_the_way(store: Store, tmp_path: Path) -> None:
    """Nothing is written through a link, even if files may be replaced."""
    put(store, "a/b", {"sub/x": b"new"})
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/x").write_bytes(b"precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sub").symlink_to("../precious")
    with pytest.raises(InvalidNameError):
        restore(store, "a/b", tmp_path / "out", overwrite=True)
    (tmp_path / "out/sub").unlink()
    (tmp_path / "out/sub").mkdir()
    (tmp_path / "out/sub/x").symlink_to("../../precious/x")
    restore(store, "a/b", tmp_path / "out", overwrite=True)
    assert (tmp_path / "precious/x").read_bytes() == b"precious"
    assert (tmp_path / "out/sub/x").read_bytes() == b"new"


def test_a_file_where_a_folder_must_be(store: Store, tmp_path: Path) -> None:
    """A file in the place of a folder is an error of the tree, and stays."""
    put(store, "a/b", {"sub/x": b"new"})
    out = write_folder(tmp_path / "out", {"sub": b"file"})
    with pytest.raises(TensorHubError):
        restore(store, "a/b", out, overwrite=True)
    assert found_in(out) == {"sub": b"file"}


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_links_that_would_leave(store: Store, tmp_path: Path, target: str) -> None:
    """A snapshot that was not made by add cannot plant a link that leads outside."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("link", target.encode(), mode=FileMode.SYMLINK)
        transaction.publish()
    with pytest.raises(InvalidNameError):
        restore(store, "a/b", tmp_path / "out")
    assert not (tmp_path / "out/link").is_symlink()


def test_links_through_links(store: Store, tmp_path: Path) -> None:
    """Two links that are harmless alone do not together lead outside."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("here", b".", mode=FileMode.SYMLINK)
        transaction.put_file("out", b"here/../secret", mode=FileMode.SYMLINK)
        transaction.publish()
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(InvalidNameError):
        restore(store, "a/b", tmp_path / "out")
    assert not (tmp_path / "out/out").exists()


def test_damage_leaves_no_file(store: Store, tmp_path: Path) -> None:
    """A file that cannot be proven does not appear, and neither does its temporary sibling."""
    put(store, "a/b", {"x": noise(1_500_000, 1)})
    put(store, "a/b", {"a": b"fine"}, keep=True)
    segment = store.snapshots.file_record(store.snapshots.snapshot("a/b").entry("x").file).segments[0]
    pack = store.reader.record(segment.digest).chunks[-1].stored
    assert pack.pack is not None
    path = store.layout.pack(pack.pack)
    data = bytearray(path.read_bytes())
    data[pack.offset + 3] ^= 1
    path.write_bytes(data)
    store.reader.forget()
    with pytest.raises(IntegrityError):
        restore(store, "a/b", tmp_path / "out")
    assert found_in(tmp_path / "out") == {"a": b"fine"}


def test_an_old_revision(store: Store, tmp_path: Path) -> None:
    """Any commit that a ref reaches can be restored."""
    old = put(store, "a/b", {"x": b"1"}).commit_id
    put(store, "a/b", {"x": b"2"})
    result = restore(store, "a/b", tmp_path / "out", revision=old[:8])
    assert (result.commit_id, found_in(tmp_path / "out")) == (old, {"x": b"1"})


def test_an_error_leaves_no_job_behind(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks still in flight when one is damaged are never written to a file that got the descriptor's number."""
    put(store, "a/b", {"w": noise(8 << 20, 1)})
    read_into = BlobReader.read_into

    def slow(self: BlobReader, digest: Digest, start: int, out: memoryview) -> None:
        if not start:
            raise IntegrityError("chunk", expected="sound", found="damaged")
        time.sleep(0.1)
        read_into(self, digest, start, out)

    close, reopened = os.close, []

    def close_and_reopen(descriptor: int) -> None:
        close(descriptor)
        reopened.append(os.open(victim, os.O_RDWR))  # gets the number that was just freed

    victim = tmp_path / "victim"
    victim.write_bytes(b"V" * 100)
    monkeypatch.setattr(BlobReader, "read_into", slow)
    with monkeypatch.context() as patch:
        patch.setattr("tensorhub.store.restore.os.close", close_and_reopen)
        with pytest.raises(IntegrityError):
            restore(store, "a/b", tmp_path / "out", workers=2)
    for descriptor in reopened:
        close(descriptor)
    assert reopened
    assert victim.read_bytes() == b"V" * 100
    assert not list((tmp_path / "out").iterdir())
