"""Pull requests: changes that wait on ``refs/pr/N`` until somebody takes them over.

Duty: their rows in the state, who may push to one, and merging. Not its duty: HTTP.
Invariants: numbers are given once, counting from 1; a merge changes exactly the paths that the pull request
changed, or nothing and says which paths both sides changed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tensorhub.errors import ConflictError, NotFoundError, RevisionNotFoundError
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import CommitReference, FileMode
from tensorhub.store import state_schema as schema
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.store import Store

if TYPE_CHECKING:
    from tensorhub.hub.access import Identity
    from tensorhub.hub.hub import Hub

DRAFT, OPEN, CLOSED, MERGED = "draft", "open", "closed", "merged"
_MERGE_SEARCH = 1000  # commits of the base that are looked through for the one that merged


class MergeConflictError(ConflictError):
    """Both sides changed the same paths."""


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request.

    Attributes
    ----------
    num
        Its number in the repository.
    title, description
        What it says of itself.
    author
        Name of who opened it.
    created_at_ms
        Milliseconds since 1970 UTC.
    base
        Branch that it is to be merged into.
    status
        ``draft``, ``open``, ``closed`` or ``merged``.
    """

    num: int
    title: str
    description: str
    author: str
    created_at_ms: int
    base: str
    status: str


def pull_ref(num: int) -> RefName:
    """Give the ref of a pull request."""
    return RefName(RefKind.PR, str(num))


class PullRequests:
    """The pull requests of one hub; safe for many threads.

    Parameters
    ----------
    store
        Its refs, and its state, where their rows lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state = store.state

    def open(
        self,
        repository: RepositoryId,
        *,
        title: str,
        description: str,
        author: str,
        base: str,
        status: str = OPEN,
    ) -> PullRequest:
        """Give a new one its number; its ref is the caller's to make."""
        taken = [
            int(ref.name)
            for ref in self._store.ref_store.list(repository)
            if ref.kind is RefKind.PR and ref.name.isascii() and ref.name.isdecimal()
        ]
        with self._state.write() as connection:
            last = connection.execute(select(func.max(_COLUMNS.num)).where(*_of(repository))).scalar()
            pull = PullRequest(
                max([last or 0, *taken]) + 1,
                title.strip(),
                description,
                author,
                time.time_ns() // 1_000_000,
                base,
                status,
            )
            connection.execute(
                insert(schema.pull_request).values(
                    repo_type=repository.key[0],
                    repo_key=repository.key[1],
                    num=pull.num,
                    title=pull.title,
                    description=pull.description,
                    author=pull.author,
                    created_at_ms=pull.created_at_ms,
                    base=pull.base,
                    status=pull.status,
                )
            )
        return pull

    def forget(self, repository: RepositoryId, num: int) -> None:
        """Remove one whose ref could not be made."""
        with self._state.write() as connection:
            connection.execute(delete(schema.pull_request).where(*_of(repository, num)))

    def find(self, repository: RepositoryId, num: int) -> PullRequest:
        """Give one.

        Raises
        ------
        NotFoundError
            There is none of this number.
        """
        with self._state.read() as connection:
            return _find(connection, repository, num)

    def list(self, repository: RepositoryId) -> list[PullRequest]:
        """Give all of a repository, newest first."""
        with self._state.read() as connection:
            rows = connection.execute(
                select(schema.pull_request).where(*_of(repository)).order_by(_COLUMNS.num.desc())
            )
            return [_parse(row) for row in rows]

    def change(
        self, repository: RepositoryId, num: int, *, status: str | None = None, title: str | None = None
    ) -> PullRequest:
        """Change the status or title of one that is not merged.

        Raises
        ------
        NotFoundError
            There is none of this number.
        ConflictError
            It is merged.
        """
        values = {key: value for key, value in (("status", status), ("title", title)) if value is not None}
        with self._state.write() as connection:
            if _find(connection, repository, num).status == MERGED:
                raise ConflictError(
                    f"pull request {num} of {repository}",
                    expected="one that is not merged",
                    found="one that is",
                    action="Open another one.",
                )
            connection.execute(update(schema.pull_request).where(*_of(repository, num)).values(values))
            return _find(connection, repository, num)


_COLUMNS = schema.pull_request.c


def _of(repository: RepositoryId, num: int | None = None) -> list[Any]:
    clauses = [_COLUMNS.repo_type == repository.key[0], _COLUMNS.repo_key == repository.key[1]]
    return clauses if num is None else [*clauses, _COLUMNS.num == num]


def _find(connection: Connection, repository: RepositoryId, num: int) -> PullRequest:
    row = connection.execute(select(schema.pull_request).where(*_of(repository, num))).first()
    if row is None:
        raise NotFoundError(
            f"pull request {num} of {repository}",
            expected="one of its pull requests",
            found="none of this number",
            action="See the list of them.",
        )
    return _parse(row)


def _parse(row: Row[Any]) -> PullRequest:
    return PullRequest(
        row.num, row.title, row.description, row.author, row.created_at_ms, row.base, row.status
    )


# -- refs of pull requests -------------------------------------------------------------------------------------------


def find_branch(store: Store, repository: RepositoryId, ref: RefName) -> CommitReference:
    """Give the commit of a branch.

    Raises
    ------
    RevisionNotFoundError
        There is no such branch.
    """
    reference = store.ref_store.read(repository, ref)
    if reference is None:
        raise RevisionNotFoundError(
            f"Invalid rev id: {ref}",
            expected=f"a branch of {repository}",
            found="none",
            action="See the repository's branches.",
        )
    return reference


def may_push(hub: Hub, identity: Identity, repository: RepositoryId, ref: RefName) -> bool:
    """Say whether who asks opened the pull request of a ref, and may still add to it without a right to write."""
    if identity.user is None or not identity.can_write or not ref.name.isdecimal():
        return False
    try:
        pull = hub.pulls.find(repository, int(ref.name))
    except NotFoundError:
        return False
    return pull.author.casefold() == identity.user.casefold() and pull.status in (DRAFT, OPEN)


# -- merging ---------------------------------------------------------------------------------------------------------

Entry = tuple[FileMode, Digest]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge does: paths to put, paths to remove, and paths that both sides changed."""

    put: Mapping[str, Entry]
    removed: tuple[str, ...]
    conflicts: tuple[str, ...]


def plan_merge(
    common: Mapping[str, Entry], base: Mapping[str, Entry], change: Mapping[str, Entry]
) -> MergePlan:
    """Merge two trees that come from a common one, by path.

    Parameters
    ----------
    common, base, change
        Path -> entry: where both began, the branch, the pull request.
    """
    put: dict[str, Entry] = {}
    removed: list[str] = []
    conflicts: list[str] = []
    for path in sorted({*common, *change}):
        before, after, there = common.get(path), change.get(path), base.get(path)
        if after in (before, there):
            continue
        if there != before:
            conflicts.append(path)
        elif after is None:
            removed.append(path)
        else:
            put[path] = after
    return MergePlan(put, tuple(removed), tuple(conflicts))


def plan_pull(store: Store, repository: RepositoryId, pull: PullRequest) -> MergePlan:
    """Say what merging a pull request now would do.

    Raises
    ------
    RevisionNotFoundError
        Its ref or its base is gone.
    """
    base = find_branch(store, repository, RefName(RefKind.HEADS, pull.base))
    head = find_branch(store, repository, pull_ref(pull.num))
    reached = {reference.digest for reference in store.snapshots.walk([base])}
    common = next((item for item in store.snapshots.walk([head]) if item.digest in reached), None)
    return plan_merge(
        _entries(store, common) if common is not None else {}, _entries(store, base), _entries(store, head)
    )


def _entries(store: Store, reference: CommitReference) -> dict[str, Entry]:
    return {entry.path: (entry.mode, entry.file) for entry in store.snapshots.tree_of(reference).entries}


def merge_pull(store: Store, repository: RepositoryId, pull: PullRequest, author: str) -> str:
    """Merge a pull request into its base; gives the base's commit id. The row's status is the caller's.

    Raises
    ------
    MergeConflictError
        Both sides changed the same paths.
    RevisionNotFoundError
        Its ref or its base is gone.
    RevisionMovedError
        Another process moved the base meanwhile.
    """
    base = find_branch(store, repository, RefName(RefKind.HEADS, pull.base))
    plan = plan_pull(store, repository, pull)
    if plan.conflicts:
        raise MergeConflictError(
            f"pull request {pull.num} of {repository}",
            expected=f"paths that {pull.base} did not change meanwhile",
            found=", ".join(plan.conflicts[:10]),
            action="Make the change anew on top of the branch.",
        )
    head = find_branch(store, repository, pull_ref(pull.num))
    with store.begin_commit(repository, revision=pull.base) as transaction:
        for path in plan.removed:
            transaction.delete(path)
        for path, (mode, file) in plan.put.items():
            transaction.link(path, file, mode=mode)
        facts = CommitFacts(f"{pull.title} (#{pull.num})\n\n{pull.description}", author=author)
        return transaction.publish(
            facts.message, facts=facts, expected_head=base.commit_id, parents=(base, head)
        ).commit_id


def find_merge(store: Store, repository: RepositoryId, pull: PullRequest) -> str | None:
    """Give the id of the commit that merged a pull request, where it is not long ago."""
    head = store.ref_store.read(repository, pull_ref(pull.num))
    reference = store.ref_store.read(repository, RefName(RefKind.HEADS, pull.base))
    if head is None or reference is None:
        return None
    for item in islice(store.snapshots.walk([reference]), _MERGE_SEARCH):
        if head in store.snapshots.commit(item.digest).parents[1:]:
            return item.commit_id
    return None
