"""The Xet endpoints: tokens, uploads of xorbs and shards, reconstruction and data.

Duty: HTTP of both halves. Not its duty: what the bytes mean (the modules beside it), or commits.
Invariants: bodies go to disk as they come, and are checked in threads; nothing says whether another user has some
content: dedup queries find nothing, and what is sent again is answered as if it were new; a link to data is good for
exactly the chunks it was made for, and as long as who got it may read them.

Reference: the OpenAPI document of ``huggingface/xet-core``. What is answered 404 here (global dedup, upload grants,
version 2 of reconstruction) makes clients do without.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from starlette.responses import Response, StreamingResponse

from tensorhub.errors import (
    AuthenticationError,
    ForbiddenError,
    NotFoundError,
    RangeNotSatisfiableError,
    RepositoryNotFoundError,
    TensorHubError,
    UploadNotFoundError,
)
from tensorhub.hub.access import ANONYMOUS, LOCAL_OWNER, Identity
from tensorhub.hub.hub import Hub
from tensorhub.hub.receiving import receive_pieces
from tensorhub.hub.request import HubRequest
from tensorhub.hub.resolve import parse_range
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.revision_view import FileView
from tensorhub.hub.routes import Route
from tensorhub.hub.streaming import FileStream
from tensorhub.hub.writing import check_proposer
from tensorhub.hub.xet.grants import Grant, IssuedToken, Link
from tensorhub.hub.xet.hashes import parse_hash
from tensorhub.hub.xet.shard import MAX_SHARD_NBYTES, parse_shard
from tensorhub.hub.xet.virtual import Term, frame, make_term, plan_terms, xorb_name
from tensorhub.hub.xet.xorb import MAX_BODY_NBYTES
from tensorhub.hub.xet.xorb_files import open_body, write_body
from tensorhub.schema.digest import Digest

HEARTBEAT_S = 10.0  # between two words of a long answer; proxies give up after 60 s by default
_FRAMES = "application/x-ndjson"
_TURNS: WeakValueDictionary[tuple[int, str], asyncio.Lock] = WeakValueDictionary()  # of a hub and a user


# -- tokens -----------------------------------------------------------------------------------------------------------


async def write_token(request: HubRequest) -> Response:
    """Give a token for uploads."""
    hub, identity = request.hub, request.identity
    if request.flag("create_pr"):  # whoever reads may propose
        found = await hub.meta.run(hub.find, request.repository, identity)
        await hub.meta.run(hub.check_files, identity, found)
        check_proposer(identity, found, f"uploading for {found}")
    else:
        found = await hub.meta.run(hub.find_for_write, request.repository, identity)
    issued = await hub.meta.run(
        hub.grants.issue,
        request.base_url,
        identity.user,
        found,
        "",
        can_write=True,
        token_id=identity.token_id,
    )
    return _token_answer(issued)


async def read_token(request: HubRequest) -> Response:
    """Give a token for downloads of the files of one revision."""
    hub, identity = request.hub, request.identity
    found = await hub.meta.run(hub.find, request.repository, identity)
    await hub.meta.run(hub.check_files, identity, found)
    view = await hub.meta.run(hub.view, found, request.params["rev"])
    issued = await hub.meta.run(
        hub.grants.issue,
        request.base_url,
        identity.user,
        found,
        view.commit_id,
        can_write=False,
        token_id=identity.token_id,
    )
    return _token_answer(issued)


def _token_answer(issued: IssuedToken) -> Response:
    body = {"casUrl": issued.cas_url, "exp": issued.expires_at_s, "accessToken": issued.text}
    headers = {
        "X-Xet-Cas-Url": issued.cas_url,
        "X-Xet-Access-Token": issued.text,
        "X-Xet-Token-Expiration": str(issued.expires_at_s),
        "Cache-Control": "no-store",
    }
    return JsonResponse(body, headers=headers)


async def _grant(request: HubRequest, *, for_write: bool = False) -> Grant:
    header = request.headers.get("authorization", "")
    return await request.hub.meta.run(_accept, request.hub, request.params["place"], header, for_write)


def _accept(hub: Hub, place: str, header: str, for_write: bool) -> Grant:
    """Recognise a token, and ask again what it was given for: it lives for an hour, rights may end before."""
    grant = hub.grants.accept(place, header, for_write=for_write)
    identity = _recall(hub, grant)
    found = hub.find(grant.repository, identity)
    if not grant.can_write:
        hub.check_files(identity, found)
    return grant


def _accept_link(hub: Hub, text: str) -> Link:
    """Recognise a link to data, and ask again who got it; clients ask for a new one where it is refused."""
    link = hub.grants.accept_link(text)
    try:
        identity = _recall(hub, link)
        hub.check_files(identity, hub.find(link.repository, identity))
    except (AuthenticationError, RepositoryNotFoundError) as error:
        raise ForbiddenError(
            error.thing, expected=error.expected, found=error.found, action=error.action
        ) from error
    return link


def _recall(hub: Hub, given: Grant | Link) -> Identity:
    """Find out who somebody is now who got a token or a link."""
    if given.token_id:
        return hub.accounts.recall(given.token_id)
    if given.user is None:
        return ANONYMOUS
    if hub.accounts.has_users():
        raise AuthenticationError(
            "request to the Xet endpoints",
            expected="the token of a user",
            found="one from the time without users",
            action="Log in, and start the upload or download again.",
        )
    return LOCAL_OWNER


# -- uploads ----------------------------------------------------------------------------------------------------------


async def receive_xorb(request: HubRequest) -> Response:
    """Take a xorb."""
    hub = request.hub
    user = _user(await _grant(request, for_write=True))
    xorb = parse_hash(request.params["hash"])
    path = await _receive(request, user, MAX_BODY_NBYTES)
    try:
        await hub.reads.run(hub.uploads.finish_xorb, path, xorb, user)
    finally:
        hub.uploads.drop_body(path)
    return JsonResponse({"was_inserted": True})


async def _receive(request: HubRequest, user: str, max_nbytes: int) -> Path:
    """Write a body to a file as it comes; the caller removes it."""
    hub = request.hub
    announced = request.headers.get("content-length", "")
    nbytes = int(announced) if announced.isdecimal() and len(announced) < 20 else max_nbytes
    path = await hub.meta.run(hub.uploads.begin_body, min(nbytes, max_nbytes), user)
    try:
        with await hub.meta.run(open_body, path) as file:
            async for piece in receive_pieces(request, max_nbytes):
                await hub.meta.run(write_body, file, piece)
    except BaseException:
        hub.uploads.drop_body(path)
        raise
    return path


@dataclass(slots=True)
class _Proof:
    """How far a shard is proven, in MiB, and whether anybody waits for it."""

    is_wanted: bool = True
    done: int = 0
    total: int = 0

    def should_stop(self) -> bool:
        self.done += 1
        return not self.is_wanted


async def receive_shard(request: HubRequest) -> Response:
    """Take a shard: prove its files, and keep them for the commit that follows."""
    grant = await _grant(request, for_write=True)
    path = await _receive(request, _user(grant), MAX_SHARD_NBYTES)
    await _prove(request, grant, path, _Proof())
    return JsonResponse({"result": 1})


async def receive_shard_with_progress(request: HubRequest) -> Response:
    """Take a shard, and tell now and then how far it is: no proxy between takes a long proof for a dead server."""
    grant, proof = await _grant(request, for_write=True), _Proof()
    path = await _receive(request, _user(grant), MAX_SHARD_NBYTES)
    proving = asyncio.ensure_future(_prove(request, grant, path, proof))
    done, _ = await asyncio.wait([proving], timeout=HEARTBEAT_S)
    if done:
        proving.result()
        return Response(_frame("result"), media_type=_FRAMES)
    return StreamingResponse(_tell_progress(proving, proof), media_type=_FRAMES)


async def _tell_progress(proving: asyncio.Future[None], proof: _Proof) -> AsyncIterator[bytes]:
    while not proving.done():
        yield _frame("validating", verified=min(proof.done, proof.total), total=proof.total)
        await asyncio.wait([proving], timeout=HEARTBEAT_S)
    error = proving.exception()
    if error is None:
        yield _frame("result")
    elif isinstance(error, TensorHubError):
        yield _frame("error", message=str(error), retryable=error.retryable)
    else:
        raise error


def _frame(kind: str, **fields: object) -> bytes:
    return json.dumps({"type": kind, **fields}).encode() + b"\n"


async def _prove(request: HubRequest, grant: Grant, path: Path, proof: _Proof) -> None:
    """Prove a shard that was received, as long as the client waits, and remove it."""
    hub, user = request.hub, _user(grant)
    gone = asyncio.ensure_future(_disconnected(request, proof))
    turn = _TURNS.setdefault((id(hub), user), asyncio.Lock())
    try:
        async with turn:  # large files take minutes: one user leaves threads to others
            await hub.writes.run(_stage, request, path, user, proof)
    except UploadNotFoundError:
        await hub.meta.run(hub.grants.forget, grant)
        raise
    finally:
        gone.cancel()
        hub.uploads.drop_body(path)


def _stage(request: HubRequest, path: Path, user: str, proof: _Proof) -> None:
    if proof.is_wanted:
        files = parse_shard(path.read_bytes())
        proof.total = sum(-(-file.nbytes // (1 << 20)) for file in files)
        request.hub.uploads.stage(files, user, proof.should_stop)


async def _disconnected(request: HubRequest, proof: _Proof) -> None:
    while (await request.raw.receive())["type"] != "http.disconnect":
        pass
    proof.is_wanted = False


def _user(grant: Grant) -> str:
    """Give who uploads; a grant for uploads has somebody."""
    return grant.user or ""


async def not_offered(request: HubRequest) -> Response:
    """Answer what clients do without; to anybody, so that nothing can be learned."""
    raise NotFoundError(
        request.raw.url.path[:200], expected="an endpoint that this hub offers", found="one that it does not"
    )


async def telemetry(request: HubRequest) -> Response:
    """Take what clients report of their transfers, and keep none of it."""
    async for _ in request.stream(request.hub.config.max_json_nbytes):
        pass
    return JsonResponse({})


# -- downloads --------------------------------------------------------------------------------------------------------


async def reconstruction(request: HubRequest) -> Response:
    """Say from which chunks a file, or a range of it, is put together."""
    hub = request.hub
    grant = await _grant(request)
    file = await hub.meta.run(_find_file, request, grant)
    start, stop = 0, file.nbytes
    asked = request.headers.get("range")
    if asked is not None and (found := parse_range(asked, file.nbytes)) is not None:
        start, stop = found
    if start >= stop:
        raise RangeNotSatisfiableError(
            f"reconstruction of {file.path}", expected="a range with content", found="an empty file"
        )
    skipped, terms = plan_terms(file.nbytes, start, stop)
    place = f"{request.base_url}/cas/{request.params['place']}/v1/data?link="
    body: dict[str, Any] = {"offset_into_first_range": skipped, "terms": [], "fetch_info": {}}
    who = grant.repository, grant.user, grant.token_id
    for term in terms:
        name, chunks = xorb_name(file.file, term.index), {"start": term.first, "end": term.stop}
        body["terms"].append({"hash": name, "unpacked_length": term.nbytes, "range": chunks})
        link = hub.grants.sign_link(Link(file.file.hex, term.index, term.first, term.stop, *who))
        last = term.stored_start + term.stored_nbytes - 1
        fetch = {"range": chunks, "url": place + link, "url_range": {"start": term.stored_start, "end": last}}
        body["fetch_info"][name] = [fetch]
    return JsonResponse(body)


def _find_file(request: HubRequest, grant: Grant) -> FileView:
    """Find the file among those that the token is for."""
    hub, name = request.hub, request.params["hash"]
    view = hub.view(grant.repository, grant.commit_id or None)
    for file in view.files.values():
        if file.arriving is None and file.xet_hash == name:
            return file
    raise NotFoundError(
        f"file {name[:64]}",
        expected="a file of the revision that the token is for",
        found="none",
        action="Start the download again.",
    )


async def data(request: HubRequest) -> Response:
    """Send chunks of a virtual xorb."""
    hub = request.hub
    hub.grants.check_place(request.params["place"])
    link = await hub.meta.run(_accept_link, hub, request.query.get("link", ""))
    file = Digest.parse(link.file)
    record = await hub.meta.run(hub.store.snapshots.file_record, file)
    term = make_term(record.nbytes, link.index, link.first, link.stop)
    first, last = term.stored_start, term.stored_start + term.stored_nbytes - 1
    asked = request.headers.get("range")
    if asked is not None and asked.replace(" ", "") != f"bytes={first}-{last}":
        raise RangeNotSatisfiableError(
            f"range {asked[:80]} of a xorb",
            expected=f"bytes={first}-{last}, for which the link was made",
            found=asked[:80],
            action="Ask for the range that came with the link.",
        )
    headers = {
        "content-type": "application/octet-stream",
        "content-range": f"bytes {first}-{last}/*",
        "cache-control": "private, no-store",
    }
    return XorbStream(
        record,
        term,
        reader=hub.store.reader,
        pool=hub.reads,
        streams=hub.streams,
        status_code=200 if asked is None else 206,
        headers=headers,
    )


class XorbStream(FileStream):
    """A response whose body is a run of chunks of a virtual xorb.

    Parameters
    ----------
    record, term
        The file and the run.
    **others
        As for :class:`FileStream`.
    """

    def __init__(self, record: Any, term: Term, **others: Any) -> None:
        super().__init__(record, term.offset, term.nbytes, **others)
        self.headers["content-length"] = str(term.stored_nbytes)
        self._file_nbytes = record.nbytes

    def _decode(self, offset: int, nbytes: int) -> bytearray:
        return frame(super()._decode(offset, nbytes), offset, self._file_nbytes)


ROUTES = [
    Route("GET", "/api/{T}/{repo}/xet-write-token/{rev}", write_token),
    Route("GET", "/api/{T}/{repo}/xet-read-token/{rev}", read_token),
    Route("POST", "/cas/{place}/v1/xorbs/default/{hash}", receive_xorb, is_signed=True),
    Route("POST", "/cas/{place}/v1/shards", receive_shard, is_signed=True),
    Route("POST", "/cas/{place}/v2/shards", receive_shard_with_progress, is_signed=True),
    Route("GET", "/cas/{place}/v1/reconstructions/{hash}", reconstruction, is_signed=True),
    Route("GET", "/cas/{place}/v1/data", data, is_signed=True),
    # Where older clients look for them: up to hf-xet 1.5, and 1.1.2.
    Route("POST", "/cas/{place}/xorbs/default/{hash}", receive_xorb, is_signed=True),
    Route("POST", "/cas/{place}/shards", receive_shard, is_signed=True),
    Route("GET", "/cas/{place}/reconstructions/{hash}", reconstruction, is_signed=True),
    Route("GET", "/cas/{place}/reconstruction/{hash}", reconstruction, is_signed=True),
    Route("GET HEAD POST PUT", "/cas/{path}", not_offered, is_signed=True),
    Route("POST", "/v1/telemetry", telemetry, is_signed=True),
]
