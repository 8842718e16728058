"""Retention: file records that stay in the store for a while though no ref reaches them.

Duty: say which, for whom and how long; the epoch that tells clients when what they remember is void. Not its duty:
what is asked of retained files (the hub's Xet endpoints), or removing anything (``gc``).
Invariants: kept in the state, under the store lock, so that gc sees a file retained or the caller is told that it is
gone; a time is only ever moved later. An epoch that was left never comes back. Without a state nothing is retained.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from tensorhub.schema.digest import Digest
from tensorhub.store.leases import store_lock
from tensorhub.store.state import read_setting, write_setting
from tensorhub.store.state_schema import retained

if TYPE_CHECKING:
    from tensorhub.store.store import Store

_EPOCH, _MOVED_AT = "retention_epoch", "retention_epoch_moved_at_ms"
_FIRST_EPOCH = "0"
_BATCH = 500  # SQLite's oldest limit on variables in one statement is 999


def retain(store: Store, files: Iterable[Digest], *, holder: str, until_ms: int) -> set[Digest]:
    """Keep files from gc until a time.

    Parameters
    ----------
    store
        Where.
    files
        Digests of file records, as a rule just published.
    holder
        What for; one name for each use, so that each keeps its own times.
    until_ms
        Milliseconds since 1970 UTC; an earlier one than is there already changes nothing.

    Returns
    -------
    set of Digest
        Those that the store has; the others were never there, or gc took them.
    """
    with store_lock(store.layout):
        present = set(store.snapshots.file_sizes(list(files)))
        _write(store, [(file, holder) for file in sorted(present)], until_ms)
    return present


def touch(store: Store, files: Iterable[Digest], *, now_ms: int, until_ms: int) -> set[Digest]:
    """Keep files that are retained now until a later time, for whoever holds them.

    Returns
    -------
    set of Digest
        Those that are retained; of the others, gc may have taken what they are made of.
    """
    values = [digest.value for digest in files]
    with store_lock(store.layout):
        found: list[tuple[Digest, str]] = []
        with store.state.read() as connection:
            for start in range(0, len(values), _BATCH):
                query = select(retained.c.file, retained.c.holder).where(
                    retained.c.file.in_(values[start : start + _BATCH]), retained.c.expires_at_ms > now_ms
                )
                found += [(Digest(row[0]), row[1]) for row in connection.execute(query)]
        _write(store, found, until_ms)
    return {file for file, _ in found}


def _write(store: Store, rows: list[tuple[Digest, str]], until_ms: int) -> None:
    if not rows:
        return
    statement = insert(retained)
    statement = statement.on_conflict_do_update(
        index_elements=["file", "holder"],
        set_={"expires_at_ms": func.max(retained.c.expires_at_ms, statement.excluded.expires_at_ms)},
    )
    with store.state.write() as connection:
        connection.execute(
            statement,
            [{"file": file.value, "holder": holder, "expires_at_ms": until_ms} for file, holder in rows],
        )


def retained_files(store: Store, now_ms: int) -> set[Digest]:
    """Give the file records that are retained at a time."""
    query = select(retained.c.file).where(retained.c.expires_at_ms > now_ms).distinct()
    with store.state.read() as connection:
        return {Digest(row[0]) for row in connection.execute(query)}


def forget_expired(store: Store, now_ms: int) -> None:
    """Drop rows whose time is over."""
    if store.state.is_made:
        with store.state.write() as connection:
            connection.execute(delete(retained).where(retained.c.expires_at_ms <= now_ms))


def forget_retained(store: Store, *, now_ms: int) -> str:
    """Retain nothing any more, and begin a new epoch; gives it.

    Where nothing was ever decided there is nothing to forget, and the first epoch goes on.
    """
    if not store.state.is_made:
        return _FIRST_EPOCH
    with store_lock(store.layout):  # no file is retained between the two
        epoch = move_epoch(store, now_ms=now_ms)
        with store.state.write() as connection:
            connection.execute(delete(retained))
    return epoch


def retention_epoch(store: Store) -> str:
    """Give the present epoch, up to 16 letters and digits: part of the address under which clients remember uploads."""
    with store.state.read() as connection:
        return read_setting(connection, _EPOCH) or _FIRST_EPOCH


def move_epoch(store: Store, *, now_ms: int, min_age_ms: int = 0) -> str:
    """Begin a new epoch, so that clients forget what they remember of this store; gives the epoch that counts now.

    Parameters
    ----------
    store, now_ms
        Whose, and when.
    min_age_ms
        Leave an epoch that is younger than this as it is.
    """
    with store.state.write() as connection:
        present = read_setting(connection, _EPOCH) or _FIRST_EPOCH
        moved_at = read_setting(connection, _MOVED_AT)
        if moved_at is not None and moved_at.isdigit() and now_ms - int(moved_at) < min_age_ms:
            return present
        epoch = secrets.token_hex(4)  # not a counter: a state put back from a backup must not count again
        write_setting(connection, _EPOCH, epoch)
        write_setting(connection, _MOVED_AT, str(now_ms))
    return epoch
