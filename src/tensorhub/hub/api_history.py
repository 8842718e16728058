"""History: a repository's refs, and the commits of a revision.

Duty: ``/refs`` and ``/commits``. Not its duty: changing either.
Invariants: what is read of a history for one page is bounded; commits come newest first, each once.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import islice
from typing import Any

from starlette.responses import Response

from tensorhub.hub.cursors import next_page, parse_cursor, parse_limit
from tensorhub.hub.dates import iso_date
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.schema.names import RefKind, RepositoryId
from tensorhub.schema.records import CommitReference

_PAGE = 50  # as the Hugging Face hub
_MAX_PAGE = 1000
_MAX_SKIP = 200_000  # commits that are listed: some 40 MB while they are kept
_GROUPS = {
    RefKind.HEADS: "branches",
    RefKind.CONVERT: "converts",
    RefKind.TAGS: "tags",
    RefKind.PR: "pullRequests",
}


async def refs(request: HubRequest) -> Response:
    """Answer every ref by kind; pull requests when asked."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    present = await hub.meta.run(hub.store.ref_store.list, found)
    groups: dict[str, list[dict[str, str]]] = {name: [] for name in _GROUPS.values()}
    for ref, reference in present.items():
        shown = {"name": ref.name, "ref": str(ref), "targetCommit": reference.commit_id}
        groups[_GROUPS[ref.kind]].append(shown)
    if not (request.flag("include_prs") or request.flag("include_pull_requests")):
        del groups["pullRequests"]
    return JsonResponse(groups)


async def commits(request: HubRequest) -> Response:
    """Answer the history of a revision, newest first."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    limit = parse_limit(request.query, _PAGE, _MAX_PAGE)
    skip = 0
    revision = request.params["rev"]
    if "cursor" in request.query:
        revision, skip = parse_cursor(request.query["cursor"], str, int)
        skip = min(max(skip, 0), _MAX_SKIP)
    formatted = "formatted" in request.query_list("expand")
    items, head, has_more = await hub.meta.run(_list_commits, hub, found, revision, skip, limit, formatted)
    return JsonResponse(items, headers=next_page(request, [head, skip + len(items)]) if has_more else None)


def _list_commits(
    hub: Hub, repository: RepositoryId, revision: str, skip: int, limit: int, formatted: bool
) -> tuple[list[dict[str, Any]], str, bool]:
    """Give a page of a history, its first commit's id, and whether more follow."""
    head = hub.store.snapshots.resolve(repository, revision)
    if skip:  # who asks for a second page asks for the others, too: the walk is not begun anew for each
        window = list(_history(hub, head)[skip : skip + limit + 1])
    else:
        window = list(islice(hub.store.snapshots.walk([head]), limit + 1))
    items = [_describe(hub, reference, formatted) for reference in window[:limit]]
    return items, head.commit_id, len(window) > limit


def _history(hub: Hub, head: CommitReference) -> Sequence[CommitReference]:
    def compute() -> tuple[Sequence[CommitReference], int]:
        found = tuple(islice(hub.store.snapshots.walk([head]), _MAX_SKIP))
        return found, len(found)

    return hub.histories.get(head.digest, compute)


def _describe(hub: Hub, reference: CommitReference, formatted: bool) -> dict[str, Any]:
    commit = hub.store.snapshots.commit(reference.digest)
    item: dict[str, Any] = {
        "id": reference.commit_id,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author}] if commit.author else [],
        "date": iso_date(commit.date_ms),
        "parents": [parent.commit_id for parent in commit.parents],
    }
    if formatted:
        item["formatted"] = {"title": html.escape(commit.title), "message": _paragraphs(commit.message)}
    return item


def _paragraphs(text: str) -> str:
    parts = [part.strip() for part in text.split("\n\n")]
    return "".join(f"<p>{html.escape(part)}</p>" for part in parts if part)


ROUTES = [
    Route("GET HEAD", "/api/{T}/{repo}/refs", refs),
    Route("GET HEAD", "/api/{T}/{repo}/commits/{rev}", commits),
]
