"""LFS files of a repository as a whole: removing them from its history, and copies between repositories.

Duty: two requests of the client. Not its duty: listing (``api_lfs_files``).
Invariants: a copy is promised only of what lies in the named source, which who asks must be able to read; its
content is taken over by the commit that follows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from starlette.responses import Response

from tensorhub.errors import FormatError, UsageError
from tensorhub.hub.commit_operations import parse_sha256
from tensorhub.hub.hub import Hub
from tensorhub.hub.json_fields import read_choice, read_objects, read_text
from tensorhub.hub.known_content import find_known
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.hub.writing import record, user_of
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, parse_repository
from tensorhub.store.forget_files import forget_files

_MAX_FILES = 1000  # clients send so many at a time
_FILES_OF = text("SELECT subject FROM fact WHERE kind = 1 AND is_claimed = 0 AND value = :sha256")


async def delete_files(request: HubRequest) -> Response:
    """Write the history of every ref anew without some files; their space is freed by gc."""
    hub, body = request.hub, await request.json()
    user_of(request.identity)
    repository = await hub.meta.run(hub.find_for_write, request.repository, request.identity)
    deletions = body["deletions"] if isinstance(body.get("deletions"), dict) else {}
    names = deletions.get("sha")
    if not isinstance(names, list) or len(names) > _MAX_FILES:
        raise UsageError(
            "deletions of the request",
            expected=f"a list `sha` of at most {_MAX_FILES}",
            found=type(names).__name__,
            action="Send what clients send.",
        )
    if deletions.get("rewriteHistory") is False:
        raise UsageError(
            "deletions of the request",
            expected="rewriteHistory",
            found="false",
            action="A commit here never names a file that is gone: let history be rewritten.",
        )
    sha256s = [parse_sha256({"oid": name}) for name in names]
    async with hub.locks.hold(repository):
        moved = await hub.writes.run(_forget, hub, repository, sha256s)
    await record(request, "repository.forget_files", repository, f"{len(names)} files, {moved} refs moved")
    return JsonResponse({})


def _forget(hub: Hub, repository: RepositoryId, sha256s: list[bytes]) -> int:
    files: set[Digest] = set()
    with hub.store.catalog.read() as connection:
        for sha256 in sha256s:
            files.update(Digest(row[0]) for row in connection.execute(_FILES_OF, {"sha256": sha256}))
    return len(forget_files(hub.store, repository, files))


async def duplicate_files(request: HubRequest) -> Response:
    """Say which files of this repository a commit to another one may name."""
    hub, body = request.hub, await request.json()
    user_of(request.identity)
    source = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, source)
    target = body.get("target")
    if not isinstance(target, dict):
        raise UsageError(
            "target of the request",
            expected="an object with type and name",
            found=type(target).__name__,
            action="Send what clients send.",
        )
    repo_type = read_choice(target, "type", ("model", "dataset", "space")) or "model"
    wanted = parse_repository(read_text(target, "name"), repo_type)
    await hub.meta.run(hub.find_for_write, wanted, request.identity)
    files = [dict(item) for item in read_objects(body, "files", _MAX_FILES)]
    return JsonResponse(await hub.meta.run(_plan_copies, hub, source, files))


def _plan_copies(hub: Hub, source: RepositoryId, files: list[dict[str, Any]]) -> dict[str, Any]:
    parsed: dict[str, bytes] = {}
    for item in files:
        try:
            parsed[str(item.get("sha256"))] = parse_sha256({"oid": item.get("sha256")})
        except FormatError:
            continue
    known = find_known(hub.store, parsed.values(), lambda holder: holder == source)
    names = [str(item.get("sha256"))[:100] for item in files]
    success = [{"sha256": name} for name in names if parsed.get(name) in known]
    failed = [
        {"sha256": name, "error": f"{source} has no such file"}
        for name in names
        if parsed.get(name) not in known
    ]
    return {"success": success, "failed": failed}


ROUTES = [
    Route("POST", "/api/{T}/{repo}/lfs-files/batch", delete_files),
    Route("POST", "/api/{T}/{repo}/lfs-files/duplicate", duplicate_files),
]
