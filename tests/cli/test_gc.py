"""`gc` gives back what nothing live reaches, after the grace."""

from __future__ import annotations

from pathlib import Path

from tensorhub import Store
from tensorhub.store.retention import retain


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


def test_now(run, store_path: Path, family: Path) -> None:
    """Without any grace, and without what is kept for clients of the hub; told what that is."""
    run("add", family / "ft-json")
    with Store.open(store_path) as store:
        files = [info.digest for info in store.files("local/ft-json")]
        retain(store, files, holder="test", until_ms=1 << 62)
    run("rm", "local/ft-json", "--yes")
    assert "that clients may refer to again" in run("gc", "--grace", 0).stdout
    assert run("stats", "--json").json()["retained_nbytes"] > 0
    assert "may refer to it again" in run("stats").stdout
    assert run("gc", "--now", "--grace", 3).code == 2
    predicted = run("gc", "--now", "--dry-run", "--json").json()
    done = run("gc", "--now", "--json").json()
    assert done["freed_nbytes"] == predicted["freed_nbytes"] > 0
    assert done["retained_files"] == 0
    assert run("stats", "--json").json()["retained_nbytes"] == 0
