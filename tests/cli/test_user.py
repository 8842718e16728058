"""`user` makes, changes and removes, and tells what the first and the last one mean."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tensorhub.cli import user


def names(run) -> list[str]:
    return [item["name"] for item in run("user", "list", "--json").json()]


def test_first_user(run, store_path) -> None:
    """The first user ends the time without, and should administer."""
    assert "takes everybody for its owner" in run("user", "list").stdout
    first = run("user", "add", "bob")
    assert first.code == 0
    assert "first user" in first.stdout
    assert "No user administers" in first.stdout
    second = run("user", "add", "ada", "--admin")
    assert "first user" not in second.stdout
    assert "No user administers" not in second.stdout
    assert names(run) == ["ada", "bob"]
    assert "administer the hub" in run("user", "list").stdout


def test_add_and_change(run, store_path) -> None:
    """Roles are given and taken; a second user of the same name is a conflict."""
    made = run(
        "user", "add", "Ada", "--namespace", "team:write", "--namespace", "other:read", "--json"
    ).json()
    assert made["namespaces"] == {"other": "read", "team": "write"}
    assert run("user", "add", "ADA").code == 11
    assert run("user", "add", "team").code == 11
    assert run("user", "add", "a/b").code == 2
    assert run("user", "add", "x", "--namespace", "team").code == 2
    changed = run(
        "user", "change", "ada", "--admin", "--leave", "other", "--namespace", "team:admin", "--json"
    ).json()
    assert (changed["is_admin"], changed["namespaces"]) == (True, {"team": "admin"})
    assert "No user administers" in run("user", "change", "ada", "--no-admin").stdout
    assert run("user", "change", "ada").code == 2
    assert run("user", "change", "nobody", "--admin").code == 10


def test_disable_and_enable(run, store_path) -> None:
    """A disabled user is listed as one."""
    run("user", "add", "ada")
    assert run("user", "disable", "ada", "--json").json()["is_disabled"] is True
    assert "disabled" in run("user", "list").stdout
    assert run("user", "enable", "ada").stdout == "ada: enabled\n"
    assert run("user", "enable", "nobody").code == 10


def test_remove_needs_a_yes(run, store_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is removed without one; removing the last one says what that means."""
    run("user", "add", "ada")
    run("token", "create", "ada")
    assert run("user", "remove", "ada").code == 2
    assert run("user", "remove", "ada", "--json").code == 2
    monkeypatch.setattr(user, "is_person_there", lambda: True)
    monkeypatch.setattr(user, "confirm", lambda question: False)
    declined = run("user", "remove", "ada")
    assert declined.code == 1
    assert "1 token would end" in declined.stdout
    assert names(run) == ["ada"]
    monkeypatch.setattr(user, "confirm", lambda question: True)
    assert "No user is left" in run("user", "remove", "ada").stdout
    assert names(run) == []
    assert run("user", "remove", "ada", "--yes").code == 10


def test_without_the_extra() -> None:
    """Users and tokens need no package of the extra."""
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('starlette', 'uvicorn', 'jinja2', 'httpx', 'lz4')))\n"
        "from tensorhub.cli.app import main\n"
        "sys.exit(main(['token', 'create', '--help']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
