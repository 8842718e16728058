"""`state` copies what was decided, and brings it back."""

from __future__ import annotations

from pathlib import Path

import pytest

import tensorhub as th
from tensorhub.cli import state
from tensorhub.store.retention import retention_epoch


def test_backup_and_restore(run, store_path: Path, tmp_path: Path) -> None:
    """What was decided since is gone, and the restoring is recorded."""
    copy = tmp_path / "copy.sqlite"
    assert run("state", "backup", copy).code == 10
    run("user", "add", "ada")
    assert run("state", "backup", copy, "--json").json()["backup"] == str(copy)
    assert run("state", "backup", copy).code == 11
    run("user", "add", "bob")
    assert run("state", "restore", copy).code == 2
    assert run("state", "restore", copy, "--yes").code == 0
    assert [item["name"] for item in run("user", "list", "--json").json()] == ["ada"]
    assert run("audit", "--json").json()[0]["action"] == "state.restore"
    with th.Store.open(store_path) as store:
        assert retention_epoch(store) != "0"  # what clients remember of uploads since then is void
    assert run("state", "restore", tmp_path / "none", "--yes").code == 10
    copy.chmod(0o600)
    copy.write_bytes(copy.read_bytes()[:5000])
    assert run("state", "restore", copy, "--yes").code == 13


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked(
    answer: bool, run, store_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal the answer decides."""
    run("user", "add", "ada")
    run("state", "backup", tmp_path / "copy")
    run("user", "add", "bob")
    monkeypatch.setattr(state, "is_person_there", lambda: True)
    monkeypatch.setattr(state, "confirm", lambda question: answer)
    assert run("state", "restore", tmp_path / "copy").code == (0 if answer else 1)
    assert len(run("user", "list", "--json").json()) == (1 if answer else 2)


def test_a_damaged_state_stops_the_commands(run, store_path: Path) -> None:
    """Nobody is made a user over a damaged state, and it is not taken for none."""
    run("user", "add", "ada")
    file = store_path / "state.sqlite"
    file.write_bytes(b"")
    for command in (("user", "list"), ("user", "add", "eve", "--admin"), ("token", "list"), ("gc",)):
        outcome = run(*command)
        assert outcome.code == 13, command
        assert "state restore" in outcome.stderr
    assert run("ls").code == 0
    found = run("verify", "--json")
    assert found.code == 13
    assert [damage["kind"] for damage in found.json()["damages"]] == ["state"]
