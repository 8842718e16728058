"""The catalogue's SQLite file: open, transactions, damage.

Duty: connections, the schema's version, SQLite's failures as errors of our tree. Not its duty: any question
(``catalog``).
Invariants: a damaged file is reported as damage, never as an absence. Safe for several processes and threads.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, insert, select, text
from sqlalchemy.exc import DatabaseError, NoResultFound, ProgrammingError

from tensorhub.errors import (
    CorruptIndexError,
    FormatError,
    StoreLockedError,
    TensorHubError,
    UnsupportedVersionError,
)
from tensorhub.store import catalog_schema as schema
from tensorhub.store.sqlite_failures import read_reason, translate_failure

_BUSY_TIMEOUT_S = 30  # writers wait for each other; a pack is indexed in well under a second


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={_BUSY_TIMEOUT_S * 1000}",
        "cache_size=-8192",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("is_point", False):
        return
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


class CatalogFile:
    """One open catalogue file.

    Parameters
    ----------
    path
        The SQLite file; made when missing.

    Attributes
    ----------
    is_new
        Whether it is not complete yet: made by this call, or by a process that died before it was filled.
    has_news
        Whether opening indexed packs that other catalogues, or writers that crashed, had left to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_news = False
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"check_same_thread": False}, max_overflow=-1
        )
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._is_whole = False  # known to be: by a full check since this was opened
        self._idle: list[Connection] = []  # lent one at a time; as many as threads ever asked at once
        self._watching = threading.Lock()
        self._watch: Connection | None = None  # of its own: the number below counts the commits of others
        self._openings = 0
        self.index_news: Callable[[], bool] = lambda: False
        with self._translated():
            self._open()
        self._identity = self._file_identity()

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def change(self) -> int:
        """Give a number that is another one after any change of the catalogue, by whichever process.

        Takes microseconds: what was read under an equal number is still so.
        """
        with self._translated(), self._watching:
            if self._watch is None:
                self._watch = self._engine.connect().execution_options(
                    is_point=True, isolation_level="AUTOCOMMIT"
                )
                self._openings += 1
            raw = self._watch.connection.dbapi_connection
            version = int(raw.execute("PRAGMA data_version").fetchone()[0]) if raw else 0
            return (self._openings << 32) + version

    def catch_up(self) -> bool:
        """Take notice of what changed on disk behind this catalogue's back.

        A file that was built anew is opened in the place of the old one, and packs that it does not know are
        indexed (``index_news``, set by ``sync``).

        Returns
        -------
        bool
            Whether there was anything; a look-up that found nothing is worth a second try then.
        """
        identity = self._file_identity()
        is_replaced = identity is not None and identity != self._identity
        if is_replaced:
            self.close()
            self._is_whole = False
            self._identity = identity
        return self.index_news() or is_replaced

    def _open(self) -> None:
        with self._engine.connect() as connection:
            has_meta = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'meta'")).first()
            version = (
                connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "version")).scalar()
                if has_meta
                else None
            )
            marks = (
                connection.execute(
                    select(schema.meta.c.value).where(schema.meta.c.key == "complete")
                ).scalar()
                if has_meta
                else None
            )
        self.is_new = marks is None
        if version is None:
            with self.write() as connection:
                schema.metadata.create_all(connection)
                connection.execute(
                    insert(schema.meta).prefix_with("OR IGNORE"),
                    {"key": "version", "value": str(schema.CATALOG_VERSION)},
                )
        elif version != str(schema.CATALOG_VERSION):
            raise UnsupportedVersionError(
                f"catalogue {self.path}",
                expected=f"version {schema.CATALOG_VERSION}",
                found=version,
                path=str(self.path),
                action="Run `tensorhub verify --rebuild-catalog` with this version.",
            )

    def mark_complete(self) -> None:
        """Say that everything on disk at the time of its making is in it."""
        with self.write() as connection:
            connection.execute(
                insert(schema.meta).prefix_with("OR IGNORE"), {"key": "complete", "value": "1"}
            )
        self.is_new = False

    def close(self) -> None:
        """Give the file back."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
            self._watch = None
        while self._idle:
            self._idle.pop().close()
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TensorHubError, ProgrammingError):
            raise  # a ProgrammingError is a bug in a statement, not damage
        except (DatabaseError, sqlite3.Error) as error:
            raise self._translate(error) from error
        except UnicodeDecodeError as error:  # SQLite quotes damaged names in its messages
            raise self.corrupt("names in UTF-8", str(error)) from error

    def _translate(self, error: Exception) -> TensorHubError:
        failure = translate_failure(
            error,
            self.path,
            what="catalogue",
            on_readonly="Check the folder's mode, or set TENSORHUB_CATALOG_DIR to a writable folder.",
        )
        return failure or self.corrupt("a readable SQLite file", read_reason(error))

    def corrupt(self, expected: str, found: str) -> CorruptIndexError:
        """Make the error that names this catalogue."""
        return CorruptIndexError(
            f"catalogue {self.path}",
            expected=expected,
            found=found,
            path=str(self.path),
            action="Run `tensorhub verify --rebuild-catalog`; packs and refs are the truth, nothing is lost.",
        )

    def check_whole(self) -> None:
        """Before saying that something is missing, make sure, once, that the catalogue itself is sound."""
        if self._is_whole:
            return
        with self.read() as connection:
            found = connection.execute(text("PRAGMA integrity_check(1)")).scalar()
        if found != "ok":
            raise self.corrupt("a sound SQLite file", str(found))
        self._is_whole = True

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
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: every answer inside comes from one moment."""
        with (
            self._translated(),
            self._rows_checked(),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    def ask(self, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Answer a look-up of a few rows that is asked for every tensor; each is a moment of its own.

        It goes to the driver itself: SQLAlchemy's part of such a statement takes ten times what SQLite's does.
        """
        with self._translated(), self._rows_checked():
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._engine.connect().execution_options(
                    is_point=True, isolation_level="AUTOCOMMIT"
                )
            try:
                raw = connection.connection.dbapi_connection
                found: list[tuple[Any, ...]] = raw.execute(statement, parameters).fetchall() if raw else []
            except BaseException:
                connection.close()
                raise
            self._idle.append(connection)
            return found

    @contextmanager
    def _rows_checked(self) -> Iterator[None]:
        """Damaged rows hold values of another type or length: say that, and not what they broke."""
        try:
            yield
        except FormatError as error:
            raise self.corrupt("rows that parse", str(error)) from error
        except TensorHubError:
            raise
        except (TypeError, ValueError, OverflowError, NoResultFound) as error:
            raise self.corrupt("rows of their types", f"{type(error).__name__}: {error}") from error

    def compact(self) -> None:
        """Give free pages of the file back to the disk, unless someone else is using it just now."""
        with (
            suppress(StoreLockedError),
            self._translated(),
            self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT", is_point=True
            ) as connection,
        ):
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
