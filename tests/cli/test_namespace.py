"""`namespace` says and sets what holds for a namespace."""

from __future__ import annotations


def test_say_and_set(run, store_path) -> None:
    """Public and without another name until set; saying writes nothing; what is no name is refused."""
    assert run("namespace", "team", "--json").json() == {
        "namespace": "team",
        "full_name": "team",
        "visibility": "public",
    }
    assert not (store_path / "state.sqlite").exists()
    assert "The Team" in run("namespace", "team", "--full-name", "The Team").stdout
    assert "private" in run("namespace", "Team", "--new-repositories", "private").stdout
    assert run("namespace", "TEAM", "--json").json() == {
        "namespace": "team",
        "full_name": "The Team",
        "visibility": "private",
    }
    assert run("namespace", "a--b").code == 2
    assert run("namespace", "team", "--new-repositories", "secret").code == 2
