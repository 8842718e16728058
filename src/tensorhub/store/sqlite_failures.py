"""SQLite's failures as errors of our tree.

Duty: tell a file that is busy, a disk that is full, broken or read-only from a file that is damaged. Not its duty:
what a damaged file means, which its owner says.
Invariants: what is not known to be one of the others is damage; nothing is ever taken for an absence.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from sqlalchemy.exc import OperationalError

from tensorhub.errors import (
    BackendError,
    BackendPermissionError,
    OutOfSpaceError,
    StoreLockedError,
    TensorHubError,
)

_FULL_NBYTES = 1 << 20  # SQLite says I/O error where its side files, some 64 KiB, do not fit any more


def read_reason(error: Exception) -> str:
    """Give SQLite's own words."""
    return str(getattr(error, "orig", error))


def translate_failure(error: Exception, path: Path, *, what: str, on_readonly: str) -> TensorHubError | None:
    """Translate a failure that is not damage.

    Parameters
    ----------
    error
        What SQLAlchemy or the driver raised.
    path
        The file.
    what
        What it is, for people: ``catalogue``.
    on_readonly
        What to do where it cannot be written.

    Returns
    -------
    TensorHubError or None
        None for damage.
    """
    if not isinstance(error, OperationalError | sqlite3.OperationalError):
        return None
    found, name = read_reason(error), f"{what} {path}"
    if "locked" in found or "busy" in found:
        return StoreLockedError(
            name,
            expected=f"a free {what}",
            found=found,
            path=str(path),
            action="Another process is writing; try again.",
        )
    code = getattr(getattr(error, "orig", error), "sqlite_errorname", "")
    is_io = code.startswith("SQLITE_IOERR") and code != "SQLITE_IOERR_SHORT_READ"
    if "full" in found or (is_io and shutil.disk_usage(path.parent).free < _FULL_NBYTES):
        return OutOfSpaceError(
            name,
            expected="free space",
            found=found,
            path=str(path),
            action="Free some space and run the same command again.",
        )
    if is_io:
        return BackendError(
            name,
            expected="a disk that answers",
            found=f"{found} ({code})",
            path=str(path),
            action="Check the disk, then try again.",
        )
    is_writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    if ("readonly" in found or "unable to open" in found) and not is_writable:
        return BackendPermissionError(
            name, expected=f"a writable {what}", found=found, path=str(path), action=on_readonly
        )
    return None
