"""Commits: ``POST /api/{T}/{repo}/commit/{rev}``.

Duty: receive the body, wait for the repository's turn, commit, answer. Not its duty: what the lines mean
(``commit_operations``), or making the commit (``commits``).
Invariants: rights and the branch are checked before the body is read; the body is never whole in memory; nothing of
it is left behind, whatever happens.
"""

from __future__ import annotations

import secrets

from starlette.responses import Response

from tensorhub.errors import InvalidNameError, RevisionNotFoundError, TensorHubError
from tensorhub.hub.commit_body import CommitBody
from tensorhub.hub.commit_operations import CommitRequest
from tensorhub.hub.commits import Committed, commit
from tensorhub.hub.hub import Hub
from tensorhub.hub.pull_requests import PullRequest, find_branch, may_push, pull_ref
from tensorhub.hub.receiving import receive_pieces
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.hub.spool import MEMORY_NBYTES, Spool
from tensorhub.hub.writing import check_proposer, committer, record, repository_url, user_of
from tensorhub.schema.names import RefKind, RefName, RepositoryId, parse_ref


async def handle_commit(request: HubRequest) -> Response:
    """Make a commit, on a branch or as a pull request."""
    hub = request.hub
    user_of(request.identity)
    opens_pull = request.flag("create_pr")
    repository, ref = await hub.meta.run(_find, request, opens_pull)
    spool, space = Spool(hub.uploads.folder / "tmp"), f"commit {secrets.token_hex(8)}"
    try:
        await hub.meta.run(_charge, request, space)
        parsed = await _receive(request, spool)
        async with hub.locks.hold(repository):
            if opens_pull:
                done, pull = await hub.writes.run(_open_pull, request, repository, ref, parsed)
            else:
                done, pull = await hub.writes.run(_commit, request, repository, ref, parsed), None
    finally:
        spool.close()
        hub.uploads.space.release(space)
    if pull is not None:
        await record(request, "pull.create", repository, f"{pull.num} {done.commit_id}")
    elif done.is_new:
        await record(request, "commit", repository, f"{ref} {done.commit_id}")
    answer = {
        "success": True,
        "commitOid": done.commit_id,
        "commitUrl": repository_url(request, repository, f"commit/{done.commit_id}"),
        "hookOutput": "",
    }
    if pull is not None:
        answer["pullRequestUrl"] = repository_url(request, repository, f"discussions/{pull.num}")
    return JsonResponse(answer)


def _find(request: HubRequest, opens_pull: bool) -> tuple[RepositoryId, RefName]:
    """Find the repository and the ref, and check that who asks may commit there."""
    hub, identity, revision = request.hub, request.identity, request.params["rev"]
    repository = hub.find(request.repository, identity)
    hub.check_files(identity, repository)
    try:
        ref = parse_ref(revision)
    except InvalidNameError as error:
        raise _no_branch(repository, revision) from error
    if opens_pull:
        check_proposer(identity, repository, f"opening a pull request of {repository}")
        if ref.kind is not RefKind.HEADS:
            raise _no_branch(repository, revision)
        find_branch(hub.store, repository, ref)
        return repository, ref
    if ref.kind is RefKind.PR and may_push(hub, identity, repository, ref):
        return repository, ref
    hub.find_for_write(repository, identity)
    if ref.kind not in (RefKind.HEADS, RefKind.PR):
        raise _no_branch(repository, revision)
    is_first = ref.name == "main" and not hub.store.ref_store.list(repository)
    if hub.store.ref_store.read(repository, ref) is None and not is_first:
        raise _no_branch(repository, revision)
    return repository, ref


def _no_branch(repository: RepositoryId, revision: str) -> RevisionNotFoundError:
    return RevisionNotFoundError(
        f"Invalid rev id: {revision}",
        expected=f"a branch of {repository}",
        found="none",
        action="Create the branch first.",
    )


def _charge(request: HubRequest, key: str) -> None:
    """Take the disk space that a large body may need, before it comes.

    Raises
    ------
    OutOfSpaceError
        There is not so much left for uploads.
    """
    limit, announced = request.hub.config.max_commit_nbytes, request.headers.get("content-length", "")
    is_told = announced.isascii() and announced.isdecimal() and len(announced) < 20
    nbytes = min(int(announced), limit) if is_told else limit
    if nbytes > MEMORY_NBYTES:
        # base64 takes four characters for three bytes
        request.hub.uploads.space.charge(key, user_of(request.identity).lower(), nbytes * 3 // 4)


async def _receive(request: HubRequest, spool: Spool) -> CommitRequest:
    hub, body = request.hub, CommitBody(spool)
    async for piece in receive_pieces(request, hub.config.max_commit_nbytes):
        await hub.meta.run(body.feed, piece)
    return await hub.meta.run(body.finish)


def _commit(request: HubRequest, repository: RepositoryId, ref: RefName, parsed: CommitRequest) -> Committed:
    hub = request.hub
    return commit(hub.store, hub.uploads, repository, ref, parsed, committer(hub, request.identity))


def _open_pull(
    request: HubRequest, repository: RepositoryId, base: RefName, parsed: CommitRequest
) -> tuple[Committed, PullRequest]:
    """Open a pull request and commit to it; a commit that fails leaves no pull request behind."""
    hub, header = request.hub, parsed.header
    author = user_of(request.identity)
    pull = hub.pulls.open(
        repository, title=header.summary, description=header.description, author=author, base=base.name
    )
    try:
        done = _commit_to_pull(hub, request, repository, base, pull, parsed)
    except TensorHubError:
        hub.pulls.forget(repository, pull.num)
        raise
    return done, pull


def _commit_to_pull(
    hub: Hub,
    request: HubRequest,
    repository: RepositoryId,
    base: RefName,
    pull: PullRequest,
    parsed: CommitRequest,
) -> Committed:
    start, wanted = find_branch(hub.store, repository, base).commit_id, parsed.header.parent
    if wanted is not None and not start.startswith(wanted):
        start = wanted
    who = committer(hub, request.identity)
    return commit(hub.store, hub.uploads, repository, pull_ref(pull.num), parsed, who, start=start)


ROUTES = [Route("POST", "/api/{T}/{repo}/commit/{rev}", handle_commit)]
