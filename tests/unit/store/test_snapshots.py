"""From names to commits, trees and files."""

import pytest

from tensorhub import Store
from tensorhub.errors import (
    FileEntryNotFoundError,
    InvalidNameError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from tensorhub.store.snapshots import as_repository
from tensorhub.store.transaction import CommitFacts

from ...weights import put, read_all


def commit(store: Store, upstream_id: str, revision: str, content: bytes) -> None:
    with store.begin_commit("a/b", revision=revision) as transaction:
        transaction.put_file("x", content)
        transaction.publish(facts=CommitFacts(upstream_id=upstream_id))


def test_revisions(store: Store) -> None:
    """Branches, tags by their short or full name, ids and their beginnings all lead to the commit."""
    first = put(store, "a/b", {"x": b"1"}).commit_id
    second = put(store, "a/b", {"x": b"2"}).commit_id
    put(store, "a/b", {"x": b"3"}, revision="refs/tags/v1")
    put(store, "a/b", {"x": b"4"}, revision="refs/pr/7")
    put(store, "a/b", {"x": b"5"}, revision="feature/y")
    for revision, content in (
        (None, b"2"), ("main", b"2"), ("refs/heads/main", b"2"), (second, b"2"), (first, b"1"),
        (first[:7], b"1"), (first[:39], b"1"), ("v1", b"3"), ("refs/tags/v1", b"3"), ("refs/pr/7", b"4"),
        ("7", b"4"), ("feature/y", b"5"),
    ):  # fmt: skip
        assert store.read("a/b", "x", revision=revision) == content, revision
    for revision in (
        first[:6],
        first[:7].upper() + "x",
        "0" * 40,
        "v2",
        "refs/tags/main",
        "",
        "../x",
        "refs/odd/x",
        "a b",
    ):
        with pytest.raises(RevisionNotFoundError):
            store.resolve("a/b", revision)


def test_a_branch_goes_before_a_tag(store: Store) -> None:
    """Where a branch and a tag have one name, the short name is the branch."""
    put(store, "a/b", {"x": b"tag"}, revision="refs/tags/v1")
    put(store, "a/b", {"x": b"branch"}, revision="v1")
    assert store.read("a/b", "x", revision="v1") == b"branch"


def test_ambiguous_beginnings(store: Store) -> None:
    """A beginning that fits two commits is refused and says so; the whole id is not."""
    commit(store, "abcdef1" + "0" * 33, "one", b"1")
    commit(store, "abcdef1" + "1" * 33, "two", b"2")
    with pytest.raises(RevisionNotFoundError, match="2 commits"):
        store.resolve("a/b", "abcdef1")
    assert store.read("a/b", "x", revision="abcdef10") == b"1"
    assert store.read("a/b", "x", revision="abcdef1" + "1" * 33) == b"2"


def test_one_id_imported_twice(store: Store) -> None:
    """Two imports of one upstream commit are one commit to whoever asks; the fuller one answers."""
    for revision, content, is_partial in (("one", b"1", True), ("two", b"2", False)):
        with store.begin_commit("a/b", revision=revision) as transaction:
            transaction.put_file("x", content)
            transaction.publish(facts=CommitFacts(upstream_id="ab" * 20, is_partial=is_partial))
    assert store.read("a/b", "x", revision="ab" * 20) == b"2"
    assert store.read("a/b", "x", revision="abababab") == b"2"


def test_other_repositories_commits(store: Store) -> None:
    """A commit is only found where the repository's own refs reach it."""
    foreign = put(store, "a/b", {"x": b"1"}).commit_id
    put(store, "c/d", {"x": b"1"})
    with pytest.raises(RevisionNotFoundError):
        store.resolve("c/d", foreign)


def test_default_revision(store: Store) -> None:
    """Without main the only ref counts; of several none does, and an empty repository has none."""
    put(store, "a/b", {"x": b"1"}, revision="dev")
    assert read_all(store, "a/b") == {"x": b"1"}
    put(store, "a/b", {"x": b"2"}, revision="other")
    with pytest.raises(RevisionNotFoundError, match="2 refs"):
        store.resolve("a/b")
    store.create_repository("e/f")
    with pytest.raises(RevisionNotFoundError, match="empty"):
        store.resolve("e/f")


def test_names_of_repositories(store: Store) -> None:
    """Ids are compared without case; types are told apart by their prefix."""
    put(store, "Owner/Name", {"x": b"model"})
    put(store, "datasets/owner/name", {"x": b"dataset"})
    assert store.read("oWNER/nAME", "x") == b"model"
    assert store.read("models/owner/name", "x") == b"model"
    assert store.read("datasets/Owner/Name", "x") == b"dataset"
    put(store, "OWNER/NAME", {"x": b"again"})
    assert [info.repo_id for info in store.repositories("model")] == ["Owner/Name"]
    assert [info.repo_id for info in store.repositories("dataset")] == ["owner/name"]
    with pytest.raises(RepositoryNotFoundError):
        store.read("spaces/owner/name", "x")
    for name in ("a/b/c", "", "-a", "a--b", "a/.b"):
        with pytest.raises(InvalidNameError):
            as_repository(name)


def test_missing_paths(store: Store) -> None:
    """A path that is not there is named; a folder is no file."""
    put(store, "a/b", {"sub/x": b"1"})
    for path in ("x", "sub", "sub/x/", ""):
        with pytest.raises(FileEntryNotFoundError) as caught:
            store.read("a/b", path)
        assert caught.value.path == path


def test_small_caches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers do not depend on what is cached."""
    from tensorhub.store import snapshots

    monkeypatch.setattr(snapshots, "_CACHE", 1)
    monkeypatch.setattr(snapshots, "_CACHE_ITEMS", 1)
    files = {str(n): bytes([n]) for n in range(20)}
    put(store, "a/b", files)
    assert read_all(store, "a/b") == files
    assert len(store.snapshots._cache) == 1


def test_paths_are_found(store: Store) -> None:
    """Every path is found among many, in whatever script; others that sort between them are not."""
    names = ["a", "a/", "é", "z/ü", "文", "😀", "A", "_", "~"]
    files = {f"{name}{index}": b"%d" % index for index, name in enumerate(names * 5)}
    put(store, "a/b", files)
    snapshot = store.snapshots.snapshot("a/b")
    assert {path: snapshot.entry(path).path for path in files} == {path: path for path in files}
    for path in ("", "a", "é", "\udc80", "zzz", "😀99"):
        with pytest.raises(FileEntryNotFoundError):
            snapshot.entry(path)
