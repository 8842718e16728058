"""Which repositories hold a blob."""

import time

from tensorhub import Digest, Store, parse_repository
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
