"""The state's SQLite file: connections, version and tables, damage.

Duty: one open file, and the empty one that is read where there is none. Not its duty: making or copying it
(``state_copy``); any question about users or repositories.
Invariants: a file that is there is complete: an empty one, or one that lost a table, is damaged. Damage is never
reported as an absence: the small tables that decide who may do what are checked whole when the file is opened.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, event, insert, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateTable

from tensorhub.errors import CorruptStateError, TensorHubError, UnsupportedVersionError
from tensorhub.store import state_schema as schema
from tensorhub.store.sqlite_failures import read_reason, translate_failure

BUSY_TIMEOUT_S = 30  # writers wait for each other; a transaction takes milliseconds
# Checked whole on opening: a row that an index does not find would be taken for "nothing was decided".
_CHECKED = ("meta", "setting", "user", "membership", "token", "repository", "rename")
_ON_READONLY = "Run as the owner of the store, or check the modes of the folder and of state.sqlite."
ASK_BACKUP = (
    "The state cannot be rebuilt. Stop the hub, move state.sqlite, state.sqlite-wal and state.sqlite-shm away, "
    "and run `tensorhub state restore FILE` with a copy made by `tensorhub state backup`."
)


def _begin(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


@cache
def _draw_tables() -> tuple[str, ...]:
    dialect = sqlite.dialect()
    return tuple(str(CreateTable(table).compile(dialect=dialect)) for table in schema.metadata.sorted_tables)


def _connect_empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    for statement in _draw_tables():
        connection.execute(statement)
    connection.execute("PRAGMA query_only=ON")
    return connection


class EmptyState:
    """What a reader sees where no file is: every table, without rows."""

    def __init__(self) -> None:
        self._engine = create_engine(
            "sqlite://", creator=_connect_empty, poolclass=QueuePool, max_overflow=-1
        )
        event.listen(self._engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction on nothing."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def version(self) -> int:
        """Give the number of the last change: none was made."""
        return 0

    def close(self) -> None:
        """Give the memory back."""
        self._engine.dispose()


class StateFile:
    """One open state file.

    Parameters
    ----------
    path
        The SQLite file; it exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine("sqlite://", creator=self.connect, poolclass=QueuePool, max_overflow=-1)
        event.listen(self._engine, "begin", _begin)
        self._watching = threading.Lock()
        self._watch: sqlite3.Connection | None = None
        try:
            with self._translated():
                self._watch = self.connect()
                self._open()
        except BaseException:
            self.close()
            raise

    def connect(self) -> sqlite3.Connection:
        """Open a connection of one's own; what cannot be written is opened for reading."""
        place = f"file:{quote(str(self.path))}"
        if os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK):
            pragmas = [
                f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
                "journal_mode=WAL",
                "synchronous=FULL",  # what an operator decided must outlive a power cut right after
                "foreign_keys=ON",
            ]
            place += "?mode=rw"
        else:
            has_news = self.path.with_name(self.path.name + "-wal").exists()
            pragmas = [f"busy_timeout={BUSY_TIMEOUT_S * 1000}"]
            place += "?mode=ro" if has_news else "?mode=ro&immutable=1"
        connection = sqlite3.connect(
            place, uri=True, check_same_thread=False, isolation_level=None, timeout=BUSY_TIMEOUT_S
        )
        try:
            for pragma in (*pragmas, "cache_size=-8192", "temp_store=MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self) -> None:
        with self._engine.connect() as connection:
            connection.begin()
            there = set(
                connection.execute(text("SELECT name FROM sqlite_master WHERE type='table'")).scalars()
            )
            if "meta" not in there:
                raise self.corrupt("a complete state", "a file without its tables")
            facts = {row.key: row.value for row in connection.execute(select(schema.meta))}
            check_facts(self.path, facts, there)
            for name in _CHECKED:
                if name in there:
                    self._check(connection, f"PRAGMA integrity_check({name})")
        wanted = set(schema.metadata.tables)
        if not wanted <= there:
            self._add_tables(set(str(facts["tables"]).split()) | wanted)

    def _add_tables(self, names: set[str]) -> None:
        """Give a file that an older program made the tables that came later."""
        with self.write() as connection:
            schema.metadata.create_all(connection)
            connection.execute(
                update(schema.meta).where(schema.meta.c.key == "tables"), {"value": " ".join(sorted(names))}
            )

    def _check(self, connection: Connection, pragma: str) -> None:
        found = connection.exec_driver_sql(pragma).scalar()
        if found != "ok":
            raise self.corrupt("a sound SQLite file", str(found))

    def check_whole(self) -> None:
        """Read every page, and compare each index with its table."""
        with self.read() as connection:
            self._check(connection, "PRAGMA integrity_check(1)")

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()
        with self._watching:
            if self._watch is not None:
                self._watch.close()
            self._watch = None

    def version(self) -> int:
        """Give a number that is another one after every commit, by whichever process; -1 once closed."""
        with self._translated(), self._watching:
            if self._watch is None:
                return -1
            return int(self._watch.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction."""
        with (
            self._translated(),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction; commits at the end, rolls back on an error."""
        with (
            self._translated(),
            self._engine.connect().execution_options(is_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TensorHubError, ProgrammingError, IntegrityError):
            raise  # the latter two are bugs in a statement: an unknown column, two rows with one key
        except (DatabaseError, sqlite3.Error) as error:
            failure = translate_failure(error, self.path, what="state", on_readonly=_ON_READONLY)
            raise failure or self.corrupt("a readable SQLite file", read_reason(error)) from error
        except UnicodeDecodeError as error:  # SQLite quotes damaged names in its messages
            raise self.corrupt("names in UTF-8", str(error)) from error

    def corrupt(self, expected: str, found: str) -> CorruptStateError:
        """Make the error that names this file."""
        return corrupt_state(self.path, expected, found)


def corrupt_state(path: Path, expected: str, found: str) -> CorruptStateError:
    """Make the error that names a state file."""
    return CorruptStateError(
        f"state {path}", expected=expected, found=found, path=str(path), action=ASK_BACKUP
    )


def check_facts(path: Path, facts: dict[str, str], there: set[str]) -> None:
    """Compare what a file says of itself, the rows of ``meta``, with its tables.

    Raises
    ------
    CorruptStateError
        A table is lost, or it says nothing.
    UnsupportedVersionError
        A newer version wrote it.
    """
    version = facts.get("version", "")
    if not version.isdigit() or "tables" not in facts:
        raise corrupt_state(path, "a version and a list of tables", str(facts))
    if int(version) > schema.STATE_VERSION:
        raise UnsupportedVersionError(
            f"state {path}",
            expected=f"version {schema.STATE_VERSION} or older",
            found=version,
            path=str(path),
            action="Upgrade TensorHub.",
        )
    for name in facts["tables"].split():
        if name not in there:
            raise corrupt_state(path, f"a table {name}", "none")


def fill_new(connection: Connection) -> None:
    """Write the schema into an empty file."""
    schema.metadata.create_all(connection)
    tables = " ".join(sorted(schema.metadata.tables))
    rows = [{"key": "version", "value": str(schema.STATE_VERSION)}, {"key": "tables", "value": tables}]
    connection.execute(insert(schema.meta), rows)
