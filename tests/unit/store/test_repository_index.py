"""The index of repositories: what a listing says, for little."""

import os

import pytest

from tensorhub import Store, parse_repository
from tensorhub.schema.names import RepositoryId
from tensorhub.store import repository_index as index_module
from tensorhub.store.repository_index import RepositoryIndex

from ...weights import noise, put


@pytest.fixture
def index(store: Store) -> RepositoryIndex:
    """Make an index of a store with two repositories and an empty one."""
    put(store, "a/one", {"x": b"1", "y": noise(5000, 1)})
    put(store, "datasets/b/two", {"x": b"2"}, revision="dev")
    store.create_repository("c/empty")
    made = RepositoryIndex(store)
    made.refresh()
    return made


def assert_right(store: Store, index: RepositoryIndex) -> None:
    index.refresh()
    assert list(index.repositories.values()) == store.repositories()
    assert list(index.repositories) == store.ref_store.repositories()


def watch(monkeypatch: pytest.MonkeyPatch) -> list[list[RepositoryId]]:
    """Remember what is described."""
    described: list[list[RepositoryId]] = []
    original = index_module.describe_repositories
    monkeypatch.setattr(
        index_module,
        "describe_repositories",
        lambda store, items: described.append(items) or original(store, items),
    )
    return described


def settle(store: Store) -> None:
    """Make all folders old enough to be trusted."""
    for parent, folders, _ in os.walk(store.layout.refs):
        for name in folders:
            os.utime(os.path.join(parent, name), ns=(10**18, 10**18))  # noqa: PTH118


def test_own_changes(store: Store, index: RepositoryIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change by the same store reads only what it touched; no change reads nothing."""
    assert_right(store, index)
    described = watch(monkeypatch)
    generation = index.refresh()
    assert (index.refresh(), described) == (generation, [])
    put(store, "a/one", {"x": b"3"})
    assert index.refresh() == generation + 1
    assert described == [[parse_repository("a/one")]]
    for change in (
        lambda: put(store, "a/new", {"x": b"4"}),
        lambda: store.create_ref("a/one", "refs/tags/v1"),
        lambda: store.move_repository("a/one", "z/moved"),
        lambda: store.delete_ref("z/moved", "refs/tags/v1"),
        lambda: store.delete_repository("datasets/b/two"),
        lambda: store.create_repository("spaces/d/empty"),
    ):
        before = index.refresh()
        change()
        assert_right(store, index)
        assert index.refresh() == before + 1
    assert max(map(len, described)) <= 2


def test_changes_of_others(store: Store, index: RepositoryIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """After another process wrote, only repositories whose folders changed are read, fresh ones always."""
    settle(store)
    index._scanned_at_s = float("-inf")
    index.refresh()
    described = watch(monkeypatch)
    with Store.open(store.path) as other:
        put(other, "a/one", {"x": b"3"})
        put(store, "c/empty", {"x": b"5"})
        assert_right(store, index)
    assert described == [[parse_repository("a/one"), parse_repository("c/empty")]]


def test_changes_behind_its_back(store: Store, index: RepositoryIndex) -> None:
    """What no note tells of is found by the look that is due now and then."""
    path = store.layout.ref(
        parse_repository("b/two", "dataset"),
        next(iter(store.ref_store.list(parse_repository("b/two", "dataset")))),
    )
    path.unlink()
    before = index.refresh()
    index._scanned_at_s = float("-inf")
    assert index.refresh() == before + 1
    assert_right(store, index)


def test_damage_in_one(store: Store, index: RepositoryIndex) -> None:
    """A repository whose refs cannot be read is told as damaged, and the others are listed."""
    repository = parse_repository("a/one")
    put(store, "a/one", {"x": b"3"})
    store.layout.ref(repository, next(iter(store.ref_store.list(repository)))).write_bytes(b"odd")
    assert_right(store, index)
    assert "expected a commit id" in (index.repositories[repository].damage or "")


def test_many_own_changes(store: Store, index: RepositoryIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """More changes than are remembered are found all the same."""
    monkeypatch.setattr("tensorhub.store.refs._REMEMBERED", 2)
    for name in ("e/1", "e/2", "e/3", "e/4"):
        store.create_repository(name)
    assert_right(store, index)
