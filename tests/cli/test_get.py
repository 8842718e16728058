"""`get` gives every byte back, where it was asked to."""

from __future__ import annotations

import filecmp
from pathlib import Path


def assert_equal_folders(left: Path, right: Path) -> None:
    names = sorted(path.name for path in left.iterdir())
    assert sorted(path.name for path in right.iterdir()) == names
    assert filecmp.cmpfiles(left, right, names, shallow=False) == (names, [], [])


def test_get_is_byte_exact(run, store_path: Path, family: Path, tmp_path: Path) -> None:
    """Sharded and delta-coded models come back as they were."""
    for name in ("base-sharded", "ft-lora"):
        outcome = run("get", f"local/{name}", tmp_path / name, "--json")
        assert outcome.code == 0
        assert outcome.json()["destination"] == str(tmp_path / name)
        assert_equal_folders(family / name, tmp_path / name)


def test_default_destination(run, store_path: Path, family: Path, tmp_path: Path, monkeypatch) -> None:
    """Without DEST the files go to ./NAME."""
    monkeypatch.chdir(tmp_path)
    outcome = run("get", "local/base")
    assert outcome.code == 0
    assert "every byte verified" in outcome.stdout
    assert_equal_folders(family / "base", tmp_path / "base")


def test_only_some_files(run, store_path: Path, tmp_path: Path) -> None:
    """--file may be repeated; what is not there is said."""
    outcome = run("get", "local/base", tmp_path / "x", "--file", "config.json", "--file", "README.md")
    assert outcome.code == 0
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["README.md", "config.json"]
    assert run("get", "local/base", tmp_path / "y", "--file", "nope.json").code == 10


def test_overwrite_is_asked_for(run, store_path: Path, family: Path, tmp_path: Path) -> None:
    """A file that differs is kept, unless --overwrite says otherwise."""
    target = tmp_path / "x"
    target.mkdir()
    (target / "config.json").write_text("mine")
    assert run("get", "local/base", target).code == 11
    assert (target / "config.json").read_text() == "mine"
    assert run("get", "local/base", target, "--overwrite").code == 0
    assert_equal_folders(family / "base", target)
