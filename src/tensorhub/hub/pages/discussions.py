"""Discussions and pull requests, to read.

Duty: what happened in one, in order, and what it would change. Not its duty: taking part (clients do, through the API).
Invariants: comments are Markdown without HTML and without pictures of other hosts; hidden ones are not shown. Finding
what a pull request changes takes bounded work, whatever the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from markupsafe import Markup

from tensorhub.hub.discussion_events import COMMENT, STATUS, TITLE, Event
from tensorhub.hub.pages.card import render_card
from tensorhub.hub.pages.changes import Changes, compare_trees
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pull_requests import MERGED, PullRequest, pull_ref
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import Tree
from tensorhub.store.store import Store

_MAX_WALK = 500  # commits looked through for where a pull request began
MAX_SHOWN = (
    1 << 18
)  # characters of all comments together, as of a card: rendering them takes some 2 s at worst
MAX_EVENTS = 500  # shown of one discussion: the newest are what a reader comes for


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that happened: a comment has ``html``, anything else ``text``."""

    author: str
    at_ms: int
    html: Markup | None
    text: str
    commit_id: str = ""


def list_events(
    repository: RepositoryId, revision: str, events: Iterable[Event], links: Links
) -> tuple[EventRow, ...]:
    """Say what happened in a discussion, in order; links in comments lead to files of the revision."""
    rows: list[EventRow] = []
    left = MAX_SHOWN
    for event in reversed(list(events)[-MAX_EVENTS:]):
        left -= len(str(event.data.get("text", "")))
        if event.kind == COMMENT and left < 0:
            rows.append(EventRow(event.author, event.at_ms, None, "wrote a comment that is left out here"))
        else:
            rows.append(_to_row(repository, revision, event, links))
    return tuple(reversed(rows))


def _to_row(repository: RepositoryId, revision: str, event: Event, links: Links) -> EventRow:
    data = event.data
    if event.kind == COMMENT:
        if data.get("hidden"):
            return EventRow(event.author, event.at_ms, None, "wrote a comment that is hidden")
        rendered = render_card(
            str(data.get("text", "")).encode("utf-8", "replace"),
            to_file=lambda path: links.blob(repository, revision, path),
            to_picture=lambda path: links.picture(repository, revision, path),
            has_front_matter=False,
        )
        return EventRow(event.author, event.at_ms, rendered.html, "")
    if event.kind == STATUS:
        text = f"changed the status to {data.get('status', '')}"
        return EventRow(event.author, event.at_ms, None, text, str(data.get("commit", "")))
    if event.kind == TITLE:
        return EventRow(event.author, event.at_ms, None, f"changed the title to “{data.get('to', '')}”")
    return EventRow(event.author, event.at_ms, None, event.kind)


def find_changes(store: Store, repository: RepositoryId, pull: PullRequest) -> Changes | None:
    """Say what a pull request would change; None for a discussion, for a merged one, and where it has no commit."""
    if not pull.base or pull.status == MERGED:
        return None
    head = store.ref_store.read(repository, pull_ref(pull.num))
    if head is None:
        return None
    base = store.ref_store.read(repository, RefName(RefKind.HEADS, pull.base.removeprefix("refs/heads/")))
    snapshots = store.snapshots
    known = {item.digest for item in islice(snapshots.walk([base]), _MAX_WALK)} if base else set()
    before: Tree | None = None
    for reference in islice(snapshots.walk([head]), _MAX_WALK):
        if reference.digest in known:
            before = snapshots.tree_of(reference)
            break
    return compare_trees(snapshots, before, snapshots.tree_of(head))
