"""Files: ``/{repo}/resolve/{rev}/{path}``, HEAD and GET, with ranges.

Duty: the headers that clients read, ranges, conditions. Not its duty: decoding (``streaming``).
Invariants: content of users is never shown by a browser as a page of the hub's own origin; an error carries
the commit where the path is what is missing.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.responses import Response

from tensorhub.errors import (
    FileEntryNotFoundError,
    NotFoundError,
    PartialSnapshotError,
    RangeNotSatisfiableError,
)
from tensorhub.hub.arriving import ArrivingStream
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import error_response, header_text
from tensorhub.hub.revision_view import FileView, RevisionView
from tensorhub.hub.routes import Route
from tensorhub.hub.streaming import FileStream
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, parse_path

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
# From here on clients are faster through Xet than through plain HTTP, by a quarter to a third; files of 1 MiB take a
# quarter longer (benchmarks/records/hub.json). Above 50 GB huggingface_hub refuses plain HTTP.
XET_MIN_NBYTES = 64_000_000


def redirect_path(repository: RepositoryId, rest: str) -> str:
    """Give the path of a repository's page or file under its present name; ``rest`` is percent-encoded."""
    prefix = "" if repository.repo_type.value == "model" else f"{repository.repo_type.value}s/"
    return f"/{prefix}{repository.repo_id}/{rest}"


async def resolve(request: HubRequest) -> Response:
    """Answer HEAD and GET of one file."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    if found.repo_id != request.params["repo"]:
        rest = request.raw.scope["raw_path"].decode("ascii").split("/resolve/", 1)[1]
        location = hub.config.root_path + redirect_path(found, f"resolve/{rest}")
        return Response(status_code=307, headers={"Location": location})
    hub.check_files(request.identity, found)
    view = await hub.meta.run(hub.view, found, request.params["rev"])
    path = parse_path(request.params["path"])
    try:
        file = view.file(path)
    except FileEntryNotFoundError as error:
        return answer_missing(request, view, error)
    if file.arriving is not None and file.arriving.is_here:  # since we looked
        view = await hub.meta.run(hub.view, found, request.params["rev"])
        file = view.file(path)
    return await _answer(request, view, file)


def revision_headers(view: RevisionView) -> dict[str, str]:
    """Give the headers of an answer about a revision; clients say once that it was imported in part."""
    headers = {"X-Repo-Commit": view.commit_id}
    if view.commit.is_partial:
        headers["X-HF-Warning"] = (
            f"partial-{view.commit_id[:12]}; {header_text(str(view.repository))} was imported in part: files that are "
            "not listed may exist where it came from."
        )
    return headers


def answer_missing(request: HubRequest, view: RevisionView, error: FileEntryNotFoundError) -> Response:
    """Answer that a path is missing from a revision; of one that was imported in part nobody takes it for absent."""
    shown: NotFoundError = error
    if view.commit.is_partial:
        shown = PartialSnapshotError(
            error.thing, expected=error.expected, found=error.found, action=error.action
        )
    response = error_response(shown, request.identity)
    response.headers["X-Repo-Commit"] = view.commit_id
    return response


async def _answer(request: HubRequest, view: RevisionView, file: FileView) -> Response:
    hub = request.hub
    headers = file_headers(request, view, file)
    if _matches(request.headers.get("if-none-match", ""), file.etag):
        return Response(status_code=304, headers=headers)
    start, stop, status = 0, file.nbytes, 200
    asked = request.headers.get("range")
    if asked is not None and _matches(request.headers.get("if-range", f'"{file.etag}"'), file.etag):
        try:
            found = parse_range(asked, file.nbytes)
        except RangeNotSatisfiableError as error:
            refused = error_response(error, request.identity)
            refused.headers["content-range"] = f"bytes */{file.nbytes}"
            return refused
        if found is not None:
            (start, stop), status = found, 206
            headers["content-range"] = f"bytes {start}-{stop - 1}/{file.nbytes}"
    if request.raw.method == "HEAD":
        return Response(status_code=status, headers={**headers, "content-length": str(stop - start)})
    if file.arriving is not None:
        return ArrivingStream(
            file.arriving.want(),
            start,
            stop - start,
            open_range=file.arriving.open_range,
            pool=hub.network,
            streams=hub.streams,
            status_code=status,
            headers=headers,
        )
    return await stream_file(hub, file.file, start, stop, status, headers)


async def stream_file(
    hub: Hub, file: Digest, start: int, stop: int, status: int, headers: dict[str, str]
) -> FileStream:
    """Answer with the range ``[start, stop)`` of a stored file, by the digest of its record."""
    record = await hub.meta.run(hub.store.snapshots.file_record, file)
    return FileStream(
        record,
        start,
        stop - start,
        reader=hub.store.reader,
        pool=hub.reads,
        streams=hub.streams,
        status_code=status,
        headers=headers,
    )


def file_headers(request: HubRequest, view: RevisionView, file: FileView) -> dict[str, str]:
    """Give the headers of a file that do not depend on the range."""
    name = quote(file.path.rsplit("/", 1)[-1], safe="")
    headers = {
        "x-repo-commit": view.commit_id,
        "etag": f'"{file.etag}"',
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream" if file.is_lfs else "text/plain; charset=utf-8",
        "content-disposition": f"inline; filename*=UTF-8''{name}",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
        "vary": "authorization, cookie",
    }
    if file.is_lfs:
        headers["x-linked-size"] = str(file.nbytes)
        headers["x-linked-etag"] = f'"{file.etag}"'
    if offers_xet(request.hub.config.xet_download, file):
        route = f"{request.base_url}/api/{view.repository.repo_type.value}s/{view.repository.repo_id}"
        headers["x-xet-hash"] = file.xet_hash
        headers["link"] = f'<{route}/xet-read-token/{view.commit_id}>; rel="xet-auth"'
    return headers


def offers_xet(setting: str, file: FileView) -> bool:
    """Say whether a file is offered for download through Xet."""
    if file.arriving is not None:
        return False
    return file.is_lfs and (setting == "all" or (setting == "large" and file.nbytes >= XET_MIN_NBYTES))


def parse_range(text: str, nbytes: int) -> tuple[int, int] | None:
    """Parse a ``Range`` header (RFC 9110, section 14.2).

    Parameters
    ----------
    text
        The header.
    nbytes
        Size of the file.

    Returns
    -------
    tuple or None
        ``(start, stop)``; None where the header is to be ignored, as the RFC allows: several
        ranges, other units, nonsense.

    Raises
    ------
    RangeNotSatisfiableError
        It asks for nothing that exists.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or found[0] == "bytes=-" or (found[1] and found[2] and int(found[1]) > int(found[2])):
        return None
    if found[1]:
        start, stop = int(found[1]), min(int(found[2]) + 1 if found[2] else nbytes, nbytes)
    else:
        start, stop = max(0, nbytes - int(found[2])), nbytes
    if start >= nbytes or start >= stop:
        raise RangeNotSatisfiableError(
            f"range {text}",
            expected=f"one inside {nbytes} bytes",
            found=text,
            action="Ask for a range inside the file.",
        )
    return start, stop


def _matches(header: str, etag: str) -> bool:
    values = {value.strip().removeprefix("W/").strip('"') for value in header.split(",")}
    return etag in values or "*" in values


ROUTES = [Route("GET HEAD", "/{P}{repo}/resolve/{rev}/{path}", resolve)]
