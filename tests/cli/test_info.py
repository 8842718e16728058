"""`info` says which version this is and where the store lies."""

from __future__ import annotations

from pathlib import Path


def test_with_a_store(run, store_path: Path) -> None:
    """The store's name and place."""
    document = run("info", "--json").json()
    assert document["is_created"] is True
    assert document["store"] == str(store_path)
    assert document["store_id"]
    assert document["mode"] == "balanced"
    assert "mode balanced" in run("info").stdout
    assert document["simd"] in document["simd_available"]
    assert f"vector instructions {document['simd']}" in run("info").stdout


def test_without_a_store(run, no_store: Path) -> None:
    """No store is an answer, and none is made."""
    document = run("info", "--json").json()
    assert document["is_created"] is False
    assert document["mode"] is None
    assert "none yet" in run("info").stdout
    assert not no_store.exists()
