"""Discussions and pull requests, to read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tensorhub import Store
from tensorhub.hub.pages.discussions import find_changes, list_events
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pull_requests import PullRequests
from tensorhub.schema.names import parse_repository

from ....weights import put

REPOSITORY = parse_repository("a/b")


@pytest.fixture
def pulls(store: Store) -> Iterator[PullRequests]:
    put(store, "a/b", {"x": b"1"})
    yield PullRequests(store)
    store.state.close()


def test_events(pulls: PullRequests) -> None:
    """Comments as Markdown that cannot harm, other events in words, hidden ones not at all."""
    pull = pulls.open(REPOSITORY, title="T", description="**bold** <script>", author="ada", base="main")
    secret = pulls.comment(REPOSITORY, pull.num, "eve", "secret")
    pulls.edit(REPOSITORY, secret, hidden=True)
    pulls.set_title(REPOSITORY, pull.num, "ada", "U")
    pulls.set_status(REPOSITORY, pull.num, "ada", "merged", "c" * 40)
    rows = list_events(REPOSITORY, "refs/pr/1", pulls.events(REPOSITORY, pull.num), Links())
    assert rows[0].html is not None
    assert "<strong>bold</strong> &lt;script&gt;" in rows[0].html
    assert [row.text for row in rows[1:]] == [
        "wrote a comment that is hidden", "changed the title to “U”", "changed the status to merged",
    ]  # fmt: skip
    assert rows[-1].commit_id == "c" * 40
    assert "secret" not in repr(rows)


def test_long_comments(pulls: PullRequests) -> None:
    """The newest are shown; whoever writes at length holds up nobody."""
    pull = pulls.open(REPOSITORY, title="T", description="first", author="ada")
    for number in range(6):
        pulls.comment(REPOSITORY, pull.num, "eve", f"n{number} " + "*a* " * 15_000)
    rows = list_events(REPOSITORY, "main", pulls.events(REPOSITORY, pull.num), Links())
    assert [row.html is None for row in rows] == [True] * 3 + [False] * 4
    assert rows[0].text == "wrote a comment that is left out here"


def test_changes(pulls: PullRequests, store: Store) -> None:
    """Against where it began, though the branch moved on; none for a discussion."""
    pull = pulls.open(REPOSITORY, title="T", description="", author="ada", base="main")
    assert find_changes(store, REPOSITORY, pull) is None
    store.create_ref("a/b", "refs/pr/1")
    put(store, "a/b", {"y": b"22"}, revision="refs/pr/1", keep=True)
    put(store, "a/b", {"z": b"333"}, keep=True)
    found = find_changes(store, REPOSITORY, pull)
    assert found is not None
    assert [(row.path, row.kind) for row in found.rows] == [("y", "added")]
    talk = pulls.open(REPOSITORY, title="D", description="", author="ada")
    assert find_changes(store, REPOSITORY, talk) is None
