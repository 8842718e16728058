"""The state: ``HUB/state.sqlite``, what an operator decided.

Duty: transactions, changes seen at once, settings, backup and restoring one. Not its duty: the file's
connections and damage (``state_file``); what the tables mean.
Invariants: the state is the truth and is never made anew in the place of a damaged one. No file means that
nothing was decided: reading it gives no rows and makes no file, the first write does. Safe for several threads
and processes. Specified in ``docs/format.md``, section 2.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.sqlite import insert

from tensorhub.errors import InvariantError, NotFoundError, StoreLockedError, from_os_error
from tensorhub.store import state_schema as schema
from tensorhub.store.state_copy import check_none, copy_state, fill_state, make_state_file
from tensorhub.store.state_file import BUSY_TIMEOUT_S, EmptyState, StateFile

Change = tuple[int, int]


class State:
    """The state of one store. Opening it does no I/O; close it at the end.

    Parameters
    ----------
    path
        ``HUB/state.sqlite``, whether or not it exists.

    Notes
    -----
    A transaction sees one moment. A write transaction inside another one of the same thread is a bug, and is told
    as one; a read inside a write does not see what was not committed yet: use the writer's connection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()  # guards the three below
        self._opened: StateFile | EmptyState | None = None
        self._identity: tuple[int, int] | None = None
        self._openings = 0
        # SQLite lets waiting writers poll; those of one process rather wait in line.
        self._writing = threading.Lock()
        self._writer: int | None = None

    @property
    def is_made(self) -> bool:
        """Whether anything was ever decided."""
        return self.path.exists()

    def close(self) -> None:
        """Give the file back; a later use opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    def _open(self) -> tuple[StateFile | EmptyState, int]:
        """Give the file as it lies there now, which may be another one than a moment ago; and which one it is."""
        with self._lock:
            try:
                status = self.path.stat()
                identity = status.st_dev, status.st_ino
            except FileNotFoundError:
                check_none(self.path)
                identity = None
            except OSError as error:
                raise from_os_error(error, f"opening the state {self.path}") from error
            if self._opened is None or self._identity != identity:
                if self._opened is not None:
                    self._opened.close()
                    self._opened = None
                self._opened = EmptyState() if identity is None else StateFile(self.path)
                self._identity = identity
                self._openings += 1
            return self._opened, self._openings

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: every answer inside comes from one moment.

        Raises
        ------
        CorruptStateError
            The file is damaged.
        UnsupportedVersionError
            A newer version wrote it.
        """
        with self._open()[0].read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction; durable at its end, undone on an error. Makes the file where there is none.

        Raises
        ------
        StoreLockedError
            Another writer did not come to an end in time.
        CorruptStateError
            The file is damaged.
        BackendError
            The disk is full, read-only, and the like.
        """
        if self._writer == threading.get_ident():
            raise InvariantError(
                f"state {self.path}",
                expected="no write transaction inside another one",
                found="two",
                path=str(self.path),
                action="Please report this.",
            )
        if not self._writing.acquire(timeout=BUSY_TIMEOUT_S):
            raise StoreLockedError(
                f"state {self.path}",
                expected="a free state",
                found="another writer of this process",
                path=str(self.path),
                action="Try again.",
            )
        self._writer = threading.get_ident()
        try:
            if not self.path.exists():
                make_state_file(self.path)
            file, _ = self._open()
            if isinstance(file, EmptyState):
                raise NotFoundError(
                    f"state {self.path}",
                    expected="the file that was made just now",
                    found="none",
                    path=str(self.path),
                    action="Something removes it; find out what, then try again.",
                )
            with file.write() as connection:
                yield connection
        finally:
            self._writer = None
            self._writing.release()

    def change(self) -> Change:
        """Give a value that is another one after any change of the state, by whichever process.

        Takes microseconds: what was read under an equal value is still true.
        """
        file, opening = self._open()
        return opening, file.version()

    def check(self) -> None:
        """Read every page, and compare each index with its table.

        Raises
        ------
        CorruptStateError
            Something is damaged.
        """
        file, _ = self._open()
        if isinstance(file, StateFile):
            file.check_whole()

    def backup(self, destination: Path) -> None:
        """Write a sound copy of the whole state to a new file, while others go on using it.

        Raises
        ------
        AlreadyExistsError
            There is something at the destination.
        NotFoundError
            Nothing was ever decided: there is no state to copy.
        CorruptStateError
            The state is damaged; no copy is left behind.
        BackendError
            The copy cannot be written.
        """
        if not self.is_made:
            raise NotFoundError(
                f"state {self.path}",
                expected="a state to copy",
                found="none: no user, token or visibility was ever set",
                path=str(self.path),
                action="There is nothing to back up yet.",
            )
        copy_state(self.path, destination)

    def restore(self, source: Path) -> None:
        """Put a copy made by :meth:`backup` in the place of the present state, while others go on using it.

        Raises
        ------
        NotFoundError
            There is no such file.
        CorruptStateError
            The copy, or the present state, is damaged; nothing was changed.
        UnsupportedVersionError
            A newer version wrote the copy.
        """
        if not self.path.exists():
            make_state_file(self.path)
        fill_state(self.path, source)


def read_setting(connection: Connection, key: str) -> str | None:
    """Give a setting's value; None where it was never set."""
    column = schema.setting.c
    value = connection.execute(select(column.value).where(column.key == key)).scalar()
    return None if value is None else str(value)


def write_setting(connection: Connection, key: str, value: str | None) -> None:
    """Set a setting; None removes it."""
    if value is None:
        connection.execute(delete(schema.setting).where(schema.setting.c.key == key))
        return
    row = insert(schema.setting).values(key=key, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))
