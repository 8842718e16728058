"""Bytes of LFS objects, under signed links: whole, in parts, and back.

Duty: receive and send the bodies. Not its duty: who gets a link (``api_lfs``), or the files (``uploads``).
Invariants: the link, which stands in the query so that logs of paths do not hold it, gives what it says and no more,
as long as the access token lasts that it was given for; a body has exactly the announced length; what was received in
vain is removed at once.
"""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from tensorhub.errors import FileEntryNotFoundError, InvalidRequestError
from tensorhub.hub.json_fields import read_objects
from tensorhub.hub.lfs_files import LfsWriter
from tensorhub.hub.lfs_links import MAX_PARTS, PARTS, UPLOAD, UploadLink, read_download, read_upload_link
from tensorhub.hub.receiving import content_length, receive_pieces
from tensorhub.hub.request import HubRequest
from tensorhub.hub.resolve import parse_range, stream_file
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route


async def put_content(request: HubRequest) -> Response:
    """Receive a whole object."""
    hub = request.hub
    link = await hub.meta.run(read_upload_link, hub, request.query.get("link", ""), UPLOAD)
    _check_length(request, link.nbytes)
    writer = await hub.meta.run(hub.uploads.lfs_writer, link.nbytes, link.user)
    try:
        await _receive(request, writer, link.nbytes)
    except BaseException:
        hub.uploads.lfs_abandon(writer)
        raise
    await hub.meta.run(hub.uploads.lfs_finish, writer, link.sha256, link.nbytes, link.user)
    return Response(status_code=200, headers={"ETag": f'"{link.sha256.hex()}"'})


async def put_part(request: HubRequest) -> Response:
    """Receive a part; sent again, it replaces what came before."""
    hub, number = request.hub, request.params["number"]
    link = await hub.meta.run(read_upload_link, hub, request.query.get("link", ""), PARTS)
    part = link.part(int(number)) if number.isascii() and number.isdecimal() and len(number) < 6 else None
    if part is None:
        raise InvalidRequestError(
            f"part {number}",
            expected=f"one of {link.parts}",
            found=number[:20],
            action="Use the links of the batch request.",
        )
    offset, nbytes = part
    _check_length(request, nbytes)

    def begin() -> LfsWriter:
        return hub.uploads.lfs_part_writer(
            link.sha256, link.nbytes, link.user, offset=offset, part_nbytes=nbytes
        )

    writer = await hub.meta.run(begin)
    try:
        await _receive(request, writer, nbytes)
    except BaseException:
        writer.abandon()
        raise
    digest = await hub.meta.run(writer.close)
    return Response(status_code=200, headers={"ETag": f'"{digest.hex()}"'})


async def complete(request: HubRequest) -> Response:
    """Join the parts of an object."""
    hub, body = request.hub, await request.json()
    link = await hub.meta.run(read_upload_link, hub, request.query.get("link", ""), PARTS)
    numbers = {item.get("partNumber") for item in read_objects(body, "parts", MAX_PARTS)}
    if body.get("oid") != link.sha256.hex() or numbers != set(range(1, link.parts + 1)):
        raise InvalidRequestError(
            f"parts of {link.sha256.hex()}",
            expected=f"all {link.parts}",
            found=f"{len(numbers)}, or of another file",
            action="Upload every part of the batch request, then complete.",
        )
    await hub.writes.run(_join, request, link)
    return JsonResponse({"success": True})


def _join(request: HubRequest, link: UploadLink) -> None:
    uploads = request.hub.uploads
    found = uploads.find(link.sha256, link.user, link.nbytes)
    if found is not None:  # joined before: the answer was lost
        found.close()
        return
    uploads.lfs_join_parts(link.sha256, link.nbytes, link.user)


def _check_length(request: HubRequest, nbytes: int) -> None:
    announced = content_length(request)
    if announced != nbytes:
        raise InvalidRequestError(
            "upload",
            expected=f"{nbytes} bytes, as the link says",
            found=f"{announced} announced",
            action="Upload the file as it was when the upload began.",
        )


async def _receive(request: HubRequest, writer: LfsWriter, nbytes: int) -> None:
    """Write a body, each piece while the next one comes; at the end, however it ends, no thread writes any more."""
    job: asyncio.Future[None] | None = None
    try:
        async for piece in receive_pieces(request, nbytes):
            if job is not None:
                await asyncio.shield(job)
            job = asyncio.ensure_future(request.hub.meta.run(writer.write, piece))
        if job is not None:
            await asyncio.shield(job)
    finally:
        if job is not None:
            await asyncio.wait([job])
            if not job.cancelled():
                job.exception()  # seen: where it matters it was raised above


async def get_content(request: HubRequest) -> Response:
    """Send an object, or a range of it."""
    hub = request.hub
    file = await hub.meta.run(read_download, hub, request.query.get("link", ""))
    sizes = await hub.meta.run(hub.store.snapshots.file_sizes, [file])
    if file not in sizes:
        raise FileEntryNotFoundError(
            "LFS object", expected="a file of the store", found="one that was removed", action="Start again."
        )
    nbytes = sizes[file][0]
    start, stop, status = 0, nbytes, 200
    headers = {
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "content-disposition": "attachment",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
    }
    found = parse_range(request.headers["range"], nbytes) if "range" in request.headers else None
    if found is not None:
        (start, stop), status = found, 206
        headers["content-range"] = f"bytes {start}-{stop - 1}/{nbytes}"
    if request.raw.method == "HEAD":
        return Response(status_code=status, headers={**headers, "content-length": str(stop - start)})
    return await stream_file(hub, file, start, stop, status, headers)


ROUTES = [
    Route("PUT", "/lfs/content", put_content),
    Route("GET HEAD", "/lfs/content", get_content),
    Route("PUT", "/lfs/parts/{number}", put_part),
    Route("POST", "/lfs/complete", complete),
]
