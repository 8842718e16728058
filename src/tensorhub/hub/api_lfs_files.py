"""The LFS files of a repository: ``/lfs-files``, over all of its refs and their histories.

Duty: the list that clients clean a repository up by; allowing another repository to take files over. Not its duty:
removing any.
Invariants: each content is listed once, under the first ref that has it (``main`` before others) and with the date of
the oldest commit there that holds it; the walk is bounded.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from tensorhub.errors import InvalidRecordError
from tensorhub.hub.cursors import next_page, parse_cursor, parse_limit
from tensorhub.hub.dates import iso_date
from tensorhub.hub.hub import Hub
from tensorhub.hub.known_content import find_known
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId, parse_repository

_PAGE = 1000
_MAX_DUPLICATES = 1000
_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_TREES = 5000  # different ones that are looked at: a training run's checkpoints, not a log of commits


async def lfs_files(request: HubRequest) -> Response:
    """Answer the LFS files of a repository, ordered by their SHA-256."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, found)
    items = await hub.meta.run(list_lfs_files, hub, found)
    if "cursor" in request.query:
        after = parse_cursor(request.query["cursor"], str)[0]
        items = [item for item in items if item["oid"] > after]
    limit = parse_limit(request.query, _PAGE, _PAGE)
    page = items[:limit]
    return JsonResponse(page, headers=next_page(request, [page[-1]["oid"]]) if len(items) > limit else None)


async def duplicate(request: HubRequest) -> Response:
    """Answer whether a repository's files may be taken over into another one: the commit that names them does it."""
    hub, identity = request.hub, request.identity
    source = await hub.meta.run(hub.find, request.repository, identity)
    await hub.meta.run(hub.check_files, identity, source)
    body = await request.json()
    target, files = body.get("target"), body.get("files")
    if not isinstance(target, dict) or not isinstance(files, list) or len(files) > _MAX_DUPLICATES:
        raise InvalidRecordError(
            "request body",
            expected=f"a target, and at most {_MAX_DUPLICATES} files",
            found="something else",
            action="Send both.",
        )
    name, repo_type = str(target.get("name", "")), str(target.get("type") or "model")
    await hub.meta.run(hub.find_for_write, parse_repository(name, repo_type), identity)
    digests = [str(item.get("sha256", "")) if isinstance(item, dict) else "" for item in files]
    known = await hub.meta.run(_find_in, hub, source, [oid for oid in digests if _SHA256.fullmatch(oid)])
    failed = [
        {"sha256": oid, "error": "the repository has no such LFS file"} for oid in digests if oid not in known
    ]
    return JsonResponse({"success": [{"sha256": oid} for oid in digests if oid in known], "failed": failed})


def _find_in(hub: Hub, repository: RepositoryId, digests: list[str]) -> set[str]:
    found = find_known(hub.store, map(bytes.fromhex, digests), lambda asked: asked == repository)
    return {sha256.hex() for sha256 in found}


def list_lfs_files(hub: Hub, repository: RepositoryId) -> list[dict[str, Any]]:
    """List the LFS files of a repository as JSON values."""
    refs = hub.store.ref_store.list(repository)
    items: dict[str, dict[str, Any]] = {}
    seen: set[Digest] = set()  # commits that an earlier ref reached
    trees: set[Digest] = set()
    for ref in sorted(refs, key=_rank):
        new: dict[str, dict[str, Any]] = {}
        for reference in hub.store.snapshots.walk([refs[ref]]):
            if reference.digest in seen or len(trees) >= _MAX_TREES:
                continue
            seen.add(reference.digest)
            commit = hub.store.snapshots.commit(reference.digest)
            trees.add(commit.tree)
            view = hub.view_at(repository, reference)
            for file in view.files.values() if view is not None else ():
                oid = file.sha256.hex()
                if file.is_lfs and oid not in items:
                    known = new.get(oid)  # of a newer commit: its name is the one that people know
                    new[oid] = {
                        "fileOid": oid,
                        "filename": known["filename"] if known else file.path,
                        "oid": oid,
                        "pushedAt": iso_date(commit.date_ms),
                        "ref": ref.name if ref.kind is RefKind.HEADS else str(ref),
                        "size": file.nbytes,
                    }
        items |= new
    return [items[oid] for oid in sorted(items)]


def _rank(ref: RefName) -> tuple[int, int, str]:
    kinds = (RefKind.HEADS, RefKind.TAGS, RefKind.PR, RefKind.CONVERT)
    is_main = ref == RefName(RefKind.HEADS, "main")
    return 0 if is_main else 1, kinds.index(ref.kind), ref.name


ROUTES = [
    Route("GET HEAD", "/api/{T}/{repo}/lfs-files", lfs_files),
    Route("POST", "/api/{T}/{repo}/lfs-files/duplicate", duplicate),
]
