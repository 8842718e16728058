"""`similar` lists the nearest tensors."""

from __future__ import annotations

from pathlib import Path

TENSOR = "model.embed_tokens.weight"


def test_the_base_is_near(run, store_path: Path, family: Path) -> None:
    """A fine-tune's tensor finds the one it was made from, best first."""
    run("add", family / "ft-chat")
    found = run("similar", "local/ft-chat", TENSOR, "--json").json()
    assert found
    ratios = [item["predicted_ratio"] for item in found]
    assert ratios == sorted(ratios, reverse=True)
    assert found[0]["name"] == TENSOR
    assert found[0]["predicted_ratio"] > 1
    assert len(run("similar", "local/ft-chat", TENSOR, "--limit", 1, "--json").json()) == 1
    assert TENSOR in run("similar", "local/ft-chat", TENSOR).stdout


def test_missing_tensor(run, store_path: Path) -> None:
    """A name that no tensor has is not found."""
    outcome = run("similar", "local/base", "nope", "--json")
    assert (outcome.code, outcome.error()["error"]) == (10, "TensorNotFoundError")
