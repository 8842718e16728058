"""Leases and the store lock: who is writing now.

Duty: a lease per writer, so that what a crash left can be told from work in progress; one short exclusive
lock for publishing a ref and for gc's last step. Not its duty: what is done under them.
Invariants: a lease is alive exactly as long as its process holds the advisory lock on its file; the
system drops that lock when the process dies.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorhub.errors import StoreLockedError, from_os_error
from tensorhub.store.layout import Layout

LOCK_TIMEOUT_S = 60.0  # publishing takes milliseconds; a minute means that something hangs
_POLL_S = 0.02


class Lease:
    """A writer's sign that it is alive. Use as a context manager or call :meth:`release`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.lease_id = secrets.token_hex(8)
        self._path = layout.leases / f"{self.lease_id}.lease"
        self._packs = 0
        self._descriptor = -1
        facts = {"pid": os.getpid(), "host": socket.gethostname(), "started_at_ns": time.time_ns()}
        try:
            layout.leases.mkdir(exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            os.write(self._descriptor, json.dumps(facts).encode())
        except OSError as error:
            self.release()
            raise from_os_error(error, f"taking a writer's lease in {layout.root}") from error

    def temporary_pack(self) -> Path:
        """Name a new unsealed pack of this writer."""
        self._packs += 1
        return self._layout.temporary / f"{self.lease_id}-{self._packs}.tmp"

    def release(self) -> None:
        """Say that the work is over."""
        if self._descriptor >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def clean_dead_leases(layout: Layout) -> int:
    """Remove what crashed writers left: their leases and unsealed packs.

    Returns
    -------
    int
        Number of files removed.
    """
    removed = 0
    alive = set()
    # Listed before the leases: a writer that starts meanwhile then has a lease but no file in this list.
    unsealed = list(layout.temporary.iterdir()) if layout.temporary.is_dir() else []
    for path in layout.leases.glob("*.lease"):
        if _is_alive(path):
            alive.add(path.stem)
        else:
            path.unlink(missing_ok=True)
            removed += 1
    for path in unsealed:
        if path.name.split("-")[0] not in alive and path.exists():
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def oldest_lease_ns(layout: Layout) -> int | None:
    """When the longest-running live writer started, nanoseconds since 1970 UTC; None without writers."""
    starts: list[int] = []
    for path in layout.leases.glob("*.lease"):
        if not _is_alive(path):
            continue
        try:
            starts.append(int(json.loads(path.read_text())["started_at_ns"]))
        except (OSError, ValueError, KeyError, TypeError):
            starts.append(0)  # just being written, or unreadable: assume that it has been there for ever
    return min(starts, default=None)


def _is_alive(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        # A lease is locked right after it is made; one that is seconds old and unlocked may be in between.
        return time.time() - os.fstat(descriptor).st_mtime < 2.0 and os.fstat(descriptor).st_size == 0
    finally:
        os.close(descriptor)


@contextmanager
def store_lock(layout: Layout, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the store's exclusive lock for a short step.

    Raises
    ------
    StoreLockedError
        Another process held it for ``timeout_s`` seconds.
    """
    path = layout.leases / "lock"
    try:
        layout.leases.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise from_os_error(error, f"locking the store {layout.root}") from error
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise StoreLockedError(
                        f"store {layout.root}",
                        expected="the lock to be free",
                        found="held by another process",
                        path=str(path),
                        action="Try again; if it stays, look for a hanging tensorhub process.",
                    ) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
