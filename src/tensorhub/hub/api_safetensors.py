"""Headers of a sharded model at once: ``/safetensors-metadata/{path of the shard index}``.

Duty: read the shard index of ``main`` and the headers of the shards that it names. Not its duty: reading tensors.
Invariants: what is read is bounded; only files of the revision are read, whatever the shard index names.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from tensorhub.errors import FileEntryNotFoundError, InvalidHeaderError, InvalidNameError, LimitExceededError
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.resolve import answer_missing
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.revision_view import FileView, RevisionView
from tensorhub.hub.routes import Route
from tensorhub.schema.names import parse_path
from tensorhub.store.files import read_range
from tensorhub.store.read_plan import FileMap

_MAX_INDEX_NBYTES = 32 << 20  # of a model with 200,000 tensors
_MAX_HEADERS_NBYTES = 64 << 20  # of all shards together, half of it as values in memory again
_MAX_SHARDS = 2000


async def safetensors_metadata(request: HubRequest) -> Response:
    """Answer the headers of every shard of a model."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, found)
    view = await hub.meta.run(hub.view, found, None)
    path = parse_path(request.params["path"])
    try:
        answer = await hub.reads.run(read_headers, hub, view, path)
    except FileEntryNotFoundError as error:
        return answer_missing(request, view, error)
    return JsonResponse(answer, headers={"X-Repo-Commit": view.commit_id})


def read_headers(hub: Hub, view: RevisionView, path: str) -> dict[str, Any]:
    """Read a shard index and the headers of its shards.

    Returns
    -------
    dict
        ``index``, without the map of tensors, which the headers repeat; ``headers`` by the shards' names there.

    Raises
    ------
    FileEntryNotFoundError
        The shard index, or a shard that it names, is not in the revision.
    InvalidHeaderError, LimitExceededError
        One of them is not what its name says, or too large.
    """
    index = _parse(_read(hub, view.file(path), 0, None), path)
    names = index.pop("weight_map", None)
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise _refuse(path, "a map from tensors to shards", "something else")
    shards = sorted(set(names.values()))
    if len(shards) > _MAX_SHARDS:
        raise _too_large(path, f"at most {_MAX_SHARDS} shards", len(shards))
    folder = path.rpartition("/")[0]
    headers: dict[str, Any] = {}
    left = _MAX_HEADERS_NBYTES
    for shard in shards:
        try:
            file = view.file(parse_path(f"{folder}/{shard}" if folder else shard))
        except InvalidNameError as error:
            raise _refuse(path, "names of shards beside it", repr(shard[:100])) from error
        nbytes = int.from_bytes(_read(hub, file, 0, 8), "little") if file.nbytes >= 8 else 0
        if not 2 <= nbytes <= file.nbytes - 8:
            raise _refuse(file.path, "a safetensors header", "another file")
        left -= nbytes
        if left < 0:
            raise _too_large(path, f"headers of at most {_MAX_HEADERS_NBYTES} bytes together", nbytes)
        headers[shard] = _parse(_read(hub, file, 8, nbytes), file.path)
    return {"index": index, "headers": headers}


def _read(hub: Hub, file: FileView, offset: int, nbytes: int | None) -> bytes:
    if nbytes is None:
        nbytes = file.nbytes
        if nbytes > _MAX_INDEX_NBYTES:
            raise _too_large(file.path, f"at most {_MAX_INDEX_NBYTES} bytes", nbytes)
    out = bytearray(nbytes)
    record = hub.store.snapshots.file_record(file.file)
    read_range(FileMap(record.segments), hub.store.reader, offset, memoryview(out))
    return bytes(out)


def _parse(data: bytes, path: str) -> dict[str, Any]:
    def refuse_constant(text: str) -> None:
        raise ValueError(text)

    try:
        value = json.loads(data, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _refuse(path, "JSON", str(error)[:100]) from error
    if not isinstance(value, dict):
        raise _refuse(path, "a JSON object", type(value).__name__)
    return value


def _refuse(path: str, expected: str, found: str) -> InvalidHeaderError:
    return InvalidHeaderError(
        f"file {path!r}", expected=expected, found=found, path=path, action="Upload the model again."
    )


def _too_large(path: str, expected: str, found: int) -> LimitExceededError:
    return LimitExceededError(
        f"file {path!r}",
        expected=expected,
        found=str(found),
        path=path,
        action="Read the headers of the shards one by one.",
    )


ROUTES = [Route("GET HEAD", "/api/{T}/{repo}/safetensors-metadata/{path}", safetensors_metadata)]
