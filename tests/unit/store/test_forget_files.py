"""History without some files: every ref, ids kept where nothing changed, space freed by gc."""

import pytest

from tensorhub import Store
from tensorhub.errors import FileEntryNotFoundError, RevisionNotFoundError
from tensorhub.schema.names import parse_repository
from tensorhub.store.forget_files import forget_files
from tensorhub.store.gc import collect_garbage

from ...weights import noise, put

REPOSITORY = parse_repository("a/b")


def test_forget_files(store: Store) -> None:
    """What is forgotten is in no ref any more, everything else is as it was."""
    put(store, "a/b", {"x": b"x"})
    first = store.resolve("a/b")
    store.create_ref("a/b", "refs/tags/before")
    put(store, "a/b", {"secret": noise(300_000, 1)}, keep=True)
    second = store.resolve("a/b")
    store.create_ref("a/b", "refs/tags/with")
    put(store, "a/b", {"y": b"y"}, keep=True)
    file = store.snapshots.snapshot("a/b").entry("secret").file
    titles = [commit.title for commit in store.commits("a/b")]
    moved = forget_files(store, REPOSITORY, {file})
    assert sorted(str(ref) for ref in moved) == ["refs/heads/main", "refs/tags/with"]
    assert store.resolve("a/b", "before") == first
    assert [commit.title for commit in store.commits("a/b")] == titles
    assert (store.read("a/b", "x"), store.read("a/b", "y")) == (b"x", b"y")
    for revision in ("main", "with"):
        with pytest.raises(FileEntryNotFoundError):
            store.read("a/b", "secret", revision=revision)
    with pytest.raises(RevisionNotFoundError):
        store.resolve("a/b", second)
    assert forget_files(store, REPOSITORY, {file}) == {}
    collect_garbage(store, grace_s=0)
    assert file not in store.snapshots.file_sizes([file])


def test_nothing_to_forget(store: Store) -> None:
    """An empty repository, or one without the file, stays as it is."""
    store.create_repository("a/b")
    assert forget_files(store, REPOSITORY, set()) == {}
