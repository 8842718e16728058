"""The audit log: who did or tried what, and when.

Duty: record, read, and drop what is old. Not its duty: deciding what is worth a record.
Invariants: a record is durable when :meth:`AuditLog.record` returns; texts are cut to a length, so that no request can
fill the disk with one row; rows older than a year go, and so do the oldest when there are too many.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from sqlalchemy import delete, func, insert, select

from tensorhub.hub.values import AuditEntry
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State

KEPT_S = 365 * 24 * 3600.0  # a year: what auditors usually ask for
KEPT_ROWS = 1_000_000  # some 200 MB
_CLEAN_EVERY = 1000  # records; dropping by an index takes less than a millisecond then
_MAX_TEXT = 1000  # characters


class AuditLog:
    """The audit log of one hub; safe for many threads.

    Parameters
    ----------
    state
        Where it lies.
    now_s
        The clock, in seconds since 1970 UTC.
    kept_s, kept_rows
        How long a record is kept, and how many at most.
    """

    def __init__(
        self,
        state: State,
        now_s: Callable[[], float] = time.time,
        *,
        kept_s: float = KEPT_S,
        kept_rows: int = KEPT_ROWS,
    ) -> None:
        self._state = state
        self._now_s = now_s
        self._kept_s = kept_s
        self._kept_rows = kept_rows
        self._lock = threading.Lock()
        self._until_clean = 0

    def record(
        self, action: str, subject: str, *, user: str | None = None, detail: str = "", address: str = ""
    ) -> None:
        """Write down that something was done or tried.

        Parameters
        ----------
        action
            What, as ``room.verb``: ``repository.delete``, ``token.create``, ``access.refused``.
        subject
            With what: a repository, a user, a token's id.
        user
            Who; None for somebody unknown.
        detail
            More, for people. Never a secret.
        address
            Where the request came from.
        """
        now_ms = int(self._now_s() * 1000)
        with self._lock:
            self._until_clean -= 1
            is_clean_due = self._until_clean < 0
            if is_clean_due:
                self._until_clean = _CLEAN_EVERY
        row = {"user": user, "action": action, "subject": subject, "detail": detail, "address": address}
        cut = {key: None if text is None else _cut(text) for key, text in row.items()}
        with self._state.write() as connection:
            connection.execute(insert(schema.audit).values(at_ms=now_ms, **cut))
            if is_clean_due:
                columns = schema.audit.c
                newest = connection.execute(select(func.max(columns.id))).scalar() or 0
                connection.execute(
                    delete(schema.audit).where(
                        (columns.at_ms < now_ms - int(self._kept_s * 1000))
                        | (columns.id <= newest - self._kept_rows)
                    )
                )

    def entries(self, limit: int = 100, *, user: str | None = None) -> list[AuditEntry]:
        """Give the newest records, newest first.

        Parameters
        ----------
        limit
            How many at most.
        user
            Only those of one user, however he is written.
        """
        columns = schema.audit.c
        query = select(schema.audit).order_by(columns.id.desc()).limit(max(0, limit))
        if user is not None:
            query = query.where(func.lower(columns.user) == user.lower())
        with self._state.read() as connection:
            return [
                AuditEntry(row.at_ms, row.user, row.action, row.subject, row.detail, row.address)
                for row in connection.execute(query)
            ]


def _cut(text: str) -> str:
    """Shorten a text, and make it one that SQLite takes."""
    sound = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return sound if len(sound) <= _MAX_TEXT else sound[: _MAX_TEXT - 1] + "…"
