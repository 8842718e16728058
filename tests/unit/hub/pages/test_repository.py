"""What a repository's own page shows."""

from __future__ import annotations

from tensorhub import Store
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pages.repository import list_revisions, read_repository_view
from tensorhub.schema.names import parse_repository

from .models import BASE, CARD, MODEL, NORM, fill


def test_view(store: Store) -> None:
    """Sizes, tensors and the card, whose pictures lie in the repository."""
    fill(store)
    view = read_repository_view(store, store.snapshots.snapshot("ada/base"), "main", Links("/hub"))
    assert (view.files, view.nbytes) == (3, len(CARD) + len(MODEL) + 13)
    assert 0 < view.stored.stored_nbytes < view.nbytes
    assert view.tensors is not None
    assert (view.tensors.count, view.tensors.elements) == (2, BASE.size + NORM.size)
    assert view.tensors.dtypes == (("BF16", BASE.size + NORM.size),)
    assert view.card is not None
    assert view.card.fields[0].values == ("mit",)
    assert 'src="/hub/ada/base/picture/main/img/logo.png"' in view.card.html
    assert "model.safetensors" in view.paths


def test_without_card_and_tensors(store: Store) -> None:
    """Both are simply absent."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x.txt", b"x")
        transaction.publish("first")
    view = read_repository_view(store, store.snapshots.snapshot("a/b"), "main", Links())
    assert (view.card, view.tensors) == (None, None)


def test_revisions(store: Store) -> None:
    """By kind, main first; a link needs the whole name of what is neither branch nor tag."""
    fill(store)
    for ref in ("refs/heads/a", "refs/tags/v1", "refs/pr/1"):
        store.create_ref("ada/base", ref)
    found = list_revisions(store, parse_repository("ada/base"))
    assert [choice.revision for choice in found.branches] == ["main", "a"]
    assert [choice.revision for choice in found.tags] == ["v1"]
    assert [(choice.revision, choice.label) for choice in found.pulls] == [("refs/pr/1", "1")]
    assert [name for name, _ in found.groups] == ["Branches", "Tags", "Pull requests"]
