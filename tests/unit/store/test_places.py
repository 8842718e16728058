"""Which repositories hold a blob."""

import time

import pytest
from sqlalchemy import insert, select

from tensorhub import Digest, Store, parse_repository
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store import catalog_schema as schema
from tensorhub.store import places as places_module
from tensorhub.store.places import refresh_places

from ...weights import noise, put, safetensors, weights

BASE = weights((60, 60), 1)


def digest(store: Store, name: str) -> Digest:
    return store.tensors(name)[0].digest


def names(store: Store, blob: Digest) -> list[str]:
    return [str(item) for item in store.places.repositories([blob]).get(blob, [])]


def test_in_the_order_in_which_they_got_it(store: Store) -> None:
    """Repositories are named once each, the first one first, whatever they are called."""
    for name in ("z/first", "a/second", "datasets/m/third"):
        put(store, name, {"m.safetensors": safetensors({name: BASE})})
        put(store, name, {"m.safetensors": safetensors({name: BASE}), "x": b"x"})
        time.sleep(0.002)
    blob = digest(store, "z/first")
    assert names(store, blob) == ["z/first", "a/second", "datasets/m/third"]
    assert {str(owner) for owner, _, _ in store.places.files(blob)} == set(names(store, blob))


def test_history_counts_until_it_is_dropped(store: Store) -> None:
    """A blob of an old commit is in the repository; after squash, deletion or a moved import it is not."""
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE})})
    blob = digest(store, "a/b")
    put(store, "a/b", {"x": b"x"})
    assert names(store, blob) == ["a/b"]
    store.squash("a/b")
    assert names(store, blob) == []
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE})})
    with store.begin_commit("a/b") as transaction:
        transaction.delete_all()
        transaction.publish(parents=())
    assert names(store, blob) == []
    put(store, "c/d", {"m.safetensors": safetensors({"w": BASE})})
    store.delete_repository("c/d")
    assert names(store, blob) == []


def test_counts(store: Store) -> None:
    """Each blob counts for its first repository, another one than the asker's where there is one."""
    put(store, "a/one", {"m.safetensors": safetensors({"w": BASE})})
    time.sleep(0.002)
    put(store, "a/two", {"m.safetensors": safetensors({"v": BASE})})
    blob = digest(store, "a/one")
    count = store.places.count_by_repository
    assert count({blob: 3}) == {"a/one": 3}
    assert count({blob: 3}, prefer_other_than=parse_repository("a/one")) == {"a/two": 3}
    assert list(count({Digest(bytes(32)): 1})) == ["(content without a repository)"]


def test_refreshing_changes_nothing_that_is_right(store: Store) -> None:
    """What refs reach is what is there already."""
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE}), "x": noise(5000, 1)})
    before = store.places.files(digest(store, "a/b"))
    refresh_places(store.catalog, store.ref_store, store.snapshots, parse_repository("a/b"))
    assert store.places.files(digest(store, "a/b")) == before


def test_thousands_of_homes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many homes counting reads two for each blob, and they are the first two."""
    put(store, "m/own", {"m.safetensors": safetensors({"w": BASE, "v": weights((50, 50), 2)})})
    tree = store.snapshots.snapshot("m/own").commit.tree
    repositories = [RepositoryId(RepoType.MODEL, f"z/{(7 * index) % 3000}") for index in range(3000)]
    with store.catalog.write() as connection:
        trees, columns = schema.repository_tree, schema.stored_object.c
        tree_id = connection.execute(select(columns.id).where(columns.digest == tree.value)).scalar_one()
        connection.execute(
            insert(trees),
            [
                {"repo_type": "model", "repo_id": item.repo_id, "tree": tree_id, "date_ms": index // 2}
                for index, item in enumerate(repositories)
            ],
        )
    blobs = [tensor.digest for tensor in store.tensors("m/own")]
    homes = store.places.repositories(blobs)
    own = parse_repository("m/own")
    pairs = [sorted(repositories[at : at + 2], key=lambda item: item.repo_id) for at in range(0, 3000, 2)]
    assert homes == {blob: [*(item for pair in pairs for item in pair), own] for blob in blobs}
    made: list[str] = []

    def count_made(repo_type: RepoType, repo_id: str) -> RepositoryId:
        made.append(repo_id)
        return RepositoryId(repo_type, repo_id)

    monkeypatch.setattr(places_module, "RepositoryId", count_made)
    first, second = pairs[0]
    counts = dict.fromkeys(blobs, 2)
    assert store.places.count_by_repository(counts) == {str(first): 4}
    assert store.places.count_by_repository(counts, prefer_other_than=first) == {str(second): 4}
    assert len(made) == 8
