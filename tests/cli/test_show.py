"""`show` puts a repository on one page."""

from __future__ import annotations

from pathlib import Path

import tensorhub as th


def test_card(run, store_path: Path) -> None:
    """Refs, commits, files, and tensors summed up."""
    card = run("show", "local/ft-lora", "--json").json()
    assert card["repository"] == "local/ft-lora"
    assert card["refs"] == [{"name": "refs/heads/main", "commit_id": card["commit_id"]}]
    assert card["commits"][0]["commit_id"] == card["commit_id"]
    tensors = card["tensors"]
    assert tensors["count"] == tensors["delta"] + tensors["standalone"] == sum(tensors["dtypes"].values())
    assert 0 < tensors["stored_nbytes"] < tensors["nbytes"]


def test_card_for_a_person(run, store_path: Path) -> None:
    """Everything is on the page."""
    text = run("show", "local/ft-lora").stdout
    for part in ("local/ft-lora", "refs/heads/main", "commits", "model.safetensors", "as delta"):
        assert part in text


def test_revision_may_be_a_beginning(run, store_path: Path) -> None:
    """A commit is found by the first digits of its id."""
    commit_id = run("show", "local/base", "--json").json()["commit_id"]
    assert run("show", "local/base", "--revision", commit_id[:8], "--json").json()["commit_id"] == commit_id


def test_empty_repository(run, store_path: Path) -> None:
    """A repository without a commit has a card too."""
    with th.Store.open(store_path) as store:
        store.create_repository("me/empty")
    card = run("show", "me/empty", "--json").json()
    assert (card["commit_id"], card["refs"], card["files"]) == (None, [], [])
    assert "empty" in run("show", "me/empty").stdout
