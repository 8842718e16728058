"""What was decided about repositories: who reads them, who made them, what they were called before.

Duty: rows of ``repository`` and ``rename`` in the state. Not its duty: refs and content (the store); who may decide
(``access``).
Invariants: ids are compared without case and kept as written; a chain of renames ends, and a name that was taken
again no longer leads elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from tensorhub.hub.access import Gate, RepositoryRow, Visibility
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State
from tensorhub.store.state_rows import Watched, check_row, delete_rows, put_row, read_rows

Key = tuple[str, str]


class Repositories:
    """Rows about repositories, by :attr:`RepositoryId.key`; safe for many threads.

    Parameters
    ----------
    state
        Where they lie.
    now_s
        The clock, in seconds since 1970 UTC.
    """

    def __init__(self, state: State, now_s: Callable[[], float] = time.time) -> None:
        self._state = state
        self._now_s = now_s
        self._watched = Watched(state, self._load, schema.repository, schema.rename)
        self._parsed: dict[Row[Any], RepositoryRow] = {}  # of the last time: few rows of many change at once

    def _load(self, connection: Connection) -> tuple[Mapping[Key, RepositoryRow], Mapping[Key, RepositoryId]]:
        before, parsed, rows = self._parsed, {}, {}
        for row in connection.execute(select(schema.repository)):  # its key comes first
            known = before.get(row)
            if known is None:
                check_row(schema.repository, row)
                known = _parse(row)
            parsed[row] = rows[row[0], row[1]] = known
        self._parsed = parsed
        renames = {
            (row.repo_type, row.old_key): RepositoryId(RepoType(row.repo_type), row.new_id)
            for row in read_rows(connection, schema.rename)
        }
        return MappingProxyType({row.repository.key: row for row in parsed.values()}), MappingProxyType(
            renames
        )

    def rows(self) -> Mapping[Key, RepositoryRow]:
        """Give every row, by key."""
        return self._watched.get()[0]

    def row(self, repository: RepositoryId) -> RepositoryRow | None:
        """Give what was decided about a repository; None for nothing."""
        return self._watched.get()[0].get(repository.key)

    def follow(self, repository: RepositoryId) -> RepositoryId | None:
        """Give what a repository of this name is called now; None where it was not renamed."""
        renames = self._watched.get()[1]
        found, seen = renames.get(repository.key), {repository.key}
        while found is not None and found.key not in seen and found.key in renames:
            seen.add(found.key)
            found = renames[found.key]
        return found

    def put(
        self,
        repository: RepositoryId,
        *,
        visibility: Visibility | None = None,
        gate: Gate | None = None,
        owner: str | None = None,
        sdk: str | None = None,
    ) -> RepositoryRow:
        """Make or change a row; what is None stays as it was, or private, open and without owner where nothing was.

        A name that led to another repository no longer does.
        """
        with self._state.write() as connection:
            before = _find(connection, repository)
            row = RepositoryRow(
                before.repository if before else repository,
                visibility or (before.visibility if before else Visibility.PRIVATE),
                gate or (before.gate if before else Gate.NO),
                owner.casefold() if owner is not None else (before.owner if before else None),
                before.created_at_ms if before else int(self._now_s() * 1000),
                sdk or (before.sdk if before else None),
            )
            _put(connection, row)
            _delete_rename(connection, repository)
        return row

    def forget(self, repository: RepositoryId) -> None:
        """Remove what was decided about a repository that is no more, with the names that led to it."""
        with self._state.write() as connection:
            _delete(connection, repository)
            for row in read_rows(connection, schema.rename, schema.rename.c.repo_type == repository.key[0]):
                if row.new_id.casefold() == repository.key[1]:
                    _delete_rename(connection, RepositoryId(repository.repo_type, row.old_key))
            for table in (schema.pull_request, schema.discussion_event):
                connection.execute(
                    delete(table).where(
                        table.c.repo_type == repository.key[0], table.c.repo_key == repository.key[1]
                    )
                )

    def lead(self, name: RepositoryId, repository: RepositoryId) -> None:
        """Let a name that nothing here has lead to a repository, about which nothing else changes."""
        with self._state.write() as connection:
            put_row(
                connection,
                schema.rename,
                {"repo_type": name.key[0], "old_key": name.key[1], "new_id": repository.repo_id},
            )

    def rename(self, old: RepositoryId, new: RepositoryId) -> None:
        """Take over what was decided under another name, and let the old one lead to the new one."""
        with self._state.write() as connection:
            before = _find(connection, old)
            _delete(connection, old)
            _delete(connection, new)  # of a repository that is no more: nobody decided that for this one
            if before is not None:
                _put(
                    connection,
                    RepositoryRow(
                        new, before.visibility, before.gate, before.owner, before.created_at_ms, before.sdk
                    ),
                )
            for table in (schema.pull_request, schema.discussion_event):
                if old.key != new.key:  # of a repository that is no more
                    connection.execute(
                        delete(table).where(table.c.repo_type == new.key[0], table.c.repo_key == new.key[1])
                    )
                connection.execute(
                    update(table)
                    .where(table.c.repo_type == old.key[0], table.c.repo_key == old.key[1])
                    .values(repo_key=new.key[1])
                )
            _delete_rename(connection, new)
            if old.key != new.key:  # else only its spelling changed
                put_row(
                    connection,
                    schema.rename,
                    {"repo_type": old.key[0], "old_key": old.key[1], "new_id": new.repo_id},
                )


def _parse(row: Row[Any]) -> RepositoryRow:
    return RepositoryRow(
        RepositoryId(RepoType(row.repo_type), row.repo_id),
        Visibility(row.visibility),
        Gate(row.gated),
        row.owner,
        row.created_at_ms,
        row.sdk,
    )


def _find(connection: Connection, repository: RepositoryId) -> RepositoryRow | None:
    columns = schema.repository.c
    repo_type, repo_key = repository.key
    rows = read_rows(
        connection, schema.repository, columns.repo_type == repo_type, columns.repo_key == repo_key
    )
    return _parse(rows[0]) if rows else None


def _put(connection: Connection, row: RepositoryRow) -> None:
    repo_type, repo_key = row.repository.key
    put_row(
        connection,
        schema.repository,
        {
            "repo_type": repo_type,
            "repo_key": repo_key,
            "repo_id": row.repository.repo_id,
            "visibility": row.visibility.value,
            "gated": row.gate.value,
            "owner": row.owner,
            "created_at_ms": row.created_at_ms,
            "sdk": row.sdk,
        },
    )


def _delete(connection: Connection, repository: RepositoryId) -> None:
    columns = schema.repository.c
    repo_type, repo_key = repository.key
    delete_rows(connection, schema.repository, columns.repo_type == repo_type, columns.repo_key == repo_key)


def _delete_rename(connection: Connection, repository: RepositoryId) -> None:
    columns = schema.rename.c
    repo_type, repo_key = repository.key
    delete_rows(connection, schema.rename, columns.repo_type == repo_type, columns.old_key == repo_key)
