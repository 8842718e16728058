"""Pull requests: numbers, titles, statuses."""

from __future__ import annotations

import pytest

from tensorhub.errors import ConflictError, LimitExceededError, NotFoundError
from tensorhub.hub import discussion_events
from tensorhub.hub.access import LOCAL_OWNER
from tensorhub.hub.hub import Hub
from tensorhub.hub.pull_requests import MERGED, may_push
from tensorhub.schema.names import parse_ref, parse_repository

REPOSITORY = parse_repository("local/m")


def test_rows(hub: Hub) -> None:
    """Numbers count on, past refs that came from elsewhere; a merged one changes no more."""
    with hub.store.begin_commit(REPOSITORY) as transaction:
        transaction.put_file("a", b"1")
        transaction.publish("first")
    hub.store.create_ref(REPOSITORY, "refs/pr/7")
    pull = hub.pulls.open(REPOSITORY, title=" t ", description="", author="ada", base="main")
    assert (pull.num, pull.title, pull.status) == (8, "t", "open")
    hub.pulls.set_title(REPOSITORY, 8, "bob", "u")
    hub.pulls.set_status(REPOSITORY, 8, "bob", MERGED, "0" * 40)
    with pytest.raises(ConflictError):
        hub.pulls.set_status(REPOSITORY, 8, "bob", "closed")
    for call in (hub.pulls.comment, hub.pulls.set_title, hub.pulls.set_status):
        with pytest.raises(NotFoundError):
            call(REPOSITORY, 9, "bob", "closed")
    found = hub.pulls.find(REPOSITORY, 8)
    assert (found.title, found.status) == ("u", "merged")
    assert [event.kind for event in hub.pulls.events(REPOSITORY, 8)] == [
        "comment",
        "title-change",
        "status-change",
    ]
    assert [item.num for item in hub.pulls.all_of(REPOSITORY)] == [8]


@pytest.mark.parametrize("name", ["7", "9" * 20, "9" * 200, "\u0663", "x"])
def test_no_number_is_too_large(hub: Hub, name: str) -> None:
    """For the state, that is; other digits are no number either."""
    assert not may_push(hub, LOCAL_OWNER, REPOSITORY, parse_ref(f"refs/pr/{name}"))


def test_a_discussion_has_an_end(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read a repository may talk there, so that much can be said, but not without end."""
    monkeypatch.setattr(discussion_events, "MAX_NBYTES", 1000)
    pull = hub.pulls.open(REPOSITORY, title="t", description="", author="ada")
    said = hub.pulls.comment(REPOSITORY, pull.num, "ada", "x" * 500)
    with pytest.raises(LimitExceededError):
        hub.pulls.comment(REPOSITORY, pull.num, "ada", "x" * 500)
    with pytest.raises(LimitExceededError):
        hub.pulls.edit(REPOSITORY, said, text="x" * 1000)
    hub.pulls.edit(REPOSITORY, said, text="y")
    hub.pulls.comment(REPOSITORY, pull.num, "ada", "x" * 500)
    assert len(hub.pulls.events(REPOSITORY, pull.num)) == 3
