"""Lineage and similarity."""

import pytest

from tensorhub import Store, similar, trace_lineage
from tensorhub.errors import TensorNotFoundError, UsageError

from ...weights import put, safetensors, tuned, weights

BASE, OTHER = weights((128, 320), 1), weights((128, 320), 2)
CHILD = tuned(BASE, 3)


@pytest.fixture
def family(store: Store) -> Store:
    put(store, "org/base", {"m.safetensors": safetensors({"w": BASE, "v": OTHER})})
    put(
        store,
        "me/child",
        {"m.safetensors": safetensors({"a": CHILD, "v": OTHER, "tiny": weights((4, 4), 1)})},
    )
    put(store, "x/alone", {"m.safetensors": safetensors({"w": weights((128, 320), 9)})})
    return store


def test_edges(family: Store) -> None:
    """A child leans on its base's repository, shares with it, and would cost more without it."""
    report = trace_lineage(family, "me/child")
    (edge,) = report.edges
    assert edge.repository == "org/base"
    assert (edge.identical_tensors, edge.identical_nbytes) == (1, OTHER.nbytes)
    assert (edge.delta_tensors, edge.delta_nbytes) == (1, CHILD.nbytes)
    assert edge.delta_stored_nbytes * 4 < edge.standalone_nbytes < CHILD.nbytes
    assert (report.tensors, report.dependents) == (3, ())


def test_dependents(family: Store) -> None:
    """The base knows who leans on it; who is alone leans on nobody."""
    report = trace_lineage(family, "org/base")
    (dependent,) = report.dependents
    assert (dependent.repository, dependent.delta_tensors) == ("me/child", 1)
    assert [edge.repository for edge in report.edges] == ["me/child"]
    alone = trace_lineage(family, "x/alone")
    assert (alone.edges, alone.dependents) == ((), ())
    assert alone.stored_nbytes == family.tensors("x/alone")[0].stored_nbytes


def test_own_bases(store: Store) -> None:
    """What leans on a tensor of its own repository is an edge to itself."""
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE}), "n.safetensors": safetensors({"w": CHILD})})
    (edge,) = trace_lineage(store, "a/b").edges
    assert (edge.repository, edge.delta_tensors) == ("a/b", 1)


def test_deleted_repositories_are_not_named(family: Store) -> None:
    """A base whose repository is gone is still counted, but to nobody else."""
    family.delete_repository("org/base")
    (edge,) = trace_lineage(family, "me/child").edges
    assert (edge.repository, edge.delta_tensors, edge.identical_tensors) == ("me/child", 1, 0)


def test_similar(family: Store) -> None:
    """The nearest tensor comes first, with a distance near the truth."""
    found = similar(family, "me/child", "a")
    first = found[0]
    assert (first.repository, first.path, first.name, first.is_base) == (
        "org/base",
        "m.safetensors",
        "w",
        True,
    )
    bits = (CHILD.view("u2") ^ BASE.view("u2")).reshape(-1)
    truth = sum(bin(value).count("1") for value in bits.tolist()) / bits.size
    assert first.bit_distance == pytest.approx(truth, rel=0.5)
    assert first.predicted_ratio > 2
    assert all(item.predicted_ratio <= first.predicted_ratio for item in found)
    assert len(similar(family, "me/child", "a", limit=1)) == 1
    assert similar(family, "org/base", "v")[0].repository == "me/child"


def test_similar_without_answer(family: Store) -> None:
    """Unknown tensors are missing; small ones have no sketch, and that is said."""
    with pytest.raises(TensorNotFoundError):
        similar(family, "me/child", "nope")
    with pytest.raises(UsageError, match="65536"):
        similar(family, "me/child", "tiny")
