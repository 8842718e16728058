"""Files as git would give them: ``/{repo}/raw/{rev}/{path}``, where an LFS file is its pointer.

Duty: that route. Not its duty: content in pieces and ranges (``resolve``).
Invariants: what is answered is small: a pointer, or a regular file of at most 10 MB.
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.errors import FileEntryNotFoundError
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.resolve import answer_missing, file_headers, redirect_path
from tensorhub.hub.revision_view import FileView
from tensorhub.hub.routes import Route
from tensorhub.schema.names import parse_path
from tensorhub.store.files import read_range
from tensorhub.store.read_plan import FileMap


async def raw(request: HubRequest) -> Response:
    """Answer what git keeps of a file."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    if found.repo_id != request.params["repo"]:
        rest = request.raw.scope["raw_path"].decode("ascii").split("/raw/", 1)[1]
        location = hub.config.root_path + redirect_path(found, f"raw/{rest}")
        return Response(status_code=307, headers={"Location": location})
    await hub.meta.run(hub.check_files, request.identity, found)
    view = await hub.meta.run(hub.view, found, request.params["rev"])
    path = parse_path(request.params["path"])
    try:
        file = view.file(path)
    except FileEntryNotFoundError as error:
        return answer_missing(request, view, error)
    headers = file_headers(request, view, file)
    for name in ("accept-ranges", "x-linked-size", "x-linked-etag", "x-xet-hash", "link"):
        headers.pop(name, None)
    headers |= {"etag": f'"{file.oid}"', "content-type": "text/plain; charset=utf-8"}
    content = file.pointer if file.is_lfs else await hub.reads.run(_read, hub, file)
    return Response(content, headers=headers)


def _read(hub: Hub, file: FileView) -> bytes:
    if file.arriving is not None:
        return file.arriving.read()
    out = bytearray(file.nbytes)
    record = hub.store.snapshots.file_record(file.file)
    read_range(FileMap(record.segments), hub.store.reader, 0, memoryview(out))
    return bytes(out)


ROUTES = [Route("GET HEAD", "/{P}{repo}/raw/{rev}/{path}", raw)]
