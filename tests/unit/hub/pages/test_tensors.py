"""The tensor table: search, order, pages, and bases that a reader may know."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.hub.pages import tensors
from tensorhub.hub.pages.reader import OWNER, Reader
from tensorhub.hub.pages.tensors import TensorQuery, TensorTable, parse_tensor_query, read_tensor_table

from .models import BASE, fill


def read(store: Store, query: TensorQuery, reader: Reader = OWNER) -> TensorTable:
    snapshot = store.snapshots.snapshot("bob/child")
    return read_tensor_table(store, snapshot, snapshot.tree.entries, query, reader)


def test_rows(store: Store) -> None:
    """Name, type, shape, sizes, coding and the base's repository."""
    fill(store)
    table = read(store, TensorQuery())
    assert (table.found, table.all, table.pages) == (2, 2, 1)
    layer = next(row for row in table.rows if row.name == "layer.weight")
    assert (layer.dtype, layer.shape, layer.nbytes, layer.path) == (
        "BF16", (128, 320), BASE.nbytes, "model.safetensors",
    )  # fmt: skip
    assert layer.is_delta
    assert layer.base == "ada/base"
    assert layer.base_repository is not None
    assert layer.stored_nbytes is not None
    assert layer.stored_nbytes < BASE.nbytes // 2


def test_a_hidden_base_is_private(store: Store) -> None:
    """Its name is not told."""
    fill(store)
    nobody = Reader(None, is_admin=False, may_read=lambda repository: repository.repo_id == "bob/child")
    layer = next(row for row in read(store, TensorQuery(), nobody).rows if row.is_delta)
    assert (layer.base, layer.base_repository) == ("private", None)


def test_twins(store: Store) -> None:
    """Who else has the same tensor is told, of those that the reader may see."""
    fill(store)
    norm = next(row for row in read(store, TensorQuery()).rows if row.name == "norm.weight")
    assert str(norm.twin) == "ada/base"
    nobody = Reader(None, is_admin=False, may_read=lambda repository: repository.repo_id == "bob/child")
    assert all(row.twin is None for row in read(store, TensorQuery(), nobody).rows)


def test_a_removed_base(store: Store) -> None:
    """A base that no repository holds any longer is told as such."""
    fill(store)
    store.delete_repository("ada/base")
    layer = next(row for row in read(store, TensorQuery()).rows if row.is_delta)
    assert (layer.base, layer.base_repository) == ("removed repository", None)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (TensorQuery(sort="size"), ["layer.weight", "norm.weight"]),
        (TensorQuery(sort="stored"), ["layer.weight", "norm.weight"]),
        (TensorQuery(sort="ratio"), ["layer.weight", "norm.weight"]),
        (TensorQuery(sort="name"), ["layer.weight", "norm.weight"]),
        (TensorQuery("NORM"), ["norm.weight"]),
        (TensorQuery("bf16 layer"), ["layer.weight"]),
        (TensorQuery("f32"), []),
        (TensorQuery(coding="delta"), ["layer.weight"]),
        (TensorQuery(coding="standalone"), ["norm.weight"]),
    ],
)
def test_queries(store: Store, query: TensorQuery, names: list[str]) -> None:
    """Search by words and type, by coding; each order."""
    fill(store)
    assert [row.name for row in read(store, query).rows] == names


def test_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other."""
    fill(store)
    monkeypatch.setattr(tensors, "PAGE_TENSORS", 1)
    table = read(store, TensorQuery(sort="name", page=2))
    assert ([row.name for row in table.rows], table.page, table.pages) == (["norm.weight"], 2, 2)


def test_parsing() -> None:
    """What has no meaning is the default."""
    assert parse_tensor_query({"sort": "x", "coding": "y", "page": "z"}) == TensorQuery()
    assert parse_tensor_query({"q": " a ", "sort": "ratio", "coding": "delta", "page": "2"}) == TensorQuery(
        "a", "ratio", "delta", 2
    )
