"""`rm` removes only after a yes, and says what that frees."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorhub.cli import rm


def list_names(run) -> list[str]:
    return [item["repo_id"] for item in run("ls", "--json").json()]


def test_nobody_to_ask(run, store_path: Path) -> None:
    """Without a terminal and without --yes nothing is removed."""
    for options in ((), ("--json",)):
        assert run("rm", "local/base", *options).code == 2
    assert "local/base" in list_names(run)


def test_dry_run(run, store_path: Path) -> None:
    """It says what would be freed, needs no yes, and changes nothing."""
    result = run("rm", "local/ft-lora", "--dry-run", "--json").json()
    assert result["is_dry_run"] is True
    assert result["freed_nbytes"] > 0
    assert result["kept_for_others_nbytes"] > 0
    assert "would be freed" in run("rm", "local/ft-lora", "--dry-run").stdout
    assert "local/ft-lora" in list_names(run)


def test_yes(run, store_path: Path) -> None:
    """--yes removes; what others need stays readable."""
    outcome = run("rm", "local/base", "--yes")
    assert outcome.code == 0
    assert "local/base" not in list_names(run)
    assert run("gc", "--grace", "0").code == 0
    assert run("verify").code == 0


def test_one_ref(run, store_path: Path, family: Path) -> None:
    """--revision removes that ref and leaves the others."""
    run("add", family / "lora-adapter", "--name", "local/base", "--revision", "next")
    assert run("rm", "local/base", "--revision", "next", "--yes", "--json").json()["removed"] == [
        "refs/heads/next"
    ]
    assert [ref["name"] for ref in run("show", "local/base", "--json").json()["refs"]] == ["refs/heads/main"]
    assert run("rm", "local/base", "--revision", "next", "--yes").code == 10


def test_squash(run, store_path: Path, family: Path) -> None:
    """--squash keeps the files and drops the history."""
    run("add", family / "lora-adapter", "--name", "local/base")
    before = run("show", "local/base", "--json").json()
    assert len(before["commits"]) == 2
    assert run("rm", "local/base", "--squash", "--yes").code == 0
    after = run("show", "local/base", "--json").json()
    assert len(after["commits"]) == 1
    assert after["files"] == before["files"]


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 1)])
def test_a_person_is_asked(
    answer: bool, code: int, run, store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a terminal the answer decides."""
    monkeypatch.setattr(rm, "is_person_there", lambda: True)
    monkeypatch.setattr(rm, "confirm", lambda question: answer)
    outcome = run("rm", "local/base")
    assert outcome.code == code
    assert "would be freed" in outcome.stdout
    assert ("local/base" in list_names(run)) is not answer
