"""Preupload: which files of a coming commit are LFS, which are left out, which are there already.

Duty: the answer to each path. Not its duty: receiving anything.
Invariants: an answer is a hint for the client; a commit checks for itself. What a path is said to hold now is its
SHA-256 where the answer is LFS and git's id where it is regular, because that is what clients compare with.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tensorhub.errors import RevisionNotFoundError
from tensorhub.hub.commit_operations import parse_commit_path
from tensorhub.hub.hub import Hub
from tensorhub.hub.json_fields import read_nbytes, read_objects, read_optional_text
from tensorhub.hub.path_patterns import IgnoreRules
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.revision_view import ATTRIBUTES_PATH, LfsRules
from tensorhub.hub.routes import Route
from tensorhub.hub.writing import check_proposer, user_of
from tensorhub.schema.names import RepositoryId
from tensorhub.store.file_facts import FileFacts, file_facts
from tensorhub.store.snapshots import Snapshot

_IGNORE_PATH = ".gitignore"
_MAX_FILES = 1000  # clients ask for 256 at a time
_MAX_SAMPLE = 4096  # characters; clients send 512 bytes as base64


def looks_binary(sample: bytes) -> bool:
    """Say whether the beginning of a file is that of no text: a NUL, as git has it, or what is not UTF-8."""
    if b"\0" in sample:
        return True
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start < len(sample) - 3  # the sample may end inside a character
    return False


def is_lfs_upload(rules: LfsRules, path: str, nbytes: int, sample: bytes) -> bool:
    """Say whether a file that is about to be uploaded should come as LFS."""
    return nbytes > 0 and (rules.is_lfs(path, nbytes) or looks_binary(sample))


def present_id(facts: FileFacts | None, *, is_lfs: bool) -> str | None:
    """Give the id of what is at a path now, of the kind that the client compares; None where it is not known."""
    if facts is None:
        return None
    value = facts.sha256 if is_lfs else facts.git_sha1
    return value.hex() if value is not None else None


async def preupload(request: HubRequest) -> Response:
    """Answer for up to some hundred files."""
    hub, body = request.hub, await request.json()
    user_of(request.identity)
    find = hub.find if request.flag("create_pr") else hub.find_for_write
    repository = await hub.meta.run(find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, repository)
    check_proposer(request.identity, repository, f"uploading for {repository}")
    files = [_read_file(item) for item in read_objects(body, "files", _MAX_FILES)]
    ignore = read_optional_text(body, "gitIgnore")
    answer = await hub.meta.run(plan_uploads, hub, repository, request.params["rev"], files, ignore)
    return JsonResponse(answer)


def _read_file(item: Mapping[str, Any]) -> tuple[str, int, bytes]:
    path, nbytes = parse_commit_path(item.get("path")), read_nbytes(item, "size")
    text = read_optional_text(item, "sample") or ""
    try:
        sample = base64.b64decode(text[:_MAX_SAMPLE], validate=True)
    except (binascii.Error, ValueError):
        sample = b""
    return path, nbytes, sample


def plan_uploads(
    hub: Hub,
    repository: RepositoryId,
    revision: str,
    files: list[tuple[str, int, bytes]],
    ignore: str | None,
) -> dict[str, Any]:
    """Answer for files, each with path, size and sample; blocks.

    Raises
    ------
    RevisionNotFoundError
        There is no such revision, in a repository that has any.
    """
    snapshot = _snapshot(hub, repository, revision)
    attributes = hub.small_text(snapshot, ATTRIBUTES_PATH) if snapshot is not None else ""
    if ignore is None:
        ignore = hub.small_text(snapshot, _IGNORE_PATH) if snapshot is not None else ""
    rules = LfsRules(attributes)
    ignored = IgnoreRules(ignore)
    entries = {}
    if snapshot is not None:
        wanted = {path for path, _, _ in files}
        entries = {entry.path: entry.file for entry in snapshot.tree.entries if entry.path in wanted}
    facts = file_facts(hub.store, entries.values())
    answers = []
    for path, nbytes, sample in files:
        is_lfs = is_lfs_upload(rules, path, nbytes, sample)
        answer: dict[str, Any] = {
            "path": path,
            "uploadMode": "lfs" if is_lfs else "regular",
            "shouldIgnore": ignored.ignores(path),
        }
        oid = present_id(facts.get(entries[path]), is_lfs=is_lfs) if path in entries else None
        if oid is not None:
            answer["oid"] = oid
        answers.append(answer)
    return {"files": answers}


def _snapshot(hub: Hub, repository: RepositoryId, revision: str) -> Snapshot | None:
    """Open a revision; None for the coming first commit of an empty repository."""
    try:
        return hub.store.snapshots.snapshot(repository, revision)
    except RevisionNotFoundError:
        if revision == "main" and not hub.store.ref_store.list(repository):
            return None
        raise


ROUTES = [Route("POST", "/api/{T}/{repo}/preupload/{rev}", preupload)]
