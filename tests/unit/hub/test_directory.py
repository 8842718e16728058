"""The directory follows the store."""

import time

import pytest

from tensorhub import Store
from tensorhub.errors import NotFoundError
from tensorhub.hub.directory import Directory, Entry
from tensorhub.schema.names import RepositoryId, RepoType

from ...weights import put, safetensors, weights

CARD = b"---\nlicense: mit\ntags: [mine]\n---\n# Card"


def names(directory: Directory) -> list[str]:
    return [str(entry.repository) for entry in directory.entries()]


def find(directory: Directory, repo_id: str) -> Entry:
    return directory.entry(RepositoryId(RepoType.MODEL, repo_id))


def test_sizes_dates_and_profile(store: Store) -> None:
    """An entry says what lists show."""
    content = {"model.safetensors": safetensors({"a": weights((4, 8), 1)}), "README.md": CARD}
    put(store, "me/one", content)
    store.create_ref("me/one", "refs/tags/v1")
    directory = Directory(store)
    (entry,) = directory.entries()
    assert (entry.files, len(entry.info.refs), entry.damage) == (2, 2, "")
    assert entry.nbytes == sum(map(len, content.values()))
    assert entry.commit_id == store.resolve("me/one")
    assert 0 < entry.created_at_ms == entry.modified_at_ms
    assert entry.profile is None
    profile = directory.profile(entry)
    assert profile.license == "mit"
    assert profile.parameters == {"BF16": 32}
    assert directory.entries()[0].profile == profile
    assert directory.is_profiled


def test_changes_are_seen(store: Store) -> None:
    """Repositories come, change, are renamed and go."""
    directory = Directory(store)
    assert directory.entries() == []
    put(store, "me/b", {"x": b"1"})
    put(store, "datasets/me/a", {"x": b"1"})
    store.create_repository("me/empty")
    assert names(directory) == ["datasets/me/a", "me/b", "me/empty"]
    first = find(directory, "ME/B")
    directory.profile(first)
    put(store, "me/b", {"x": b"12", "y": b"3"})
    second = find(directory, "me/b")
    assert (second.files, second.nbytes, second.profile) == (2, 3, None)
    assert second.created_at_ms == first.created_at_ms
    store.move_repository("me/b", "you/c")
    store.delete_repository("datasets/me/a")
    assert names(directory) == ["me/empty", "you/c"]
    with pytest.raises(NotFoundError):
        find(directory, "me/b")


def test_what_did_not_change_stays(store: Store) -> None:
    """An entry is made anew only for a repository that changed; another ref keeps its profile."""
    for name in ("me/a", "me/b"):
        put(store, name, {"README.md": CARD})
    directory = Directory(store)
    first, second = directory.entries()
    profile = directory.profile(first)
    store.create_ref("me/a", "refs/tags/v1")
    again = directory.entries()
    assert again[1] is second
    assert again[0].profile is profile


def test_empty_repository(store: Store) -> None:
    """Nothing is known of a repository without commits, and nothing is missing either."""
    store.create_repository("me/a")
    (entry,) = Directory(store).entries()
    assert (entry.commit_id, entry.created_at_ms, entry.modified_at_ms) == (None, 0, 0)
    assert entry.profile is not None


def test_readers_see_their_own(store: Store) -> None:
    """Only what the given function allows, and only of the asked type."""
    for name in ("me/a", "you/b", "datasets/me/c"):
        put(store, name, {"x": b"1"})
    directory = Directory(store)

    def is_mine(repository: RepositoryId) -> bool:
        return repository.repo_id.startswith("me/")

    assert [str(entry.repository) for entry in directory.readable(is_mine)] == ["datasets/me/c", "me/a"]
    assert [str(entry.repository) for entry in directory.readable(is_mine, RepoType.MODEL)] == ["me/a"]


def test_damage_hides_nobody_else(store: Store) -> None:
    """A damaged ref is told as damage of its repository."""
    for name in ("me/a", "me/b"):
        put(store, name, {"x": b"1"})
    (path,) = (store.layout.repository(RepositoryId(RepoType.MODEL, "me/a")) / "heads").iterdir()
    path.write_bytes(b"nonsense")
    entries = Directory(store).entries()
    assert [bool(entry.damage) for entry in entries] == [True, False]


def test_thread(store: Store) -> None:
    """With its thread running, profiles come by themselves."""
    put(store, "me/a", {"README.md": CARD})
    directory = Directory(store)
    directory.start()
    try:
        deadline = time.monotonic() + 20
        while not directory.is_profiled and time.monotonic() < deadline:
            time.sleep(0.01)
        put(store, "me/b", {"x": b"1"})
        assert names(directory) == ["me/a", "me/b"]
    finally:
        directory.stop()
    assert directory.entries()[0].profile is not None
