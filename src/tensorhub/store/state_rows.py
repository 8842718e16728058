"""Rows that prove themselves: those that say who may do what.

Duty: join a checksum to a row as it goes into the state, check it on the way out; values made of such rows, and made
anew when one has changed. Not its duty: what rows mean.
Invariants: SQLite has no checksums of its own, and one flipped bit makes an administrator; a row whose ``seal`` does
not fit is damage. Columns without a value are left out, so that a column may be added later; those marked
``is_unsealed`` are not covered. Every change of such a row leaves another mark, so that the many other changes of the
state make nothing anew.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, select
from sqlalchemy.dialects.sqlite import insert

from tensorhub.errors import CorruptStateError
from tensorhub.store.hashing import checksum
from tensorhub.store.state import Change, State, read_setting, write_setting
from tensorhub.store.state_file import ASK_BACKUP

_MASK = (1 << 63) - 1  # what fits into an integer of SQLite
_MARK = "mark_"  # and a table's name; random, not a number: a restored backup must not lead back to one that was seen
Value = TypeVar("Value")


def put_row(connection: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Write a row, in the place of the one with its key if there is one."""
    sealed = {**values, "seal": _seal(table, values)}
    row = insert(table).values(sealed)
    keys = [column.name for column in table.primary_key]
    connection.execute(
        row.on_conflict_do_update(
            index_elements=keys, set_={name: sealed[name] for name in sealed if name not in keys}
        )
    )
    _mark(connection, table)


def delete_rows(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    """Remove rows; gives how many there were."""
    count = connection.execute(delete(table).where(*conditions)).rowcount
    if count:
        _mark(connection, table)
    return count


def read_rows(
    connection: Connection, table: Table, *conditions: ColumnElement[bool], order: str | None = None
) -> list[Row[Any]]:
    """Read rows and check each.

    Raises
    ------
    CorruptStateError
        One is not what was written.
    """
    query = select(table).where(*conditions).order_by(*([table.c[order]] if order else table.primary_key))
    rows = list(connection.execute(query))
    for row in rows:
        check_row(table, row)
    return rows


def check_row(table: Table, row: Row[Any]) -> None:
    """Make sure that a row is the one that was written.

    Raises
    ------
    CorruptStateError
        It is not.
    """
    if row.seal != _seal(table, row._asdict()):
        key = ", ".join(str(row._mapping[column.name]) for column in table.primary_key)
        raise CorruptStateError(
            f"row {key!r} of table {table.name} in the state",
            expected="the row that was written",
            found="another one",
            action=ASK_BACKUP,
        )


def _mark(connection: Connection, table: Table) -> None:
    write_setting(connection, f"{_MARK}{table.name}", secrets.token_hex(8))


def _seal(table: Table, values: Mapping[str, Any]) -> int:
    covered: list[Any] = [table.name]
    for column in table.columns:
        value = values.get(column.name)
        if column.name != "seal" and value is not None and not column.info.get("is_unsealed", False):
            covered.append([column.name, value.hex() if isinstance(value, bytes) else value])
    return checksum(json.dumps(covered, ensure_ascii=True).encode("ascii")) & _MASK


class Watched(Generic[Value]):
    """A value made of such rows, made anew only after one of them has changed; safe for many threads.

    Parameters
    ----------
    state
        Where the rows lie.
    make
        Makes the value inside one read transaction; the value is shared and must not be changed.
    table, tables
        What it is made of: a change of another one makes nothing anew.

    Notes
    -----
    A change by any process is seen by the next :meth:`get`, which takes microseconds without one.
    """

    def __init__(
        self, state: State, make: Callable[[Connection], Value], table: Table, *tables: Table
    ) -> None:
        self._state = state
        self._make = make
        self._lock = threading.Lock()
        self._change: Change | None = None
        self._keys = [f"{_MARK}{item.name}" for item in (table, *tables)]
        self._marks: list[str | None] = []
        self._made: list[Value] = []

    def get(self) -> Value:
        """Give the value as it is now."""
        change = self._state.change()  # before reading: what is committed in between is read again next time
        with self._lock:
            if change != self._change:
                with self._state.read() as connection:
                    marks = [read_setting(connection, key) for key in self._keys]
                    if marks != self._marks or not self._made:
                        self._made = [self._make(connection)]
                        self._marks = marks
                self._change = change
            return self._made[0]
