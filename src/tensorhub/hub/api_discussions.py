"""Discussions and pull requests: open, list, show, comment, rename, close, merge.

Duty: requests to rows, refs and merges, and back to what clients read. Not its duty: commits to a pull request
(``api_commit``), merging itself (``merging``).
Invariants: who may read a repository may discuss it; titles and statuses are for its writers and for who opened it,
merging is for its writers.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tensorhub.errors import NotFoundError, RevisionNotFoundError, UsageError
from tensorhub.hub.access import Identity, can_write
from tensorhub.hub.dates import iso_date
from tensorhub.hub.discussion_events import COMMENT, STATUS, Event
from tensorhub.hub.hub import Hub, forbidden
from tensorhub.hub.json_fields import read_choice, read_optional_text, read_text
from tensorhub.hub.merging import merge_pull, plan_pull, pull_commits
from tensorhub.hub.pull_requests import CLOSED, DRAFT, MERGED, OPEN, PullRequest, pull_ref
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.hub.writing import check_proposer, record
from tensorhub.schema.names import RepositoryId

_PAGE = 50
_MAX_TITLE = 200  # characters, as on the Hugging Face hub


# -- what clients read -----------------------------------------------------------------------------------------------


def summary_json(repository: RepositoryId, pull: PullRequest) -> dict[str, Any]:
    """Give what a list shows of one."""
    return {
        "num": pull.num,
        "title": pull.title,
        "author": {"name": pull.author},
        "createdAt": iso_date(pull.created_at_ms),
        "status": pull.status,
        "isPullRequest": bool(pull.base),
        "repo": {"name": repository.repo_id, "type": repository.repo_type.value},
    }


def event_json(event: Event) -> dict[str, Any]:
    """Give an event."""
    data: dict[str, Any] = dict(event.data)
    if event.kind == COMMENT:
        text, edited = ("" if data.get("hidden") else data["text"]), iso_date(event.at_ms)
        data = {
            "edited": bool(data.get("edited")),
            "hidden": bool(data.get("hidden")),
            "latest": {"raw": text, "updatedAt": edited, "author": {"name": event.author}},
            "history": [],
        }
    return {
        "id": event.event_id,
        "type": event.kind,
        "author": {"name": event.author},
        "createdAt": iso_date(event.at_ms),
        "data": data,
    }


def details_json(hub: Hub, repository: RepositoryId, pull: PullRequest) -> dict[str, Any]:
    """Give all of one; reads history, so it blocks."""
    events = hub.pulls.events(repository, pull.num)
    listed = [(event.at_ms, event_json(event)) for event in events]
    answer = summary_json(repository, pull)
    if pull.base:
        merges = [item.data["commit"] for item in events if item.kind == STATUS and item.data.get("commit")]
        merge_id, snapshots = merges[-1] if merges else "", hub.store.snapshots
        for reference in pull_commits(hub.store, repository, pull, merge_id):
            commit = snapshots.commit(reference.digest)
            shown = {
                "id": reference.commit_id[:24],
                "type": "commit",
                "author": {"name": commit.author},
                "createdAt": iso_date(commit.date_ms),
                "data": {"subject": commit.title, "oid": reference.commit_id},
            }
            listed.append((commit.date_ms, shown))
        answer["changes"] = {"base": pull.base} | ({"mergeCommitId": merge_id} if merge_id else {})
        answer["filesWithConflicts"] = _conflicts(hub, repository, pull)
    answer["events"] = [shown for _, shown in sorted(listed, key=lambda item: item[0])]
    return answer


def _conflicts(hub: Hub, repository: RepositoryId, pull: PullRequest) -> list[str]:
    if pull.status not in (DRAFT, OPEN):
        return []
    try:
        return list(plan_pull(hub.store, repository, pull).conflicts)
    except RevisionNotFoundError:
        return []


# -- finding and rights ----------------------------------------------------------------------------------------------


async def _find(request: HubRequest) -> tuple[RepositoryId, PullRequest]:
    hub, num = request.hub, request.params["num"]
    repository = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, repository)
    if not num.isascii() or not num.isdecimal() or len(num) > 9:
        raise NotFoundError(f"discussion {num!r}", expected="a number", found="something else")
    return repository, await hub.meta.run(hub.pulls.find, repository, int(num))


def _may_write(hub: Hub, identity: Identity, repository: RepositoryId) -> bool:
    return can_write(identity, repository, hub.repositories.row(repository))


def _check_speaker(identity: Identity, repository: RepositoryId) -> str:
    return check_proposer(identity, repository, f"taking part in discussions of {repository}")


async def _check_owner(
    request: HubRequest, repository: RepositoryId, author: str, what: str, *, writers_only: bool = False
) -> str:
    """Make sure that who asks wrote it, or may write to the repository."""
    user = _check_speaker(request.identity, repository)
    is_author = not writers_only and author.casefold() == user.casefold()
    may_write = await request.hub.meta.run(_may_write, request.hub, request.identity, repository)
    if not is_author and not may_write:
        raise forbidden(request.identity, what)
    return user


def _read_title(body: dict[str, Any]) -> str:
    title = read_text(body, "title").strip()
    if not 1 <= len(title) <= _MAX_TITLE:
        raise UsageError(
            "title of a discussion",
            expected=f"1 to {_MAX_TITLE} characters",
            found=str(len(title)),
            action="Choose a shorter one.",
        )
    return title


# -- handlers --------------------------------------------------------------------------------------------------------


async def create(request: HubRequest) -> Response:
    """Open a discussion, or a pull request that has no changes yet."""
    hub, body = request.hub, await request.json()
    repository = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, repository)
    author, title = _check_speaker(request.identity, repository), _read_title(body)
    description = read_optional_text(body, "description") or ""
    async with hub.locks.hold(repository):
        pull = await hub.writes.run(
            _open, hub, repository, author, title, description, body.get("pullRequest") is True
        )
    await record(request, "pull.create" if pull.base else "discussion.create", repository, str(pull.num))
    return JsonResponse({"num": pull.num, "pullRequest": bool(pull.base)})


def _open(
    hub: Hub, repository: RepositoryId, author: str, title: str, description: str, has_changes: bool
) -> PullRequest:
    """Open one; a pull request begins at main."""
    if not has_changes:
        return hub.pulls.open(repository, title=title, description=description, author=author)
    hub.store.resolve(repository, "main")
    pull = hub.pulls.open(
        repository, title=title, description=description, author=author, base="main", status=DRAFT
    )
    try:
        hub.store.create_ref(repository, str(pull_ref(pull.num)), "main")
    except Exception:
        hub.pulls.forget(repository, pull.num)
        raise
    return pull


async def list_all(request: HubRequest) -> Response:
    """List discussions and pull requests, newest first, in pages."""
    hub, query = request.hub, request.query
    repository = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, repository)
    found = await hub.meta.run(hub.pulls.all_of, repository)
    kind, status, author = query.get("type", "all"), query.get("status", "all"), query.get("author")
    kept = [
        pull
        for pull in found
        if (kind == "all" or (kind == "pull_request") == bool(pull.base))
        and (status == "all" or (status == "open") == (pull.status in (DRAFT, OPEN)))
        and (author is None or author.casefold() == pull.author.casefold())
    ]
    page = query.get("p", "0")
    start = _PAGE * int(page) if page.isascii() and page.isdecimal() and len(page) < 8 else 0
    shown = [summary_json(repository, pull) for pull in kept[start : start + _PAGE]]
    return JsonResponse({"discussions": shown, "count": len(kept), "start": start})


async def show(request: HubRequest) -> Response:
    """Give all of one."""
    repository, pull = await _find(request)
    return JsonResponse(await request.hub.reads.run(details_json, request.hub, repository, pull))


async def comment(request: HubRequest) -> Response:
    """Add a comment."""
    hub, body = request.hub, await request.json()
    repository, pull = await _find(request)
    author = _check_speaker(request.identity, repository)
    event = await hub.meta.run(hub.pulls.comment, repository, pull.num, author, read_text(body, "comment"))
    return JsonResponse({"newMessage": event_json(event)})


async def change_comment(request: HubRequest) -> Response:
    """Edit or hide a comment."""
    hub, action, body = request.hub, request.params["action"], await request.json()
    repository, pull = await _find(request)
    events = await hub.meta.run(hub.pulls.events, repository, pull.num)
    wanted = request.params["comment"].lower()
    event = next((item for item in events if item.event_id == wanted and item.kind == COMMENT), None)
    if event is None or action not in ("edit", "hide"):
        raise NotFoundError(
            f"comment {wanted!r} of discussion {pull.num}", expected="one of its comments", found="none"
        )
    await _check_owner(request, repository, event.author, "changing somebody else's comment")
    if action == "edit":
        change: dict[str, Any] = {"text": read_text(body, "content"), "edited": True}
    else:
        change = {"hidden": True}
    changed = await hub.meta.run(lambda: hub.pulls.edit(repository, event, **change))
    return JsonResponse({"updatedComment": event_json(changed)})


async def rename(request: HubRequest) -> Response:
    """Change the title."""
    hub, title = request.hub, _read_title(await request.json())
    repository, pull = await _find(request)
    user = await _check_owner(request, repository, pull.author, f"renaming discussion {pull.num}")
    event = await hub.meta.run(hub.pulls.set_title, repository, pull.num, user, title)
    return JsonResponse({"newTitle": event_json(event)})


async def change_status(request: HubRequest) -> Response:
    """Open or close one."""
    hub, body = request.hub, await request.json()
    repository, pull = await _find(request)
    status = read_choice(body, "status", (OPEN, CLOSED))
    if status is None:
        raise UsageError(f"status of discussion {pull.num}", expected="open or closed", found="none")
    user = await _check_owner(request, repository, pull.author, f"changing discussion {pull.num}")
    text = read_optional_text(body, "comment")
    if text:
        await hub.meta.run(hub.pulls.comment, repository, pull.num, user, text)
    event = await hub.meta.run(hub.pulls.set_status, repository, pull.num, user, status)
    await record(request, f"discussion.{status}", repository, str(pull.num))
    return JsonResponse({"newStatus": event_json(event)})


async def merge(request: HubRequest) -> Response:
    """Merge a pull request into its base."""
    hub, body = request.hub, await request.json()
    repository, pull = await _find(request)
    user = await _check_owner(
        request, repository, pull.author, f"merging pull request {pull.num}", writers_only=True
    )
    text = read_optional_text(body, "comment")
    async with hub.locks.hold(repository):
        commit_id = await hub.writes.run(_merge, hub, repository, pull.num, user)
    if text:
        await hub.meta.run(hub.pulls.comment, repository, pull.num, user, text)
    await record(request, "pull.merge", repository, f"{pull.num} {commit_id}")
    return JsonResponse({"mergeCommitId": commit_id})


def _merge(hub: Hub, repository: RepositoryId, num: int, user: str) -> str:
    pull = hub.pulls.find(repository, num)  # anew, under the repository's lock
    if not pull.base or pull.status != OPEN:
        raise UsageError(
            f"discussion {num} of {repository}",
            expected="an open pull request",
            found=f"one that is {pull.status}" if pull.base else "no pull request",
            action="Open it first." if pull.status in (DRAFT, CLOSED) else "Nothing is left to merge.",
        )
    commit_id = merge_pull(hub.store, repository, pull, user)
    hub.pulls.set_status(repository, num, user, MERGED, commit_id)
    return commit_id


_ONE = "/api/{T}/{repo}/discussions/{num}"
ROUTES = [
    Route("POST", "/api/{T}/{repo}/discussions", create),
    Route("GET", "/api/{T}/{repo}/discussions", list_all),
    Route("GET", _ONE, show),
    Route("POST", f"{_ONE}/comment", comment),
    Route("POST", f"{_ONE}/comment/{{comment}}/{{action}}", change_comment),
    Route("POST", f"{_ONE}/title", rename),
    Route("POST", f"{_ONE}/status", change_status),
    Route("POST", f"{_ONE}/merge", merge),
]
