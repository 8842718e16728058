"""What happens in discussions and pull requests: comments, new titles, new statuses.

Duty: rows of ``discussion_event`` in the state, inside transactions of the caller. Not its duty: commits, which history
tells, or who may do what.
Invariants: events keep their order and their ids; their number in one discussion is bounded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from tensorhub.errors import LimitExceededError
from tensorhub.schema.names import RepositoryId
from tensorhub.store import state_schema as schema

COMMENT, STATUS, TITLE = "comment", "status-change", "title-change"
MAX_EVENTS = 10_000  # in one discussion; a page that shows them is read whole
MAX_NBYTES = 4 << 20  # of all that is said in one discussion, for the same reason
_COLUMNS = schema.discussion_event.c


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    num, ordinal
        In which discussion, as which of its events.
    kind
        ``comment``, ``status-change`` or ``title-change``.
    author
        Name of who did it.
    at_ms
        Milliseconds since 1970 UTC.
    data
        What it says.
    """

    num: int
    ordinal: int
    kind: str
    author: str
    at_ms: int
    data: Mapping[str, Any]

    @property
    def event_id(self) -> str:
        """Its id, 24 hexadecimal digits."""
        return f"{self.num:012x}{self.ordinal:012x}"


def _of(repository: RepositoryId, num: int) -> tuple[Any, ...]:
    return (
        _COLUMNS.repo_type == repository.key[0],
        _COLUMNS.repo_key == repository.key[1],
        _COLUMNS.num == num,
    )


def add_event(
    connection: Connection,
    repository: RepositoryId,
    num: int,
    kind: str,
    author: str,
    data: Mapping[str, Any],
) -> Event:
    """Add one at the end.

    Raises
    ------
    LimitExceededError
        The discussion has too many, or too much is said in it.
    """
    text = json.dumps(dict(data))
    _check_room(connection, repository, num, len(text))
    last = connection.execute(select(func.max(_COLUMNS.ordinal)).where(*_of(repository, num))).scalar()
    ordinal = 0 if last is None else last + 1
    if ordinal >= MAX_EVENTS:
        raise LimitExceededError(
            f"discussion {num} of {repository}",
            expected=f"at most {MAX_EVENTS} events",
            found="more",
            action="Open another one.",
        )
    event = Event(num, ordinal, kind, author, time.time_ns() // 1_000_000, dict(data))
    connection.execute(
        insert(schema.discussion_event).values(
            repo_type=repository.key[0],
            repo_key=repository.key[1],
            num=num,
            ordinal=ordinal,
            kind=kind,
            author=author,
            at_ms=event.at_ms,
            data=text,
        )
    )
    return event


def _check_room(connection: Connection, repository: RepositoryId, num: int, more: int) -> None:
    query = select(func.coalesce(func.sum(func.length(_COLUMNS.data)), 0)).where(*_of(repository, num))
    if more > 0 and connection.execute(query).scalar_one() + more > MAX_NBYTES:
        raise LimitExceededError(
            f"discussion {num} of {repository}",
            expected=f"at most {MAX_NBYTES} bytes of text",
            found="more",
            action="Open another one.",
        )


def read_events(connection: Connection, repository: RepositoryId, num: int) -> list[Event]:
    """Give all of a discussion, in order."""
    query = select(schema.discussion_event).where(*_of(repository, num)).order_by(_COLUMNS.ordinal)
    return [
        Event(row.num, row.ordinal, row.kind, row.author, row.at_ms, json.loads(row.data))
        for row in connection.execute(query)
    ]


def change_event(
    connection: Connection, repository: RepositoryId, event: Event, data: Mapping[str, Any]
) -> Event:
    """Change what one says.

    Raises
    ------
    LimitExceededError
        Too much is said in the discussion.
    """
    changed = {**event.data, **data}
    text = json.dumps(changed)
    _check_room(connection, repository, event.num, len(text) - len(json.dumps(event.data)))
    connection.execute(
        update(schema.discussion_event)
        .where(*_of(repository, event.num), _COLUMNS.ordinal == event.ordinal)
        .values(data=text)
    )
    return Event(event.num, event.ordinal, event.kind, event.author, event.at_ms, changed)


def remove_events(connection: Connection, repository: RepositoryId, num: int) -> None:
    """Remove all of a discussion."""
    connection.execute(delete(schema.discussion_event).where(*_of(repository, num)))
