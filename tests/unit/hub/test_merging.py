"""Merging: every way in which two sides change a path."""

from __future__ import annotations

import pytest

from tensorhub.errors import MergeConflictError
from tensorhub.hub.hub import Hub
from tensorhub.hub.merging import merge_pull, plan_merge, pull_commits
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import parse_repository
from tensorhub.schema.records import FileMode

REPOSITORY = parse_repository("local/m")
A, B, C = ((FileMode.FILE, Digest(bytes([n]) * 32)) for n in range(3))


@pytest.mark.parametrize(
    ("common", "base", "change", "put", "removed", "conflicts"),
    [
        ({}, {}, {"x": A}, {"x": A}, (), ()),
        ({"x": A}, {"x": A}, {}, {}, ("x",), ()),
        ({"x": A}, {"x": A, "y": B}, {"x": B}, {"x": B}, (), ()),
        ({"x": A}, {"x": B}, {"x": B}, {}, (), ()),
        ({"x": A}, {"x": B}, {"x": A}, {}, (), ()),
        ({"x": A}, {"x": B}, {"x": C}, {}, (), ("x",)),
        ({"x": A}, {}, {"x": B}, {}, (), ("x",)),
        ({"x": A}, {"x": B}, {}, {}, (), ("x",)),
        ({"x": A}, {}, {}, {}, (), ()),
    ],
)
def test_plan_merge(common, base, change, put, removed, conflicts) -> None:  # type: ignore[no-untyped-def]
    """Every way in which two sides can change a path."""
    plan = plan_merge(common, base, change)
    assert (plan.put, plan.removed, plan.conflicts) == (put, removed, conflicts)


def write(hub: Hub, revision: str, files: dict[str, bytes], start: str | None = None) -> None:
    with hub.store.begin_commit(REPOSITORY, revision=revision, start=start) as transaction:
        for path, data in files.items():
            transaction.put_file(path, data)
        transaction.publish("change")


def test_merge(hub: Hub) -> None:
    """A merge takes over what was changed, and only once; conflicts change nothing."""
    write(hub, "main", {"a": b"1", "b": b"1"})
    pull = hub.pulls.open(REPOSITORY, title="t", description="d", author="ada", base="main")
    other = hub.pulls.open(REPOSITORY, title="t", description="d", author="ada", base="main")
    write(hub, "refs/pr/1", {"a": b"2"}, "main")
    write(hub, "refs/pr/2", {"a": b"3"}, "main")
    write(hub, "main", {"b": b"2"})
    assert [
        hub.store.snapshots.commit(item.digest).title for item in pull_commits(hub.store, REPOSITORY, pull)
    ] == ["change"]
    commit_id = merge_pull(hub.store, REPOSITORY, pull, "bob")
    assert (hub.store.read("local/m", "a"), hub.store.read("local/m", "b")) == (b"2", b"2")
    with pytest.raises(MergeConflictError, match="found a"):
        merge_pull(hub.store, REPOSITORY, other, "bob")
    assert hub.store.resolve("local/m") == commit_id
