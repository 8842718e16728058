"""Uploads: what a hub received and no commit took up yet, below ``HUB/uploads``.

Duty: remove what was left there. Not its duty: what the files mean (the hub's rooms put them there).
Invariants: only plain files older than a day go, by the time of their last change: whoever still needs one changes its
time. Nothing outside the folder is touched; links are removed, never followed.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from tensorhub.store.layout import Layout

# As long as sealed packs that nothing names stay: an upload that was cut off can be finished for a day.
UPLOAD_AGE_S = 86_400.0


def sweep_uploads(layout: Layout, *, now_s: float, is_dry_run: bool = False) -> tuple[int, int]:
    """Remove uploads that nobody finished.

    Parameters
    ----------
    layout
        The store's.
    now_s
        Seconds since 1970 UTC.
    is_dry_run
        Only count.

    Returns
    -------
    tuple of int
        Files removed, and their bytes on disk.
    """
    before_s = now_s - UPLOAD_AGE_S
    files = nbytes = 0
    for parent, folders, names in os.walk(layout.uploads, topdown=False):
        for name in [*names, *(item for item in folders if Path(parent, item).is_symlink())]:
            path = Path(parent, name)
            with suppress(FileNotFoundError):  # the hub has just taken it up
                status = path.lstat()
                if status.st_mtime >= before_s or stat.S_ISDIR(status.st_mode):
                    continue
                if not is_dry_run:
                    path.unlink()
                files += 1
                nbytes += status.st_size
        if not is_dry_run and Path(parent) != layout.uploads:
            _remove_if_empty(Path(parent), before_s)
    return files, nbytes


def _remove_if_empty(folder: Path, before_s: float) -> None:
    """Remove a folder that nobody is about to fill."""
    with suppress(OSError):  # not empty, as a rule
        if folder.stat().st_mtime < before_s:
            folder.rmdir()
