"""Removing touches refs only, and says what it frees."""

import pytest

from tensorhub import Store, collect_garbage, parse_repository
from tensorhub.errors import CorruptIndexError, RepositoryNotFoundError, RevisionNotFoundError
from tensorhub.schema.names import parse_ref

from ...weights import assert_sound, noise, put, read_all


def test_delete_ref(store: Store) -> None:
    """Only the ref goes; what another ref reaches stays for good."""
    put(store, "a/b", {"x": noise(20_000, 1), "y": noise(30_000, 2)})
    put(store, "a/b", {"y": noise(30_000, 2)}, revision="dev")
    told = store.delete_ref("a/b", "main", is_dry_run=True)
    assert told.is_dry_run
    assert told.removed == ("refs/heads/main",)
    assert 20_000 <= told.freed_nbytes < 21_000
    assert 30_000 <= told.kept_for_others_nbytes < 31_000
    assert len(store.refs("a/b")) == 2
    store.delete_ref("a/b", "main")
    assert [ref.name for ref in store.refs("a/b")] == ["refs/heads/dev"]
    collect_garbage(store, grace_s=0)
    assert read_all(store, "a/b") == {"y": noise(30_000, 2)}
    assert_sound(store)


def test_delete_repository(store: Store) -> None:
    """A repository goes with all refs; another with its content keeps it."""
    put(store, "a/b", {"x": noise(20_000, 1)})
    put(store, "a/b", {"x": noise(20_000, 1)}, revision="refs/tags/v1")
    put(store, "c/d", {"x": noise(20_000, 1)})
    told = store.delete_repository("A/B")
    assert told.removed == ("refs/heads/main", "refs/tags/v1")
    assert (told.freed_nbytes, told.kept_for_others_nbytes) == (0, 20_000)
    assert [info.repo_id for info in store.repositories()] == ["c/d"]
    assert read_all(store, "c/d") == {"x": noise(20_000, 1)}


def test_squash(store: Store) -> None:
    """The present tree becomes a first commit; only what history alone held is freed."""
    for seed in (1, 2, 3):
        put(store, "a/b", {"x": noise(20_000, seed), "same": noise(9000, 9)})
    ids = [commit.commit_id for commit in store.commits("a/b")]
    told = store.squash("a/b", is_dry_run=True)
    assert len(store.commits("a/b")) == 3
    assert set(told.removed) == set(ids[1:])
    assert 40_000 <= told.freed_nbytes < 41_000
    store.squash("a/b", message="Fresh\n\nstart")
    (commit,) = store.commits("a/b")
    assert (commit.title, commit.message, commit.parents) == ("Fresh", "start", ())
    assert read_all(store, "a/b") == {"x": noise(20_000, 3), "same": noise(9000, 9)}
    with pytest.raises(RevisionNotFoundError):
        store.resolve("a/b", ids[1])
    assert store.squash("a/b").removed == ()
    assert store.resolve("a/b") == commit.commit_id
    assert_sound(store)


def test_squash_beside_other_refs(store: Store) -> None:
    """What another ref still reaches is not told as freed, and stays."""
    put(store, "a/b", {"x": noise(20_000, 1)})
    first = store.resolve("a/b")
    with store.begin_commit("a/b", revision="refs/tags/v1") as transaction:
        transaction.put_file("x", noise(20_000, 1))
        transaction.publish()
    put(store, "a/b", {"x": noise(20_000, 2)})
    assert store.squash("a/b").freed_nbytes < 1000
    collect_garbage(store, grace_s=0)
    assert store.read("a/b", "x", revision="v1") == noise(20_000, 1)
    with pytest.raises(RevisionNotFoundError):
        store.resolve("a/b", first)


def test_nothing_to_remove(store: Store) -> None:
    """What is not there is told by name."""
    put(store, "a/b", {"x": b"1"})
    with pytest.raises(RevisionNotFoundError):
        store.delete_ref("a/b", "dev")
    with pytest.raises(RevisionNotFoundError):
        store.squash("a/b", "dev")
    with pytest.raises(RepositoryNotFoundError):
        store.delete_repository("a/c")


@pytest.mark.parametrize("content", [b"", b"\xff nothing that points anywhere\n"])
def test_beside_damaged_refs(store: Store, content: bytes) -> None:
    """A damaged ref keeps nothing from being removed, itself included; gc waits until it is gone."""
    put(store, "a/whole", {"x": noise(20_000, 1)})
    put(store, "a/broken", {"y": noise(20_000, 2)})
    put(store, "a/broken", {"z": noise(20_000, 3)}, revision="dev")
    put(store, "a/stays", {"w": noise(20_000, 4)})
    for repository in ("a/broken", "a/stays"):
        store.layout.ref(parse_repository(repository), parse_ref("main")).write_bytes(content)
    with pytest.raises(CorruptIndexError):
        collect_garbage(store, grace_s=0)
    assert store.delete_repository("a/whole").freed_nbytes >= 20_000
    told = store.delete_repository("a/broken", is_dry_run=True)
    assert told.removed == ("refs/heads/dev", "refs/heads/main")
    assert told.freed_nbytes >= 20_000
    assert store.delete_ref("a/broken", "dev").freed_nbytes >= 20_000
    assert store.delete_ref("a/stays", "main").freed_nbytes == 0
    assert store.delete_repository("a/broken").removed == ("refs/heads/main",)
    assert [info.repo_id for info in store.repositories()] == ["a/stays"]
    assert collect_garbage(store, grace_s=0).freed_nbytes > 70_000
