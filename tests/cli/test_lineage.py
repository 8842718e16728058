"""`lineage` says what a repository leans on."""

from __future__ import annotations

from pathlib import Path


def test_a_fine_tune_leans_on_its_base(run, store_path: Path) -> None:
    """The base is found, with what it saves."""
    report = run("lineage", "local/ft-lora", "--json").json()
    edges = {edge["repository"]: edge for edge in report["edges"]}
    assert set(edges) & {"local/base", "local/base-sharded"}
    edge = next(iter(edges.values()))
    assert edge["identical_tensors"] > 0
    assert edge["delta_tensors"] > 0
    assert edge["delta_stored_nbytes"] < edge["standalone_nbytes"]


def test_for_a_person(run, store_path: Path) -> None:
    """Both directions are told."""
    assert "leans on" in run("lineage", "local/ft-lora").stdout
    assert "leaned on by" in run("lineage", "local/base").stdout
    assert run("lineage", "me/nothing").code == 10
