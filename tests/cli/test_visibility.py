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
