"""`visibility` says and sets who may read a repository."""

from __future__ import annotations


def test_say_and_set(run, store_path) -> None:
    """Private until set; set as it is written or not; what does not exist is not found."""
    assert run("visibility", "local/base", "--json").json() == {
        "repository": "local/base",
        "visibility": "private",
    }
    assert not (store_path / "state.sqlite").exists()
    assert "public" in run("visibility", "LOCAL/Base", "public").stdout
    assert run("visibility", "local/base", "--json").json()["visibility"] == "public"
    assert run("visibility", "local/base", "private", "--json").json()["visibility"] == "private"
    assert run("visibility", "local/nothing", "public").code == 10
    assert run("visibility", "local/base", "--type", "dataset").code == 10
    assert run("visibility", "local/base", "secret").code == 2


def test_a_removed_repository_leaves_none(run, store_path, family) -> None:
    """A later repository of the same name is private again; removing makes no state where none is."""
    run("rm", "local/ft-lora", "--yes")
    assert not (store_path / "state.sqlite").exists()
    run("visibility", "local/base", "public")
    run("rm", "local/base", "--dry-run")
    assert run("visibility", "local/base", "--json").json()["visibility"] == "public"
    run("rm", "Local/base", "--yes")
    run("add", family / "base", "--name", "local/base")
    assert run("visibility", "local/base", "--json").json()["visibility"] == "private"
    assert "repository.delete" in [entry["action"] for entry in run("audit", "--json").json()]
