"""Pages of what changes a repository: commits, pull requests, discussions.

Duty: from a request to one of these pages; their addresses are those that clients print. Not its duty: what they show
(the view models).
Invariants: as for all pages of a repository (``repository_routes``).
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.errors import NotFoundError
from tensorhub.hub.pages.changes import compare_trees
from tensorhub.hub.pages.discussions import find_changes, list_events
from tensorhub.hub.pages.repository_routes import Opened, answer
from tensorhub.hub.pull_requests import pull_ref
from tensorhub.hub.request import HubRequest
from tensorhub.hub.routes import Route

_MAX_PULLS = 200  # listed on one page
_MAX_DIGITS = 9  # of a number; more of them name no discussion


async def commit(request: HubRequest) -> Response:
    """Answer what a commit changed."""
    return await request.hub.meta.run(answer, request, _commit)


async def discussions(request: HubRequest) -> Response:
    """Answer the list of pull requests and discussions."""
    return await request.hub.meta.run(answer, request, _discussions)


async def discussion(request: HubRequest) -> Response:
    """Answer one pull request or discussion."""
    return await request.hub.meta.run(answer, request, _discussion)


def _commit(opened: Opened) -> Response:
    snapshots, snapshot = opened.site.hub.store.snapshots, opened.present
    parents = snapshot.commit.parents
    before = snapshots.tree_of(parents[0]) if parents else None
    values = {
        "commit": snapshot.commit,
        "commit_id": snapshot.reference.commit_id,
        "changes": compare_trees(snapshots, before, snapshot.tree),
    }
    links = opened.site.links
    return opened.page(
        "commit.html", "history", values, lambda revision: links.commits(opened.repository, revision)
    )


def _discussions(opened: Opened) -> Response:
    pulls = opened.site.hub.pulls.all_of(opened.repository)
    values = {"pulls": pulls[:_MAX_PULLS], "left_out": max(0, len(pulls) - _MAX_PULLS)}
    return opened.page("discussions.html", "discussions", values, opened.to_files)


def _discussion(opened: Opened) -> Response:
    hub, repository = opened.site.hub, opened.repository
    text = opened.request.params["num"]
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise NotFoundError(f"discussion {text!r} of {repository}", expected="a number", found="none")
    pull = hub.pulls.find(repository, int(text))
    revision = str(pull_ref(pull.num))
    values = {
        "pull": pull,
        "pull_revision": revision,
        "has_files": hub.store.ref_store.read(repository, pull_ref(pull.num)) is not None,
        "events": list_events(
            repository, revision, hub.pulls.events(repository, pull.num), opened.site.links
        ),
        "changes": find_changes(hub.store, repository, pull),
    }
    return opened.page("discussion.html", "discussions", values, opened.to_files)


ROUTES = [
    Route("GET HEAD", "/{P}{repo}/commit/{rev}", commit),
    Route("GET HEAD", "/{P}{repo}/discussions", discussions),
    Route("GET HEAD", "/{P}{repo}/discussions/{num}", discussion),
]
