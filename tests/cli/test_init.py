"""`init` makes a store, once."""

from __future__ import annotations

from pathlib import Path

import tensorhub as th


def test_init_makes_a_store(run, tmp_path: Path) -> None:
    """The store is where it was asked for, and opens."""
    outcome = run("init", tmp_path / "hub", "--json")
    assert outcome.code == 0
    with th.Store.open(tmp_path / "hub") as store:
        assert outcome.json() == {"store": str(store.path), "store_id": store.store_id, "mode": "balanced"}


def test_init_refuses_an_existing_store(run, store_path: Path) -> None:
    """A store is never overwritten."""
    outcome = run("init", "--json")
    assert (outcome.code, outcome.stdout) == (11, "")
    assert outcome.error()["error"] == "AlreadyExistsError"
    assert run("ls").code == 0


def test_init_takes_one_place(run, tmp_path: Path) -> None:
    """PATH and --store together are refused."""
    assert run("init", tmp_path / "a", "--store", tmp_path / "b").code == 2
    assert list(tmp_path.iterdir()) == []


def test_init_says_where(run, tmp_path: Path) -> None:
    """A person reads the place."""
    outcome = run("--store", tmp_path / "hub", "init")
    assert outcome.stdout == f"New store at {tmp_path / 'hub'}\n"


def test_init_with_a_mode(run, tmp_path: Path) -> None:
    """The mode stays with the store; another word is a usage error, and makes none."""
    assert run("init", tmp_path / "hub", "--mode", "max", "--json").json()["mode"] == "max"
    with th.Store.open(tmp_path / "hub") as store:
        assert store.mode is th.Mode.MAX
    assert run("--store", tmp_path / "hub", "info", "--json").json()["mode"] == "max"
    assert run("--store", tmp_path / "hub", "stats", "--json").json()["mode"] == "max"
    assert run("init", tmp_path / "other", "--mode", "slow").code == 2
    assert not (tmp_path / "other").exists()
