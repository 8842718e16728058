"""`audit` shows the newest records."""

from __future__ import annotations


def test_newest_first(run, store_path) -> None:
    """As many as asked, of whom asked; nothing is told as nothing."""
    assert "Nothing" in run("audit").stdout
    for name in ("ada", "bob"):
        run("user", "add", name)
    assert [entry["subject"] for entry in run("audit", "--json").json()] == ["bob", "ada"]
    assert [entry["subject"] for entry in run("audit", "--limit", "1", "--json").json()] == ["bob"]
    assert run("audit", "--user", "ada", "--json").json() == []
    shown = run("audit").stdout
    assert "user.create" in shown
    assert "command line" in shown
    assert run("audit", "--limit", "0").code == 2
