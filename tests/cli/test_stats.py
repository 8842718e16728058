"""`stats` adds up."""

from __future__ import annotations

from pathlib import Path


def test_totals(run, store_path: Path) -> None:
    """The parts make the whole: of the saving, and of the bytes on disk."""
    totals = run("stats", "--json").json()
    saved = totals["saved"]
    ways = saved["identical_files"] + saved["identical_tensors"] + saved["delta"] + saved["standalone"]
    assert ways - abs(saved["overhead"]) == totals["nbytes"] - totals["stored_nbytes"]
    parts = ("packs", "catalog", "refs", "state", "other")
    assert sum(totals[f"{part}_nbytes"] for part in parts) == totals["stored_nbytes"]
    assert totals["repositories"] == totals["revisions"] == 3
    assert saved["identical_files"] > 0
    assert saved["identical_tensors"] > 0
    assert saved["delta"] > 0


def test_stored_is_what_the_disk_holds(run, store_path: Path) -> None:
    """Every file of the store is counted."""
    totals = run("stats", "--json").json()
    on_disk = sum(path.stat().st_size for path in store_path.rglob("*") if path.is_file())
    assert 0 <= totals["stored_nbytes"] - on_disk <= 64 << 10  # what SQLite keeps beside an open catalogue


def test_for_a_person(run, store_path: Path) -> None:
    """The text has each way of saving."""
    text = run("stats").stdout
    for part in (
        str(store_path),
        "3 repositories",
        "mode balanced",
        "identical files",
        "delta",
        "standalone",
        "overhead",
        "catalogue",
    ):
        assert part in text
