"""`optimize` codes anew what gets smaller, and says what it saved."""

from __future__ import annotations

from pathlib import Path

import pytest

import tensorhub as th

pytestmark = pytest.mark.usefixtures("modes")


@pytest.fixture
def fast_store(run, family: Path, no_store: Path) -> Path:
    """Make a store in which everything is raw."""
    run("add", family / "base", family / "ft-json", "--mode", "fast")
    return no_store


def test_smaller(run, fast_store: Path) -> None:
    """A dry run tells what the run then saves; gc gives it back without waiting; a second run does next to nothing."""
    before = run("stats", "--json").json()["packs_nbytes"]
    told = run("optimize", "--mode", "max", "--dry-run", "--json").json()
    outcome = run("optimize", "--mode", "max", "--json")
    assert (outcome.code, outcome.stderr) == (0, "")
    report = outcome.json()
    assert told == report | {"is_dry_run": True}
    assert report["mode"] == "max"
    assert report["stored_nbytes_after"] < report["stored_nbytes_before"]
    assert run("gc", "--json").json()["freed_nbytes"] > 0
    assert run("stats", "--json").json()["packs_nbytes"] < before
    assert run("optimize", "--mode", "max", "--json").json()["blobs_settled"] > 0
    assert run("verify").code == 0


def test_for_a_person(run, fast_store: Path) -> None:
    """The text has both sizes, and what to do next."""
    assert "would be coded anew" in run("optimize", "--mode", "max", "--dry-run").stdout
    text = run("optimize", "--mode", "max").stdout
    assert text.startswith("mode max: ")
    assert "tensorhub gc" in text
    assert "--force" not in text
    assert run("optimize", "--mode", "max").stdout.count("\n") == 2
    forced = run("optimize", "--mode", "fast", "--force").stdout
    assert "tensorhub gc" in forced
    assert "saved" not in forced


def test_not_smaller(run, fast_store: Path) -> None:
    """What a mode would only make larger stays, and --force is named."""
    run("optimize", "--mode", "balanced")
    text = run("optimize", "--mode", "fast", "--dry-run").stdout
    assert "would not get smaller and stay as before; --force" in text


def test_some_repositories(run, fast_store: Path) -> None:
    """Repositories are named as everywhere; one that does not exist is an error."""
    one = run("optimize", "local/base", "--mode", "max", "--json").json()
    assert 0 < one["blobs"] < run("optimize", "--dry-run", "--json").json()["blobs"]
    assert run("optimize", "local/nothing").code == 10
    assert run("optimize", "--mode", "slow").code == 2
    assert run("--store", fast_store.with_name("other"), "optimize").code == 10


def test_damage(run, fast_store: Path) -> None:
    """A damaged blob ends with the code of damage, after the report; the rest is done."""
    with th.Store.open(fast_store) as store:
        item = max(store.tensors("local/base"), key=lambda item: item.nbytes)
        where = store.catalog.blob_record(item.digest).chunks[0].stored
        assert where.pack is not None
        path = store.layout.pack(where.pack)
    data = bytearray(path.read_bytes())
    data[where.offset] ^= 1
    path.write_bytes(data)
    outcome = run("optimize", "--mode", "max", "--json")
    assert outcome.code == 13
    assert outcome.json()["damaged"] == [str(item.digest)]
    assert outcome.json()["blobs_rewritten"] > 0
    assert "tensorhub verify" in outcome.error()["action"]
