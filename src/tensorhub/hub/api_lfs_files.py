"""The LFS files of a repository: ``/lfs-files``, over all of its refs and their histories.

Duty: the list that clients clean a repository up by. Not its duty: removing any (``api_lfs_changes``).
Invariants: each content is listed once, under the first ref that has it (``main`` before others) and with the date of
the oldest commit there that holds it; the walk is bounded.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tensorhub.hub.cursors import next_page, parse_cursor, parse_limit
from tensorhub.hub.dates import iso_date
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId

_PAGE = 1000
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


ROUTES = [Route("GET HEAD", "/api/{T}/{repo}/lfs-files", lfs_files)]
