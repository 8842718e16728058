"""Listing a revision's files: ``/tree`` by folder, ``/paths-info`` by name.

Duty: the two routes, and the JSON of a file or folder. Not its duty: order and paging of a tree (``tree_index``), or
which commit changed a path last (``last_commits``).
Invariants: a page is bounded whatever is asked; a path that is missing from a revision that was imported in part is
never answered as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response

from tensorhub.errors import FileEntryNotFoundError, InvalidNameError, InvalidRecordError, LimitExceededError
from tensorhub.hub.cursors import next_page, parse_cursor, parse_limit
from tensorhub.hub.dates import iso_date
from tensorhub.hub.hub import Hub
from tensorhub.hub.last_commits import find_last_commits
from tensorhub.hub.request import HubRequest
from tensorhub.hub.resolve import answer_missing, offers_xet, revision_headers
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.revision_view import FileView, RevisionView
from tensorhub.hub.routes import Route
from tensorhub.hub.tree_index import TreeIndex
from tensorhub.schema.names import parse_path
from tensorhub.schema.records import CommitReference

_PAGE = 1000  # as the Hugging Face hub
_PAGE_EXPANDED = 50
_MAX_PATHS = 1000  # in one request for paths-info, as the Hugging Face hub
_TRUE = frozenset(("true", "1", "yes", "on"))
_UNSCANNED = {"status": "unscanned", "avScan": None, "pickleImportScan": None}


async def tree(request: HubRequest) -> Response:
    """Answer the files and folders of a folder; of a file, the file."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    view = await hub.meta.run(hub.view, found, request.params["rev"])
    expand = request.flag("expand")
    most = _PAGE_EXPANDED if expand else _PAGE
    limit = parse_limit(request.query, most, most)
    after = parse_cursor(request.query["cursor"], str)[0] if "cursor" in request.query else ""
    path = request.params.get("path", "").strip("/")
    try:
        names, has_more = await hub.meta.run(
            _list, hub, view, path, recursive=request.flag("recursive"), after=after, limit=limit
        )
    except FileEntryNotFoundError as error:
        return answer_missing(request, view, error)
    items = await hub.meta.run(describe_paths, hub, view, names, expand=expand)
    headers = revision_headers(view)
    if has_more:
        headers |= next_page(request, [names[-1]])
    return JsonResponse(items, headers=headers)


async def paths_info(request: HubRequest) -> Response:
    """Answer the files and folders of given names; leaves out what does not exist."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    view = await hub.meta.run(hub.view, found, request.params["rev"])
    paths, expand = await _read_paths(request)
    index = await hub.meta.run(index_of, hub, view)
    names: dict[str, None] = {}
    for path in paths:
        name = path.strip("/")
        if name in view.files or (name and index.has_folder(name)):
            names[name] = None
        elif view.commit.is_partial:
            return answer_missing(request, view, missing(view, path))
    items = await hub.meta.run(describe_paths, hub, view, list(names), expand=expand, with_xet=True)
    return JsonResponse(items, headers=revision_headers(view))


async def _read_paths(request: HubRequest) -> tuple[list[str], bool]:
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/json":
        body = await request.json()
        given, expand = body.get("paths", []), body.get("expand") is True
        paths = [given] if isinstance(given, str) else given
    else:
        data = await request.body()
        try:
            fields = parse_qsl(
                data.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PATHS + 10
            )
        except ValueError as error:
            raise InvalidRecordError(
                "request body",
                expected=f"a form in UTF-8, of at most {_MAX_PATHS} paths",
                found=str(error)[:200],
                action="Ask for fewer at a time.",
            ) from error
        paths = [value for name, value in fields if name in ("paths", "paths[]")]
        expand = any(name == "expand" and value.lower() in _TRUE for name, value in fields)
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise InvalidRecordError(
            "request body",
            expected="paths as a list of texts",
            found="something else",
            action="Send paths=…&paths=….",
        )
    if len(paths) > _MAX_PATHS:
        raise LimitExceededError(
            "request body",
            expected=f"at most {_MAX_PATHS} paths",
            found=str(len(paths)),
            action="Ask for fewer at a time.",
        )
    return paths, expand


def missing(view: RevisionView, path: str) -> FileEntryNotFoundError:
    """Make the error for a path that a revision does not have."""
    return FileEntryNotFoundError(
        f"path {path!r} in {view.repository}@{view.commit_id[:12]}",
        expected="a file or folder of the revision",
        found="none, but the revision was imported in part" if view.commit.is_partial else "none",
        path=path,
        action="List the revision's root for what it has.",
    )


def index_of(hub: Hub, view: RevisionView) -> TreeIndex:
    """Give the index of a revision's tree."""

    def compute() -> tuple[TreeIndex, int]:
        index = TreeIndex(view.files)
        return index, len(index)

    return hub.trees.get((view.commit.tree, id(view.files)), compute)


def _list(
    hub: Hub, view: RevisionView, path: str, *, recursive: bool, after: str, limit: int
) -> tuple[list[str], bool]:
    try:
        name = parse_path(path) if path else ""
    except InvalidNameError as error:
        raise missing(view, path) from error
    if name in view.files:
        return [name], False
    index = index_of(hub, view)
    if not index.has_folder(name):
        raise missing(view, path)
    return index.page(name, recursive=recursive, after=after, limit=limit)


def describe_paths(
    hub: Hub, view: RevisionView, names: list[str], *, expand: bool, with_xet: bool = False
) -> list[dict[str, Any]]:
    """Give files and folders of a revision as JSON values.

    Parameters
    ----------
    hub, view
        Where they are.
    names
        Paths that are there.
    expand
        Add the last commit, and that nobody scanned the files.
    with_xet
        Name the Xet hash of every LFS file: who copies between repositories needs it.
    """
    index = index_of(hub, view)
    commits = last_commits_of(hub, view) if expand else {}
    items: list[dict[str, Any]] = []
    for name in names:
        file = view.files.get(name)
        if file is None:
            item: dict[str, Any] = {"type": "directory", "oid": index.folders[name], "size": 0, "path": name}
        else:
            item = describe_file(file)
            setting = hub.config.xet_download
            is_wanted = with_xet and file.is_lfs and setting != "none" and file.arriving is None
            if offers_xet(setting, file) or is_wanted:
                item["xetHash"] = file.xet_hash
        if expand:
            item["lastCommit"] = _describe_commit(hub, commits[name])
            if file is not None:
                item["securityFileStatus"] = _UNSCANNED
        items.append(item)
    return items


def describe_file(file: FileView) -> dict[str, Any]:
    """Give a file as a JSON value."""
    item: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.nbytes, "path": file.path}
    if file.is_lfs:
        item["lfs"] = {
            "oid": file.sha256.hex(),
            "size": file.nbytes,
            "pointerSize": len(file.pointer),
        }
    return item


def last_commits_of(hub: Hub, view: RevisionView) -> Mapping[str, CommitReference]:
    """Give the last commit of every path of a revision."""

    def compute() -> tuple[dict[str, CommitReference], int]:
        found = find_last_commits(hub.store.snapshots, view.reference)
        return found, len(found)

    return hub.last_commits.get(view.reference.digest, compute)


def _describe_commit(hub: Hub, reference: CommitReference) -> dict[str, Any]:
    commit = hub.store.snapshots.commit(reference.digest)
    return {"id": reference.commit_id, "title": commit.title, "date": iso_date(commit.date_ms)}


ROUTES = [
    Route("GET HEAD", "/api/{T}/{repo}/tree/{rev}", tree),
    Route("GET HEAD", "/api/{T}/{repo}/tree/{rev}/{path}", tree),
    Route("POST", "/api/{T}/{repo}/paths-info/{rev}", paths_info),
]
