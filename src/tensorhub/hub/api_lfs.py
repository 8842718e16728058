"""Git LFS: the batch request, and verifying.

Duty: which objects are here, and links for those that are to come or go. Not its duty: their bytes (``api_lfs_bytes``).
Invariants: an object is said to be here only where who asks may read it, or uploaded it himself. References: Git LFS
specification, batch API and basic transfers; the Hugging Face hub's multipart transfer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tensorhub.errors import FileEntryNotFoundError, FormatError, UsageError
from tensorhub.hub.commit_operations import parse_sha256
from tensorhub.hub.hub import Hub
from tensorhub.hub.json_fields import read_choice, read_nbytes, read_objects
from tensorhub.hub.known_content import KnownFile, find_known
from tensorhub.hub.lfs_links import UploadLink, plan_part_nbytes, sign_download
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.hub.writing import check_proposer, committer, repository_url, user_of
from tensorhub.schema.names import RepositoryId

_MAX_OBJECTS = 1000  # clients ask for 256 at a time
_TYPE = "application/vnd.git-lfs+json"


async def batch(request: HubRequest) -> Response:
    """Answer for up to some hundred objects."""
    hub, identity, body = request.hub, request.identity, await request.json()
    operation = read_choice(body, "operation", ("upload", "download"))
    if operation is None or body.get("hash_algo", "sha256") != "sha256":
        raise UsageError(
            "LFS batch request",
            expected="operation upload or download, and SHA-256",
            found=f"{operation}, {body.get('hash_algo')!r}"[:100],
            action="Send what clients send.",
        )
    objects = read_objects(body, "objects", _MAX_OBJECTS)
    repository = await hub.meta.run(hub.find, request.repository, identity)
    await hub.meta.run(hub.check_files, identity, repository)
    if operation == "download":
        answers = await hub.meta.run(_plan_downloads, request, repository, objects)
        return JsonResponse({"transfer": "basic", "objects": answers}, media_type=_TYPE)
    check_proposer(identity, repository, f"uploading for {repository}")  # for a pull request at least
    transfers = body.get("transfers")
    takes_parts = isinstance(transfers, list) and "multipart" in transfers
    answers = await hub.meta.run(_plan_uploads, request, repository, objects, takes_parts)
    has_parts = any("chunk_size" in _header(answer) for answer in answers)
    transfer = "multipart" if has_parts else "basic"
    return JsonResponse({"transfer": transfer, "objects": answers}, media_type=_TYPE)


def _header(answer: dict[str, Any]) -> Mapping[str, Any]:
    header: Mapping[str, Any] = answer.get("actions", {}).get("upload", {}).get("header", {})
    return header


def _read_object(item: Mapping[str, Any]) -> tuple[bytes, int] | dict[str, Any]:
    """Give SHA-256 and size of an object, or the answer that says what is wrong with it."""
    try:
        return parse_sha256({"oid": item.get("oid")}), read_nbytes(item, "size")
    except FormatError as error:
        return {
            "oid": str(item.get("oid"))[:100],
            "size": item["size"] if isinstance(item.get("size"), int) else 0,
            "error": {"code": 422, "message": str(error)},
        }


def _plan_uploads(
    request: HubRequest, repository: RepositoryId, objects: list[Mapping[str, Any]], takes_parts: bool
) -> list[dict[str, Any]]:
    hub, who = request.hub, committer(request.hub, request.identity)
    parsed = [_read_object(item) for item in objects]
    wanted = [item[0] for item in parsed if isinstance(item, tuple)]
    known = find_known(hub.store, wanted, who.may_read)
    answers: list[dict[str, Any]] = []
    for item in parsed:
        if isinstance(item, dict):
            answers.append(item)
            continue
        sha256, nbytes = item
        answer: dict[str, Any] = {"oid": sha256.hex(), "size": nbytes}
        if not is_here(hub, sha256, nbytes, known, who.user):
            part_nbytes = plan_part_nbytes(nbytes, takes_parts=takes_parts)
            link = UploadLink(sha256, nbytes, who.user, part_nbytes, request.identity.token_id)
            answer["authenticated"] = True
            answer["actions"] = {
                "upload": _upload_action(request, link),
                "verify": {"href": f"{repository_url(request, repository)}.git/info/lfs/objects/verify"},
            }
        answers.append(answer)
    return answers


def is_here(hub: Hub, sha256: bytes, nbytes: int, known: Mapping[bytes, KnownFile], user: str) -> bool:
    """Say whether a commit of this user may name an object without an upload of its own."""
    found = known.get(sha256)
    if found is not None and found.nbytes == nbytes:
        return True
    source = hub.uploads.find(sha256, user, nbytes)
    if source is None:
        return False
    source.close()
    return True


def _upload_action(request: HubRequest, link: UploadLink) -> dict[str, Any]:
    url, proof = f"{request.base_url}/lfs", f"?link={link.sign(request.hub)}"
    if not link.part_nbytes:
        return {"href": f"{url}/content{proof}"}
    header = {f"{number:05d}": f"{url}/parts/{number}{proof}" for number in range(1, link.parts + 1)}
    return {"href": f"{url}/complete{proof}", "header": {"chunk_size": str(link.part_nbytes), **header}}


def _plan_downloads(
    request: HubRequest, repository: RepositoryId, objects: list[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    hub = request.hub
    parsed = [_read_object(item) for item in objects]
    wanted = [item[0] for item in parsed if isinstance(item, tuple)]
    known = find_known(hub.store, wanted, lambda holder: holder == repository)
    answers: list[dict[str, Any]] = []
    for item in parsed:
        if isinstance(item, dict):
            answers.append(item)
            continue
        found = known.get(item[0])
        answer: dict[str, Any] = {"oid": item[0].hex(), "size": item[1]}
        if found is None or found.nbytes != item[1]:
            answer["error"] = {"code": 404, "message": "Object does not exist"}
        else:
            text = sign_download(hub, repository, found.file, request.identity)
            answer["authenticated"] = True
            answer["actions"] = {"download": {"href": f"{request.base_url}/lfs/content?link={text}"}}
        answers.append(answer)
    return answers


async def verify(request: HubRequest) -> Response:
    """Say whether an object that was uploaded is here."""
    hub, body = request.hub, await request.json()
    sha256, nbytes = parse_sha256(body), read_nbytes(body, "size")
    user_of(request.identity)
    repository = await hub.meta.run(hub.find, request.repository, request.identity)
    if not await hub.meta.run(_verify, request, sha256, nbytes):
        raise FileEntryNotFoundError(
            f"LFS object {sha256.hex()} for {repository}",
            expected=f"an upload of {nbytes} bytes",
            found="none",
            action="Upload it again.",
        )
    return JsonResponse({}, media_type=_TYPE)


def _verify(request: HubRequest, sha256: bytes, nbytes: int) -> bool:
    who = committer(request.hub, request.identity)
    known = find_known(request.hub.store, [sha256], who.may_read)
    return is_here(request.hub, sha256, nbytes, known, who.user)


ROUTES = [
    Route("POST", "/{P}{repo}.git/info/lfs/objects/batch", batch),
    Route("POST", "/{P}{repo}.git/info/lfs/objects/verify", verify),
]
