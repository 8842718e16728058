"""Branches and tags: create, delete, squash.

Duty: requests to changes of refs. Not its duty: listing them, or commits.
Invariants: ``main`` is never deleted; a name that is no branch's or tag's name is refused before anything is changed.
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.errors import (
    AlreadyExistsError,
    ForbiddenError,
    InvalidNameError,
    RevisionNotFoundError,
    UsageError,
)
from tensorhub.hub.hub import Hub
from tensorhub.hub.json_fields import read_optional_text, read_text
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.hub.writing import record, user_of
from tensorhub.schema.names import RefKind, RefName, RepositoryId, parse_ref
from tensorhub.schema.records import CommitReference
from tensorhub.store.remove import drop_history, drop_ref


def parse_new_ref(kind: RefKind, name: str) -> RefName:
    """Parse the bare name of a branch or tag.

    Raises
    ------
    InvalidNameError
        It breaks git's rules, or is written as ``refs/…``.
    """
    if name.startswith("refs/"):
        raise InvalidNameError(
            f"ref {name!r}",
            expected="a bare name such as v1",
            found="one that begins with refs/",
            action="Leave refs/… out.",
        )
    return parse_ref(f"refs/{kind.value}/{name}")


def find_start(hub: Hub, repository: RepositoryId, revision: str | None) -> CommitReference:
    """Find where a new ref begins.

    Raises
    ------
    RevisionNotFoundError
        There is no such revision; clients look for the words ``Invalid rev id``.
    """
    try:
        return hub.store.snapshots.resolve(repository, revision)
    except RevisionNotFoundError as error:
        raise RevisionNotFoundError(
            f"Invalid rev id: {revision or 'main'}",
            expected=error.expected,
            found=error.found,
            action="See the repository's branches and tags.",
        ) from error


def _make(hub: Hub, repository: RepositoryId, ref: RefName, revision: str | None) -> None:
    start = find_start(hub, repository, revision)
    try:
        hub.store.create_ref(repository, str(ref), start.commit_id)
    except AlreadyExistsError as error:
        raise AlreadyExistsError(
            f"Reference {ref} already exists",
            expected=error.expected,
            found=error.found,
            action="Choose another name.",
        ) from error


def _drop(hub: Hub, repository: RepositoryId, ref: RefName) -> None:
    if hub.store.ref_store.read(repository, ref) is None:
        raise RevisionNotFoundError(
            f"Invalid rev id: {ref}",
            expected="a ref of the repository",
            found="none",
            action="See the repository's branches and tags.",
        )
    drop_ref(hub.store, repository, ref)


async def _find(request: HubRequest) -> RepositoryId:
    user_of(request.identity)
    return await request.hub.meta.run(request.hub.find_for_write, request.repository, request.identity)


async def create_branch(request: HubRequest) -> Response:
    """Make a branch."""
    hub, body = request.hub, await request.json()
    repository = await _find(request)
    ref = parse_new_ref(RefKind.HEADS, request.params["name"])
    async with hub.locks.hold(repository):
        await hub.writes.run(_make, hub, repository, ref, read_optional_text(body, "startingPoint"))
    await record(request, "branch.create", repository, ref.name)
    return JsonResponse({})


async def delete_branch(request: HubRequest) -> Response:
    """Remove a branch."""
    hub = request.hub
    repository = await _find(request)
    ref = parse_new_ref(RefKind.HEADS, request.params["name"])
    if ref.name == "main":
        raise ForbiddenError(
            "Cannot delete refs/heads/main",
            expected="another branch",
            found="main",
            action="Delete the repository instead, if that is meant.",
        )
    async with hub.locks.hold(repository):
        await hub.writes.run(_drop, hub, repository, ref)
    await record(request, "branch.delete", repository, ref.name)
    return JsonResponse({})


async def create_tag(request: HubRequest) -> Response:
    """Make a tag on a revision; its message is not kept."""
    hub, body = request.hub, await request.json()
    repository = await _find(request)
    await hub.meta.run(find_start, hub, repository, request.params["name"])  # told first, as clients expect
    ref = parse_new_ref(RefKind.TAGS, read_text(body, "tag"))
    async with hub.locks.hold(repository):
        await hub.writes.run(_make, hub, repository, ref, request.params["name"])
    await record(request, "tag.create", repository, ref.name)
    return JsonResponse({})


async def delete_tag(request: HubRequest) -> Response:
    """Remove a tag."""
    hub = request.hub
    repository = await _find(request)
    ref = parse_new_ref(RefKind.TAGS, request.params["name"])
    async with hub.locks.hold(repository):
        await hub.writes.run(_drop, hub, repository, ref)
    await record(request, "tag.delete", repository, ref.name)
    return JsonResponse({})


async def super_squash(request: HubRequest) -> Response:
    """Drop a branch's history: its present tree becomes a first commit."""
    hub, body = request.hub, await request.json()
    repository = await _find(request)
    ref = parse_ref(request.params["name"])
    if ref.kind is RefKind.TAGS:
        raise UsageError(f"{ref}", expected="a branch", found="a tag", action="Tags stay where they are.")
    message = read_optional_text(body, "message") or ""
    async with hub.locks.hold(repository):
        reference = await hub.writes.run(_squash, hub, repository, ref, message)
    await record(request, "branch.squash", repository, ref.name)
    return JsonResponse({"commitId": reference.commit_id})


def _squash(hub: Hub, repository: RepositoryId, ref: RefName, message: str) -> CommitReference:
    return drop_history(hub.store, repository, ref, message=message)


ROUTES = [
    Route("POST", "/api/{T}/{repo}/branch/{name}", create_branch),
    Route("DELETE", "/api/{T}/{repo}/branch/{name}", delete_branch),
    Route("POST", "/api/{T}/{repo}/tag/{name}", create_tag),
    Route("DELETE", "/api/{T}/{repo}/tag/{name}", delete_tag),
    Route("POST", "/api/{T}/{repo}/super-squash/{name}", super_squash),
]
