"""Refs: small files, swapped only by who knows what they said."""

import os
from dataclasses import replace

import pytest

from tensorhub import Store
from tensorhub.errors import CorruptIndexError, NotFoundError, RevisionMovedError
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import parse_ref, parse_repository
from tensorhub.schema.records import CommitReference
from tensorhub.store import refs as refs_module

MAIN = parse_ref("main")
REPOSITORY = parse_repository("Owner/Name")
FIRST = CommitReference("a" * 40, Digest(b"a" * 32))
SECOND = CommitReference("b" * 40, Digest(b"b" * 32))


def test_compare_and_swap(store: Store) -> None:
    """A ref moves only from what the caller thinks it is."""
    refs = store.ref_store
    assert refs.read(REPOSITORY, MAIN) is None
    with pytest.raises(RevisionMovedError):
        refs.swap(REPOSITORY, MAIN, FIRST, SECOND)
    refs.swap(REPOSITORY, MAIN, None, FIRST)
    with pytest.raises(RevisionMovedError):
        refs.swap(REPOSITORY, MAIN, None, SECOND)
    with pytest.raises(RevisionMovedError):
        refs.swap(REPOSITORY, MAIN, replace(FIRST, digest=SECOND.digest), SECOND)
    assert refs.read(REPOSITORY, MAIN) == FIRST
    refs.swap(REPOSITORY, MAIN, FIRST, SECOND)
    assert refs.read(REPOSITORY, MAIN) == SECOND


def test_listing(store: Store) -> None:
    """Refs of every kind are listed by kind and name, whatever characters they have."""
    names = ["a/b", "main", "refs/tags/v1.0", "refs/pr/3", "refs/convert/ünï"]
    for name in names:
        store.ref_store.swap(REPOSITORY, parse_ref(name), None, FIRST)
    found = [str(ref) for ref in store.ref_store.list(REPOSITORY)]
    assert found == [
        "refs/heads/a/b", "refs/heads/main", "refs/tags/v1.0", "refs/pr/3", "refs/convert/ünï",
    ]  # fmt: skip
    assert len(list(store.ref_store.all())) == 5


def test_case(store: Store) -> None:
    """Ids are compared without case and kept as they were first written; types are apart."""
    refs = store.ref_store
    assert refs.create_repository(REPOSITORY) == REPOSITORY
    assert refs.create_repository(parse_repository("oWNER/nAME")) == REPOSITORY
    assert refs.find_repository(parse_repository("owner/name")) == REPOSITORY
    assert refs.find_repository(parse_repository("owner/name", "dataset")) is None
    assert refs.repositories() == [REPOSITORY]


def test_listing_is_not_repeated(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is listed anew where others changed it; own changes are put into the list that was made before."""
    listed: list[str] = []
    names = refs_module._names
    monkeypatch.setattr(refs_module, "_names", lambda folder: listed.append(folder.name) or names(folder))
    refs, other = store.ref_store, parse_repository("owner/name")
    refs.create_repository(REPOSITORY)
    folder = store.layout.refs / "model"
    listed.clear()
    refs.create_repository(parse_repository("a/b"))
    refs.create_repository(parse_repository("c/d", "dataset"))
    assert [str(item) for item in refs.repositories()] == ["datasets/c/d", "a/b", "Owner/Name"]
    refs.rename_repository(REPOSITORY, parse_repository("owner/NAME"))
    assert refs.find_repository(REPOSITORY) == parse_repository("owner/NAME")
    refs.rename_repository(parse_repository("owner/NAME"), REPOSITORY)
    refs.delete_repository(parse_repository("a/b"))
    assert refs.repositories(REPOSITORY.repo_type) == [REPOSITORY]
    assert listed == []
    refs_module.RefStore(store.layout).create_repository(parse_repository("e/f"))
    assert [str(item) for item in refs.repositories()] == ["datasets/c/d", "e/f", "Owner/Name"]
    refs.delete_repository(parse_repository("e/f"))
    monkeypatch.setattr(refs_module, "_RELIST_S", 0.0)
    store.layout.repository(parse_repository("by/hand")).mkdir()
    assert refs.find_repository(parse_repository("BY/HAND")) == parse_repository("by/hand")
    store.layout.repository(parse_repository("by/hand")).rmdir()
    os.utime(folder, ns=(10**18, 10**18))
    assert refs.find_repository(other) == REPOSITORY
    listed.clear()
    assert refs.find_repository(other) == REPOSITORY
    assert refs.repositories(REPOSITORY.repo_type) == [REPOSITORY]
    assert refs.find_repository(parse_repository("no/name")) is None
    assert listed == []
    refs.delete_repository(REPOSITORY)
    assert refs.find_repository(other) is None


def test_order_and_types(store: Store) -> None:
    """Repositories are ordered by type and id without case; one type can be asked for."""
    for name, kind in (("b", "model"), ("A", "model"), ("c/d", "dataset"), ("z", "space")):
        store.ref_store.create_repository(parse_repository(name, kind))
    assert [str(item) for item in store.ref_store.repositories()] == ["datasets/c/d", "A", "b", "spaces/z"]


def test_deleting(store: Store) -> None:
    """A deleted ref or repository is gone for listings; a missing repository is told."""
    refs = store.ref_store
    refs.swap(REPOSITORY, MAIN, None, FIRST)
    refs.delete(REPOSITORY, MAIN)
    refs.delete(REPOSITORY, MAIN)
    assert refs.list(REPOSITORY) == {}
    assert refs.repositories() == [REPOSITORY]
    refs.swap(REPOSITORY, MAIN, None, FIRST)
    refs.delete_repository(REPOSITORY)
    assert refs.repositories() == []
    assert list(store.layout.refs.rglob("*Name*")) == []
    with pytest.raises(NotFoundError):
        refs.delete_repository(REPOSITORY)


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"\xff", b"a" * 40, b"a" * 40 + b" blake3:00\n", b"g" * 40 + b" " + b"a" * 64, b"\0" * 90],
)
def test_damaged_ref(store: Store, text: bytes) -> None:
    """A file that holds no ref is damage, named by its path."""
    store.ref_store.swap(REPOSITORY, MAIN, None, FIRST)
    path = store.layout.ref(REPOSITORY, MAIN)
    path.write_bytes(text)
    with pytest.raises(CorruptIndexError) as caught:
        store.ref_store.read(REPOSITORY, MAIN)
    assert caught.value.path == str(path)


def test_what_a_crash_left(store: Store) -> None:
    """Half-written ref files are no refs, and go when the ref is written next."""
    store.ref_store.swap(REPOSITORY, MAIN, None, FIRST)
    folder = store.layout.ref(REPOSITORY, MAIN).parent
    (folder / ".main.0123456789ab.tmp").write_bytes(b"half")
    assert list(store.ref_store.list(REPOSITORY)) == [MAIN]
    store.ref_store.swap(REPOSITORY, MAIN, FIRST, SECOND)
    assert [path.name for path in folder.iterdir()] == ["main"]


def test_changes_are_noted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every change leaves another stamp; own ones say what changed, those of others that something did."""
    refs = store.ref_store
    stamps = [refs.stamp()]
    for change in (
        lambda: refs.create_repository(REPOSITORY),
        lambda: refs.swap(REPOSITORY, MAIN, None, FIRST),
        lambda: refs.delete(REPOSITORY, MAIN),
        lambda: refs.rename_repository(REPOSITORY, parse_repository("new/name")),
        lambda: refs.delete_repository(parse_repository("new/name")),
    ):
        change()
        stamps.append(refs.stamp())
    assert stamps == sorted(set(stamps))
    assert refs.changes_since(stamps[0]) == (stamps[-1], {REPOSITORY, parse_repository("new/name")})
    assert refs.changes_since(stamps[2]) == (stamps[-1], {REPOSITORY, parse_repository("new/name")})
    assert refs.changes_since(stamps[-1]) == (stamps[-1], set())
    assert refs.changes_since(1) == (stamps[-1], None)
    other = refs_module.RefStore(store.layout)
    other.create_repository(REPOSITORY)
    assert refs.changes_since(stamps[-1])[1] is None
    utime = os.utime

    def whole_seconds(path: str, *, ns: tuple[int, int]) -> None:
        utime(path, ns=(ns[0] // 10**9 * 10**9, ns[1] // 10**9 * 10**9))

    monkeypatch.setattr(os, "utime", whole_seconds)
    before = refs.stamp()
    for _ in range(3):
        refs.swap(REPOSITORY, MAIN, refs.read(REPOSITORY, MAIN), FIRST)
    found, changed = refs.changes_since(before)
    assert found > before
    assert changed == {REPOSITORY}
