"""`gc` gives back what nothing live reaches, after the grace."""

from __future__ import annotations

from pathlib import Path


def test_nothing_to_do(run, store_path: Path) -> None:
    """A store where everything is live loses nothing."""
    report = run("gc", "--grace", 0, "--json").json()
    assert report["blobs_removed"] == 0
    assert run("verify").code == 0


def test_grace_then_freed(run, store_path: Path, family: Path) -> None:
    """What was just removed is kept for a day, freed without grace; a dry run frees nothing."""
    run("add", family / "ft-json")
    run("rm", "local/ft-json", "--yes")
    assert run("gc", "--json").json()["blobs_removed"] == 0
    predicted = run("gc", "--grace", 0, "--dry-run", "--json").json()
    assert predicted["freed_nbytes"] > 0
    assert "would be freed" in run("gc", "--grace", 0, "--dry-run").stdout
    done = run("gc", "--grace", 0, "--json").json()
    assert done["blobs_removed"] > 0
    assert done["freed_nbytes"] == predicted["freed_nbytes"]
    assert run("verify").code == 0
    assert run("gc", "--grace", -1).code == 2
