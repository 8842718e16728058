"""Families as far as a reader may know."""

from __future__ import annotations

from tensorhub import Store
from tensorhub.hub.pages.family import view_families, view_family
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pages.listing import RepositoryRow
from tensorhub.schema.names import RepositoryId, parse_repository
from tensorhub.store.survey import survey

from .models import BASE, CHILD, MODEL, NORM, fill

PARENT, CHILD_ID = parse_repository("ada/base"), parse_repository("bob/child")
ROWS = {
    PARENT: RepositoryRow(PARENT, 3, len(MODEL), 9, 1),
    CHILD_ID: RepositoryRow(CHILD_ID, 3, len(CHILD), 9, 1),
}


def test_everything(store: Store) -> None:
    """The child leans on the base, in both drawings and tables."""
    fill(store)
    found = survey(store)
    (tree,) = view_families(found, Links(), ROWS, is_whole=True).trees
    assert [(link.child, link.parent) for link in tree.links] == [("bob/child", "ada/base")]
    child = view_family(CHILD_ID, found, Links(), ROWS, is_whole=True)
    (relative,) = child.leans_on
    assert (relative.name, relative.identical_nbytes, relative.delta_nbytes) == (
        "ada/base",
        NORM.nbytes,
        BASE.nbytes,
    )
    assert relative.is_near
    assert relative.repository == PARENT
    assert child.leaned_on_by == ()
    base = view_family(PARENT, found, Links(), ROWS, is_whole=True)
    assert [item.name for item in base.leaned_on_by] == ["bob/child"]
    assert len(base.families.trees[0].boxes) == 2


def only(repository: RepositoryId) -> dict[RepositoryId, RepositoryRow]:
    return {repository: ROWS[repository]}


def test_a_hidden_base(store: Store) -> None:
    """It is 'private' and leads nowhere; that it has the same tensors is not told."""
    fill(store)
    found = survey(store, [CHILD_ID])
    view = view_family(CHILD_ID, found, Links(), only(CHILD_ID), is_whole=False)
    (relative,) = view.leans_on
    assert (relative.name, relative.repository, relative.identical_nbytes) == ("private", None, 0)
    (tree,) = view_families(found, Links(), only(CHILD_ID), is_whole=False).trees
    assert {(box.member.label, box.member.href) for box in tree.boxes} == {
        ("private", ""), ("bob/child", "/bob/child"),
    }  # fmt: skip
    assert "ada" not in repr((view, tree))


def test_a_hidden_child(store: Store) -> None:
    """It is not there at all."""
    fill(store)
    found = survey(store, [PARENT])
    view = view_family(PARENT, found, Links(), only(PARENT), is_whole=False)
    assert (view.leans_on, view.leaned_on_by, view.families.trees) == ((), (), ())
    assert "bob" not in repr(view_families(found, Links(), only(PARENT), is_whole=False))


def test_a_removed_base(store: Store) -> None:
    """For who sees everything it is a removed repository."""
    fill(store)
    store.delete_repository("ada/base")
    view = view_family(CHILD_ID, survey(store), Links(), only(CHILD_ID), is_whole=True)
    assert [item.name for item in view.leans_on] == ["removed repository"]


def test_small_things_in_common(store: Store) -> None:
    """A hundredth of the bytes makes no family, but is in the table."""
    fill(store)
    with store.begin_commit("eve/stranger") as transaction:
        from ....weights import safetensors, weights

        transaction.put_file("m.safetensors", safetensors({"w": weights((128, 320), 77), "norm": NORM}))
        transaction.publish("first")
    stranger = parse_repository("eve/stranger")
    rows = {**ROWS, stranger: RepositoryRow(stranger, 1, BASE.nbytes, 9, 1)}
    found = survey(store)
    families = view_families(found, Links(), rows, is_whole=True)
    assert [member.label for member in families.alone] == ["eve/stranger"]
    view = view_family(stranger, found, Links(), rows, is_whole=True)
    assert [(item.name, item.is_near) for item in view.leans_on] == [("ada/base", False)]
    assert view.families.trees == ()
