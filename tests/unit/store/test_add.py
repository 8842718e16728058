"""The meaning of adding folders and files."""

import os
from pathlib import Path

import pytest

from tensorhub import Mode, Store, add_files, add_folder, stats
from tensorhub.errors import InvalidNameError, NotFoundError, SourceChangedError, UsageError
from tensorhub.schema.records import FileMode
from tensorhub.store import digesting, ingest, kept_bytes

from ...weights import assert_sound, noise, read_all, safetensors, tuned, weights, write_folder


def test_a_folder_becomes_the_tree(store: Store, tmp_path: Path) -> None:
    """The second folder replaces the first as a whole; history keeps both."""
    first = {"a.txt": b"a", "sub/b.txt": b"b"}
    second = {"a.txt": b"A", "c": b""}
    one = add_folder(store, write_folder(tmp_path / "1", first), "a/b", message="One\n\nbecause")
    two = add_folder(store, write_folder(tmp_path / "2", second), "a/b")
    assert (one.is_new_commit, two.is_new_commit) == (True, True)
    assert read_all(store, "a/b") == second
    assert read_all(store, "a/b", one.commit_id) == first
    newest, oldest = store.commits("a/b")
    assert newest.parents == (oldest.commit_id,) == (one.commit_id,)
    assert (oldest.title, oldest.message, newest.title) == ("One", "because", "Add folder 2")
    assert (two.files, two.nbytes, two.added_nbytes) == (2, 1, 1)


def test_an_identical_tree_makes_no_commit(store: Store, tmp_path: Path) -> None:
    """Adding the same folder again changes neither refs nor packs."""
    folder = write_folder(
        tmp_path / "f", {"x": noise(9000, 1), "m.safetensors": safetensors({"w": weights((9, 9), 1)})}
    )
    first = add_folder(store, folder, "a/b")
    before = store.layout.list_packs()
    again = add_folder(store, folder, "a/b", message="other words")
    assert (again.is_new_commit, again.commit_id) == (False, first.commit_id)
    assert (again.new_nbytes, again.stored_nbytes) == (0, 0)
    assert store.layout.list_packs() == before
    assert len(store.commits("a/b")) == 1
    assert add_folder(store, folder, "a/b", revision="dev").is_new_commit


def test_modes_are_part_of_the_tree(store: Store, tmp_path: Path) -> None:
    """A changed executable bit alone is a new tree, without new content."""
    folder = write_folder(tmp_path / "f", {"run.sh": b"#!/bin/sh\n"})
    add_folder(store, folder, "a/b")
    (folder / "run.sh").chmod(0o755)
    result = add_folder(store, folder, "a/b")
    assert (result.is_new_commit, result.new_nbytes) == (True, 0)
    assert store.files("a/b")[0].mode == "executable"


def test_files_lay_over(store: Store, tmp_path: Path) -> None:
    """Files replace or join those of the present tree, each under its own name."""
    add_folder(store, write_folder(tmp_path / "f", {"a": b"1", "b": b"2", "sub/c": b"3"}), "a/b")
    other = write_folder(tmp_path / "g", {"deep/b": b"two", "c": b"new"})
    add_files(store, [other / "deep/b", other / "c"], "a/b")
    assert read_all(store, "a/b") == {"a": b"1", "b": b"two", "sub/c": b"3", "c": b"new"}


def test_files_that_cannot_be_laid(store: Store, tmp_path: Path) -> None:
    """No files, two of one name, a missing one, one where a folder is: nothing is stored."""
    folder = write_folder(tmp_path / "f", {"a": b"1", "x/a": b"2", "sub": b"3"})
    for files, error in (
        ([], UsageError),
        ([folder / "a", folder / "x/a"], UsageError),
        ([folder / "z"], NotFoundError),
    ):
        with pytest.raises(error):
            add_files(store, files, "a/b")
    assert store.repositories() == []
    add_folder(store, write_folder(tmp_path / "g", {"sub/c": b"3"}), "a/b")
    with pytest.raises(InvalidNameError, match="folder"):
        add_files(store, [folder / "sub"], "a/b")
    assert read_all(store, "a/b") == {"sub/c": b"3"}


def test_names_are_checked_first(store: Store, tmp_path: Path) -> None:
    """Names that collide or are not UTF-8 are refused before anything is written."""
    folder = write_folder(tmp_path / "f", {"a": noise(5000, 1), "Readme": b"", "README": b""})
    with pytest.raises(InvalidNameError):
        add_folder(store, folder, "a/b")
    (folder / "README").unlink()
    (folder / os.fsdecode(b"\xff")).write_bytes(b"x")
    with pytest.raises(InvalidNameError):
        add_folder(store, folder, "a/b")
    assert store.layout.list_packs() == {}
    assert store.repositories() == []


def test_links(store: Store, tmp_path: Path) -> None:
    """Links inside the folder stay links; others are followed, with a notice."""
    (tmp_path / "outside").write_bytes(b"outside")
    folder = write_folder(tmp_path / "f", {"real/a": b"a"})
    (folder / "link").symlink_to("real/a")
    (folder / "out").symlink_to("../outside")
    result = add_folder(store, folder, "a/b")
    assert {info.path: info.mode for info in store.files("a/b")} == {
        "real/a": "file", "link": "symlink", "out": "file",
    }  # fmt: skip
    assert store.read("a/b", "link") == b"a"
    assert store.read("a/b", "out") == b"outside"
    assert result.notices


def test_empty_folder(store: Store, tmp_path: Path) -> None:
    """An empty folder makes a commit with an empty tree, once."""
    assert add_folder(store, write_folder(tmp_path / "f", {}), "a/b").is_new_commit
    assert not add_folder(store, tmp_path / "f", "a/b").is_new_commit
    assert read_all(store, "a/b") == {}
    assert_sound(store)


def test_source_that_changes(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is written to while it is added makes no commit."""
    monkeypatch.setattr(digesting, "KEEP_NBYTES", 0)
    monkeypatch.setattr(kept_bytes, "BUDGET_NBYTES", 0)
    folder = write_folder(tmp_path / "f", {"x": noise(300_000, 1)})
    digest = ingest.digest_segment

    def disturbed(*args: object) -> ingest.Digested:
        found = digest(*args)  # type: ignore[arg-type]
        (folder / "x").write_bytes(noise(300_000, 2))
        return found

    monkeypatch.setattr(ingest, "digest_segment", disturbed)
    with pytest.raises(SourceChangedError):
        add_folder(store, folder, "a/b")
    assert store.repositories() == []
    monkeypatch.undo()
    add_folder(store, folder, "a/b")
    assert read_all(store, "a/b") == {"x": noise(300_000, 2)}


def test_what_is_told(store: Store, tmp_path: Path) -> None:
    """A result says what was new, what was coded as delta, and against whose tensors."""
    base = {"w": weights((128, 320), 1), "v": weights((128, 300), 2)}
    add_folder(store, write_folder(tmp_path / "base", {"m.safetensors": safetensors(base)}), "org/base")
    child = safetensors({"w": tuned(base["w"], 3), "v": base["v"]})
    result = add_folder(store, write_folder(tmp_path / "child", {"m.safetensors": child}), "me/child")
    assert result.bases == {"org/base": 1}
    assert result.delta_nbytes == base["w"].nbytes
    assert result.added_nbytes == len(child)
    assert base["w"].nbytes <= result.new_nbytes < base["w"].nbytes + 1000
    assert 0 < result.stored_nbytes < base["w"].nbytes // 4
    assert result.tensors == 2
    found = stats(store)
    assert found.saved.delta > 0
    assert base["v"].nbytes <= found.saved.identical_tensors < base["v"].nbytes + 1000
    assert_sound(store)


def test_mode_of_a_single_file(store: Store, tmp_path: Path) -> None:
    """The executable bit of a single file is kept."""
    (tmp_path / "tool").write_bytes(b"x")
    (tmp_path / "tool").chmod(0o700)
    add_files(store, [tmp_path / "tool"], "a/b")
    assert store.snapshots.snapshot("a/b").entry("tool").mode is FileMode.EXECUTABLE


@pytest.mark.usefixtures("modes")
def test_mode_of_an_add(tmp_path: Path) -> None:
    """An add takes the store's mode, or another one for once; what is stored already stays as it is."""
    model = {"m.safetensors": safetensors({"w": weights((200, 300), 1)})}
    folder = write_folder(tmp_path / "model", model)
    stored: dict[str, int] = {}
    for mode in Mode:
        with Store.create(tmp_path / mode.value, mode=mode.value) as store:
            assert store.mode is mode
            stored[mode.value] = add_folder(store, folder, "a/b").stored_nbytes
            assert add_folder(store, folder, "c/d", mode="fast").stored_nbytes == 0
            assert read_all(store, "a/b") == model
            assert_sound(store)
    assert stored["fast"] > stored["balanced"] > stored["max"]
    with Store.create(tmp_path / "hub") as store:
        files = [folder / "m.safetensors"]
        assert add_files(store, files, "a/b", mode=Mode.FAST).stored_nbytes == stored["fast"]
        assert add_files(store, files, "c/d", mode=Mode.MAX).stored_nbytes == 0
        with pytest.raises(UsageError):
            add_folder(store, folder, "e/f", mode="slow")
        assert len(store.repositories()) == 2
