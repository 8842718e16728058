"""The state's file as a whole: made, copied, put back.

Duty: a first file, a backup, restoring one. Not its duty: transactions (``state``).
Invariants: a state appears under its name complete, by a link, after it was filled and made durable; a copy appears
after it was read back whole. Files are readable by their owner only: they hold the secret that signs URLs.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from tensorhub.errors import AlreadyExistsError, NotFoundError, TensorHubError, from_os_error
from tensorhub.store.layout import fsync_folder
from tensorhub.store.sqlite_failures import read_reason, translate_failure
from tensorhub.store.state_file import StateFile, check_facts, corrupt_state, fill_new

_MODE = 0o600
_ABANDONED_S = 60.0  # making or copying the file takes milliseconds: an older one was left by a crash
_ON_READONLY = "Check the owner and mode of the folder, and whether it is mounted read-only."


def check_none(path: Path) -> None:
    """Make sure that a missing file was never there.

    Raises
    ------
    CorruptStateError
        Its side files are: somebody removed the file alone.
    """
    for suffix in ("-wal", "-shm"):
        side = path.with_name(path.name + suffix)
        if side.exists() and not path.exists():  # another process may have made it just now
            raise corrupt_state(path, "the state beside its side files", f"{side.name} alone")


def make_state_file(path: Path) -> None:
    """Make the first, empty state; another process may do so at the same time.

    Raises
    ------
    BackendError
        The folder cannot be written.
    """
    check_none(path)
    with _unfinished(path) as temporary, _translated(path):
        with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
            with engine.begin() as filling:
                fill_new(filling)
        _publish(temporary, path)


def copy_state(path: Path, destination: Path) -> None:
    """Copy a state that others use meanwhile to a new file, and read the copy back.

    Raises
    ------
    AlreadyExistsError
        There is something at the destination.
    CorruptStateError
        The state is damaged.
    BackendError
        The copy cannot be written.
    """
    if destination.exists():
        raise _exists(destination)
    with _unfinished(destination) as temporary:
        source = StateFile(path)
        try:
            with (
                _translated(path),
                closing(source.connect()) as reading,
                closing(sqlite3.connect(temporary, isolation_level=None)) as writing,
            ):
                reading.backup(writing)
                writing.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the original has beside it
        finally:
            source.close()
        _check_copy(temporary, path)
        if not _publish(temporary, destination):
            raise _exists(destination)


def fill_state(path: Path, source: Path) -> None:
    """Replace the content of a state by that of a copy, in one transaction.

    Raises
    ------
    NotFoundError
        There is no such copy.
    CorruptStateError
        The copy or the state is damaged.
    """
    if not source.is_file():
        raise NotFoundError(
            f"copy of the state {source}",
            expected="a file that `tensorhub state backup` wrote",
            found="none",
            path=str(source),
            action="Check the path.",
        )
    _check_copy(source, source)
    target = StateFile(path)
    try:
        with (
            _translated(path),
            closing(_open_unchanging(source)) as reading,
            closing(target.connect()) as writing,
        ):
            reading.backup(writing)
    finally:
        target.close()
    StateFile(path).close()  # an older copy gets the tables that came later


def _open_unchanging(path: Path) -> sqlite3.Connection:
    place = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(place, uri=True, isolation_level=None)


def _check_copy(copy: Path, named: Path) -> None:
    """Read a copy whole, and see that it is a state that this program knows."""
    with _translated(named), closing(_open_unchanging(copy)) as connection:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise corrupt_state(named, "a sound SQLite file", str(found))
        has_meta = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        if not has_meta:
            raise corrupt_state(named, "a copy of a state", "a file without its tables")
        facts = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    check_facts(named, facts, there)


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Lend a file of the same folder that is removed at the end, and remove what crashes left of such."""
    try:
        for left in path.parent.glob(f".{path.name}.*.tmp*"):
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink(missing_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE))
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
    try:
        yield temporary
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> bool:
    """Make a file durable and give it its name, unless that is taken."""
    try:
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.hardlink_to(temporary)  # fails where the name is taken, as rename does not
        fsync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
    return True


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except TensorHubError:
        raise
    except (sqlite3.Error, DatabaseError) as error:
        failure = translate_failure(error, path, what="state", on_readonly=_ON_READONLY)
        raise failure or corrupt_state(path, "a readable SQLite file", read_reason(error)) from error


def _exists(destination: Path) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"file {destination}",
        expected="none yet",
        found="one",
        path=str(destination),
        action="Choose another name; a backup never replaces a file.",
    )
