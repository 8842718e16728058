"""New refs on commits that are there, and new names of repositories."""

import pytest

from tensorhub import Store, collect_garbage, parse_repository
from tensorhub.errors import (
    AlreadyExistsError,
    InvalidNameError,
    RepositoryNotFoundError,
    RevisionMovedError,
    RevisionNotFoundError,
    UsageError,
)
from tensorhub.schema.names import parse_ref
from tensorhub.store import ref_changes
from tensorhub.store.places import has_unfinished_move
from tensorhub.store.remove import drop_history, drop_ref, drop_repository

from ...weights import assert_sound, noise, put, read_all, safetensors, weights

MODEL = safetensors({"w": weights((60, 60), 1)})


def homes(store: Store) -> list[str]:
    blob = next(tensor.digest for info in store.repositories() for tensor in store.tensors(info.repo_id))
    return [str(item) for item in store.places.repositories([blob]).get(blob, [])]


def test_new_refs(store: Store) -> None:
    """A branch or tag points where a branch, a tag or a commit id of the repository does; others are refused."""
    put(store, "a/b", {"x": b"1"})
    put(store, "a/b", {"x": b"2"})
    first, second = (commit.commit_id for commit in reversed(store.commits("a/b")))
    assert store.create_ref("A/B", "dev").commit_id == second
    assert store.create_ref("a/b", "refs/tags/v1", first[:10]).name == "refs/tags/v1"
    assert store.create_ref("a/b", "refs/pr/1", "v1").commit_id == first
    assert read_all(store, "a/b", "v1") == {"x": b"1"}
    with pytest.raises(AlreadyExistsError):
        store.create_ref("a/b", "dev", first)
    put(store, "c/d", {"x": b"3"})
    for revision in ("none", store.resolve("c/d"), "f" * 40):
        with pytest.raises(RevisionNotFoundError):
            store.create_ref("a/b", "other", revision)
    with pytest.raises(RepositoryNotFoundError):
        store.create_ref("a/none", "dev")
    with pytest.raises(InvalidNameError):
        store.create_ref("a/b", "refs/odd/x")
    store.create_repository("e/empty")
    with pytest.raises(RevisionNotFoundError):
        store.create_ref("e/empty", "dev")


def test_a_tag_keeps_what_a_branch_loses(store: Store) -> None:
    """What only a new ref reaches stays through squash and gc."""
    put(store, "a/b", {"x": noise(9000, 1)})
    store.create_ref("a/b", "refs/tags/old")
    put(store, "a/b", {"x": noise(9000, 2)})
    drop_history(store, parse_repository("a/b"), parse_ref("main"), message="fresh")
    collect_garbage(store, grace_s=0)
    assert read_all(store, "a/b", "old") == {"x": noise(9000, 1)}
    drop_ref(store, parse_repository("a/b"), parse_ref("refs/tags/old"))
    drop_ref(store, parse_repository("a/b"), parse_ref("refs/tags/old"))
    collect_garbage(store, grace_s=0)
    assert [(commit.title, commit.parents) for commit in store.commits("a/b")] == [("fresh", ())]
    with pytest.raises(RevisionNotFoundError):
        drop_history(store, parse_repository("a/b"), parse_ref("gone"), message="")
    assert_sound(store)
    drop_repository(store, parse_repository("a/b"))
    assert store.repositories() == []


def test_commits_on_a_new_ref(store: Store) -> None:
    """A new ref that starts somewhere has that commit as parent and its tree beneath; main stays."""
    put(store, "a/b", {"x": b"1", "y": b"2"})
    main = store.resolve("a/b")
    with store.begin_commit("a/b", revision="refs/pr/1", start="main") as transaction:
        transaction.put_file("y", b"3")
        result = transaction.publish("Change y", expected_head=main)
    assert read_all(store, "a/b", "refs/pr/1") == {"x": b"1", "y": b"3"}
    assert store.commits("a/b", result.commit_id)[0].parents == (main,)
    assert store.resolve("a/b") == main
    with store.begin_commit("a/b", revision="refs/pr/1", start="main") as transaction:
        transaction.put_file("z", b"4")
        transaction.publish()
    assert sorted(read_all(store, "a/b", "refs/pr/1")) == ["x", "y", "z"]
    with store.begin_commit("a/b", revision="refs/pr/2", start=main) as transaction:
        assert not transaction.publish().is_new_commit
    assert store.resolve("a/b", "refs/pr/2") == main
    with pytest.raises(RevisionNotFoundError):
        store.begin_commit("a/b", revision="refs/pr/3", start="none")
    with (
        store.begin_commit("a/b", revision="refs/pr/3", start=main) as transaction,
        pytest.raises(RevisionMovedError),
    ):
        transaction.publish(expected_head=result.commit_id)
    assert_sound(store)


@pytest.mark.parametrize("content", [{}, {"new": b"n"}])
def test_the_start_of_a_new_ref_goes(store: Store, content: dict[str, bytes]) -> None:
    """A new ref is not made on what has been removed meanwhile, nor over one that somebody else made."""
    put(store, "a/b", {"x": noise(9000, 1)})
    put(store, "a/b", {"x": noise(9000, 2)}, revision="dev")
    for before in (
        lambda: store.create_ref("a/b", "refs/pr/1", "main"),
        lambda: (store.delete_ref("a/b", "dev"), store.delete_ref("a/b", "refs/pr/1")),
    ):
        with store.begin_commit("a/b", revision="refs/pr/1", start="dev") as transaction:
            for path, data in content.items():
                transaction.put_file(path, data)
            before()
            with pytest.raises((RevisionMovedError, RevisionNotFoundError)):
                transaction.publish()
    assert [ref.name for ref in store.refs("a/b")] == ["refs/heads/main"]


def test_renaming(store: Store) -> None:
    """All refs and places go with the new name; a name that is taken, or of another type, is refused."""
    put(store, "a/b", {"m.safetensors": MODEL})
    store.create_ref("a/b", "refs/tags/v1")
    put(store, "c/d", {"x": b"1"})
    assert str(store.move_repository("A/B", "new/name")) == "new/name"
    assert [info.repo_id for info in store.repositories()] == ["c/d", "new/name"]
    assert [ref.name for ref in store.refs("new/name")] == ["refs/heads/main", "refs/tags/v1"]
    assert read_all(store, "New/Name", "v1") == {"m.safetensors": MODEL}
    assert homes(store) == ["new/name"]
    for taken in ("c/d", "C/D"):
        with pytest.raises(AlreadyExistsError):
            store.move_repository("new/name", taken)
    with pytest.raises(UsageError):
        store.move_repository("new/name", "datasets/x/y")
    with pytest.raises(RepositoryNotFoundError):
        store.move_repository("a/b", "x/y")
    assert_sound(store)


def test_another_spelling(store: Store) -> None:
    """A repository may be renamed to another spelling of its name, and to the same."""
    put(store, "a/b", {"m.safetensors": MODEL})
    store.move_repository("a/b", "A/B")
    store.move_repository("A/B", "A/B")
    assert [info.repo_id for info in store.repositories()] == homes(store) == ["A/B"]
    store.create_repository("e/empty")
    store.move_repository("e/empty", "f/empty")
    assert store.refs("f/empty") == []


def test_a_commit_begun_under_the_old_name(store: Store) -> None:
    """It is refused, and the old name does not come back."""
    put(store, "a/b", {"x": b"1"})
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("y", b"2")
        store.move_repository("a/b", "c/d")
        with pytest.raises(RevisionMovedError):
            transaction.publish()
    assert [info.repo_id for info in store.repositories()] == ["c/d"]


@pytest.mark.parametrize("step", ["rename_repository", "finish_move"])
def test_renaming_that_was_cut_short(store: Store, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """After a crash the repository has one name, and opening the store makes places right."""
    put(store, "a/b", {"m.safetensors": MODEL})

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    owner = store.ref_store if step == "rename_repository" else ref_changes
    monkeypatch.setattr(owner, step, crash)
    with pytest.raises(KeyboardInterrupt):
        store.move_repository("a/b", "c/d")
    monkeypatch.undo()
    assert has_unfinished_move(store.catalog)
    with Store.open(store.path) as opened:
        assert not has_unfinished_move(opened.catalog)
        (info,) = opened.repositories()
        assert info.repo_id == ("a/b" if step == "rename_repository" else "c/d")
        assert homes(opened) == [info.repo_id]
        opened.move_repository(info.repo_id, "e/f")
        assert homes(opened) == ["e/f"]
