"""Repositories: create, delete, rename, settings, duplicate.

Duty: requests to changes of the store and of what was decided, in an order that a crash leaves harmless. Not its
duty: rights' rules (``access``).
Invariants: a name is free, or answered 409 with the URL of what has it; a repository is never readable by more
people than its row says, at any moment of its making.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tensorhub.errors import AlreadyExistsError, InvalidNameError, TensorHubError, UsageError
from tensorhub.hub.access import Gate, Identity, Visibility, can_create, namespace_of
from tensorhub.hub.commit_operations import CommitRequest, Header
from tensorhub.hub.commits import commit
from tensorhub.hub.hub import Hub, forbidden
from tensorhub.hub.initial_files import SPACE_SDKS, initial_files
from tensorhub.hub.json_fields import read_choice, read_optional_text, read_text
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse, header_text
from tensorhub.hub.routes import Route
from tensorhub.hub.writing import check_admin, committer, record, repository_url, user_of
from tensorhub.schema.names import RefKind, RefName, RepositoryId, parse_repository
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.remove import drop_repository

_MAIN = RefName(RefKind.HEADS, "main")
_TYPES = ("model", "dataset", "space")


def read_repository(body: dict[str, Any], identity: Identity) -> RepositoryId:
    """Read which repository a body with ``name``, ``organization`` and ``type`` names.

    Raises
    ------
    InvalidNameError
        The name breaks the rules.
    """
    name = read_text(body, "name")
    namespace = read_optional_text(body, "organization")
    if "/" not in name:
        name = f"{namespace or user_of(identity)}/{name}"
    return parse_repository(name, read_choice(body, "type", _TYPES) or "model")


def read_visibility(body: dict[str, Any]) -> Visibility | None:
    """Read ``visibility``, or ``private`` as older clients say it; None where neither is there.

    Raises
    ------
    UsageError
        It is something else.
    """
    choice = read_choice(body, "visibility", tuple(Visibility))
    if choice is not None:
        return Visibility(choice)
    private = body.get("private")
    if private is None:
        return None
    if not isinstance(private, bool):
        raise UsageError("field 'private' of the request", expected="true or false", found=repr(private)[:60])
    return Visibility.PRIVATE if private else Visibility.PUBLIC


def check_create(identity: Identity, repository: RepositoryId) -> None:
    """Make sure that an identity may make a repository of this name.

    Raises
    ------
    ForbiddenError
        It may not.
    """
    user_of(identity)
    if not namespace_of(repository):
        raise InvalidNameError(
            f"repository id {repository.repo_id!r}",
            expected="owner/name",
            found="no owner",
            action="Give the namespace, too.",
        )
    if not can_create(identity, repository):
        raise forbidden(
            identity,
            f"creating a {repository.repo_type.value} under the namespace {namespace_of(repository)!r}",
        )


def _exists(request: HubRequest, present: RepositoryId) -> Response:
    text = f"A {present.repo_type.value} repository called {present.repo_id} already exists"
    body = {"error": text, "url": repository_url(request, present)}
    return JsonResponse(body, 409, {"X-Error-Message": header_text(text)})


async def create(request: HubRequest) -> Response:
    """Make a repository with its first commit."""
    hub, identity, body = request.hub, request.identity, await request.json()
    repository = read_repository(body, identity)
    sdk = read_choice(body, "sdk", SPACE_SDKS)
    if repository.repo_type.value == "space" and sdk is None:
        raise UsageError(
            f"space {repository.repo_id}",
            expected=f"sdk as one of {', '.join(SPACE_SDKS)}",
            found="none",
            action="Give one.",
        )
    check_create(identity, repository)
    usual = hub.namespaces.info(namespace_of(repository)).visibility
    visibility = read_visibility(body) or usual
    async with hub.locks.hold(repository):
        present = await hub.meta.run(hub.store.ref_store.find_repository, repository)
        if present is not None:
            return _exists(request, present)
        await hub.writes.run(_create, hub, identity, repository, visibility, sdk)
    await record(request, "repository.create", repository, visibility.value)
    return JsonResponse(
        {
            "url": repository_url(request, repository),
            "name": repository.repo_id,
            "id": repository.repo_id,
            "private": visibility is Visibility.PRIVATE,
        }
    )


def _create(
    hub: Hub, identity: Identity, repository: RepositoryId, visibility: Visibility, sdk: str | None
) -> None:
    """Make one; who may read it is decided first."""
    owner = identity.user if hub.accounts.has_users() else None
    hub.repositories.forget(repository)  # what was decided about an earlier one that somebody removed by hand
    hub.repositories.put(repository, visibility=visibility, gate=Gate.NO, owner=owner, sdk=sdk)
    try:
        hub.store.create_repository(repository)
        name = repository.repo_id.rsplit("/", 1)[-1]
        files = initial_files(repository.repo_type.value, name, sdk)
        request = CommitRequest(Header("initial commit"), files)
        commit(hub.store, hub.uploads, repository, _MAIN, request, committer(hub, identity))
    except TensorHubError:
        if not hub.store.ref_store.list(repository):
            hub.repositories.forget(repository)
            drop_repository(hub.store, repository)
        raise


async def delete(request: HubRequest) -> Response:
    """Remove a repository."""
    hub, identity, body = request.hub, request.identity, await request.json()
    asked = read_repository(body, identity)
    found = await hub.meta.run(hub.find, asked, identity)
    check_admin(hub, identity, found, f"deleting {found}")
    async with hub.locks.hold(found):
        # In this order, so that after a crash in between it is private, and no later one of its name is public.
        await hub.meta.run(hub.repositories.forget, found)
        await hub.writes.run(drop_repository, hub.store, found)
    await record(request, "repository.delete", found)
    return JsonResponse({})


async def move(request: HubRequest) -> Response:
    """Rename a repository; its old name leads to the new one."""
    hub, identity, body = request.hub, request.identity, await request.json()
    repo_type = read_choice(body, "type", _TYPES) or "model"
    asked = parse_repository(read_text(body, "fromRepo"), repo_type)
    new = parse_repository(read_text(body, "toRepo"), repo_type)
    found = await hub.meta.run(hub.find, asked, identity)
    check_admin(hub, identity, found, f"renaming {found}")
    check_create(identity, new)
    async with hub.locks.hold(found):
        try:
            await hub.writes.run(_move, hub, found, new)
        except AlreadyExistsError:
            return _exists(request, new)
    await record(request, "repository.move", found, f"to {new}")
    return JsonResponse({"url": repository_url(request, new)})


def _move(hub: Hub, found: RepositoryId, new: RepositoryId) -> None:
    hub.store.move_repository(found, new)
    hub.repositories.rename(found, new)


async def settings(request: HubRequest) -> Response:
    """Change who may read a repository."""
    hub, identity, body = request.hub, request.identity, await request.json()
    found = await hub.meta.run(hub.find, request.repository, identity)
    check_admin(hub, identity, found, f"changing the settings of {found}")
    visibility, gate = read_visibility(body), None
    if body.get("gated") is False:
        gate = Gate.NO
    elif (choice := read_choice(body, "gated", (Gate.AUTO, Gate.MANUAL))) is not None:
        gate = Gate(choice)
    if visibility is None and gate is None:
        raise UsageError(
            f"settings of {found}",
            expected="visibility or gated",
            found=", ".join(sorted(body))[:200] or "nothing",
            action="Give one of the two.",
        )
    row = await hub.meta.run(hub.repositories.put, found, visibility=visibility, gate=gate)
    await record(request, "repository.settings", found, f"{row.visibility.value}, gate {row.gate.value}")
    return JsonResponse(
        {
            "private": row.visibility is Visibility.PRIVATE,
            "visibility": row.visibility.value,
            "gated": False if row.gate is Gate.NO else row.gate.value,
        }
    )


async def duplicate(request: HubRequest) -> Response:
    """Make a repository with the present files of another one, which takes no space."""
    hub, identity, body = request.hub, request.identity, await request.json()
    source = await hub.meta.run(hub.find, request.repository, identity)
    await hub.meta.run(hub.check_files, identity, source)
    new = parse_repository(read_text(body, "repository"), source.repo_type.value)
    check_create(identity, new)
    row = await hub.meta.run(hub.repositories.row, source)
    visibility = read_visibility(body) or (row.visibility if row else Visibility.PRIVATE)
    async with hub.locks.hold(new):
        present = await hub.meta.run(hub.store.ref_store.find_repository, new)
        if present is not None:
            return _exists(request, present)
        await hub.writes.run(_duplicate, hub, identity, source, new, visibility)
    await record(request, "repository.duplicate", new, f"from {source}")
    return JsonResponse({"url": repository_url(request, new), "filesCopyPending": False})


def _duplicate(
    hub: Hub,
    identity: Identity,
    source: RepositoryId,
    new: RepositoryId,
    visibility: Visibility,
) -> None:
    row = hub.repositories.row(source)
    gate, sdk = (row.gate, row.sdk) if row else (Gate.NO, None)  # a copy is not open to more people by itself
    snapshot = hub.store.snapshots.snapshot(source, None)
    owner = identity.user if hub.accounts.has_users() else None
    hub.repositories.forget(new)
    hub.repositories.put(new, visibility=visibility, gate=gate, owner=owner, sdk=sdk)
    with hub.store.begin_commit(new) as transaction:
        for entry in snapshot.tree.entries:
            transaction.link(entry.path, entry.file, mode=entry.mode)
        message = f"Duplicate from {source.repo_id}"
        facts = CommitFacts(message, author=user_of(identity), is_partial=snapshot.commit.is_partial)
        transaction.publish(message, facts=facts)


ROUTES = [
    Route("POST", "/api/repos/create", create),
    Route("DELETE", "/api/repos/delete", delete),
    Route("POST", "/api/repos/move", move),
    Route("PUT", "/api/{T}/{repo}/settings", settings),
    Route("POST", "/api/{T}/{repo}/duplicate", duplicate),
]
