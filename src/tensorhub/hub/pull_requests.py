"""Pull requests: changes that wait on ``refs/pr/N`` until somebody takes them over.

Duty: their rows in the state, and who may push to one. Not its duty: HTTP, or merging (``merging``).
Invariants: numbers are given once, counting from 1; a merged one changes no more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from tensorhub.errors import ConflictError, NotFoundError, RevisionNotFoundError
from tensorhub.hub.access import can_propose
from tensorhub.hub.discussion_events import (
    COMMENT,
    STATUS,
    TITLE,
    Event,
    add_event,
    change_event,
    read_events,
    remove_events,
)
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store import state_schema as schema
from tensorhub.store.store import Store

if TYPE_CHECKING:
    from tensorhub.hub.access import Identity
    from tensorhub.hub.hub import Hub

DRAFT, OPEN, CLOSED, MERGED = "draft", "open", "closed", "merged"


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
        Branch that it is to be merged into; empty for a discussion without changes.
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
        base: str = "",
        status: str = OPEN,
    ) -> PullRequest:
        """Give a new one its number; its ref is the caller's to make. Without a base it is a discussion."""
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
            add_event(connection, repository, pull.num, COMMENT, author, {"text": description})
        return pull

    def forget(self, repository: RepositoryId, num: int) -> None:
        """Remove one whose ref could not be made."""
        with self._state.write() as connection:
            connection.execute(delete(schema.pull_request).where(*_of(repository, num)))
            remove_events(connection, repository, num)

    def find(self, repository: RepositoryId, num: int) -> PullRequest:
        """Give one.

        Raises
        ------
        NotFoundError
            There is none of this number.
        """
        with self._state.read() as connection:
            return _find(connection, repository, num)

    def all_of(self, repository: RepositoryId) -> list[PullRequest]:
        """Give all of a repository, newest first."""
        with self._state.read() as connection:
            rows = connection.execute(
                select(schema.pull_request).where(*_of(repository)).order_by(_COLUMNS.num.desc())
            )
            return [_parse(row) for row in rows]

    def events(self, repository: RepositoryId, num: int) -> list[Event]:
        """Give what happened in one, in order."""
        with self._state.read() as connection:
            return read_events(connection, repository, num)

    def comment(self, repository: RepositoryId, num: int, author: str, text: str) -> Event:
        """Add a comment.

        Raises
        ------
        NotFoundError
            There is none of this number.
        """
        with self._state.write() as connection:
            _find(connection, repository, num)
            return add_event(connection, repository, num, COMMENT, author, {"text": text})

    def edit(self, repository: RepositoryId, event: Event, **data: Any) -> Event:
        """Change what a comment says, or hide it."""
        with self._state.write() as connection:
            return change_event(connection, repository, event, data)

    def set_title(self, repository: RepositoryId, num: int, author: str, title: str) -> Event:
        """Change the title.

        Raises
        ------
        NotFoundError
            There is none of this number.
        """
        with self._state.write() as connection:
            before = _find(connection, repository, num)
            connection.execute(
                update(schema.pull_request).where(*_of(repository, num)).values(title=title.strip())
            )
            data = {"from": before.title, "to": title.strip()}
            return add_event(connection, repository, num, TITLE, author, data)

    def set_status(
        self, repository: RepositoryId, num: int, author: str, status: str, commit_id: str = ""
    ) -> Event:
        """Change the status of one that is not merged; of a merge, say by which commit.

        Raises
        ------
        NotFoundError
            There is none of this number.
        ConflictError
            It is merged.
        """
        with self._state.write() as connection:
            if _find(connection, repository, num).status == MERGED:
                raise ConflictError(
                    f"pull request {num} of {repository}",
                    expected="one that is not merged",
                    found="one that is",
                    action="Open another one.",
                )
            connection.execute(update(schema.pull_request).where(*_of(repository, num)).values(status=status))
            data = {"status": status, "commit": commit_id}
            return add_event(connection, repository, num, STATUS, author, data)


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
    is_number = ref.name.isascii() and ref.name.isdecimal() and len(ref.name) < 10
    if not can_propose(identity, repository) or not is_number:
        return False
    try:
        pull = hub.pulls.find(repository, int(ref.name))
    except NotFoundError:
        return False
    return pull.author.casefold() == (identity.user or "").casefold() and pull.status in (DRAFT, OPEN)
