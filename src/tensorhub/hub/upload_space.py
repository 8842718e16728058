"""Upload space: how much of the disk uploads in progress may take, in all and for each user.

Duty: the sums and the refusal. Not its duty: the files themselves.
Invariants: space is charged before a byte is written and given back when the file is gone; a user at the limit
does not stop others.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from tensorhub.errors import OutOfSpaceError, from_os_error

# What uploads leave free: the store itself needs room to commit what is uploaded.
RESERVE_NBYTES = 1 << 30
_MIN_CHARGE = (
    64 << 10
)  # of a file however small: what it takes besides its bytes, and against millions of them
_USER_SHARE = 0.5  # of what is free, where no limit is set: one user cannot fill the disk alone


class UploadSpace:
    """Space taken by uploads, by file: keys are paths.

    Parameters
    ----------
    folder
        Where uploads lie.
    max_nbytes, max_user_nbytes
        Limits in all and for each user; None for what the disk has, and half of that.
    """

    def __init__(
        self, folder: Path, max_nbytes: int | None = None, max_user_nbytes: int | None = None
    ) -> None:
        self._folder = folder
        self._max_nbytes = max_nbytes
        self._max_user_nbytes = max_user_nbytes
        self._lock = threading.Lock()
        self._charges: dict[str, tuple[str, int]] = {}
        self._by_user: dict[str, int] = {}
        self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes charged in all."""
        return self._nbytes

    def of_user(self, user: str) -> int:
        """Bytes charged to a user."""
        with self._lock:
            return self._by_user.get(user, 0)

    def charge(self, key: str, user: str, nbytes: int) -> None:
        """Take space for a file; one that is charged already keeps its charge, or is charged for what it grows by.

        Raises
        ------
        OutOfSpaceError
            A limit is reached, or the disk is nearly full.
        """
        nbytes = max(nbytes, _MIN_CHARGE)
        free = self._free()
        with self._lock:
            if key in self._charges:
                nbytes -= self._charges[key][1]
                if nbytes <= 0:
                    return
            held = self._by_user.get(user, 0)
            room = free + self._nbytes - RESERVE_NBYTES  # as if no upload were there
            limit = room if self._max_nbytes is None else min(room, self._max_nbytes)
            user_limit = int(limit * _USER_SHARE) if self._max_user_nbytes is None else self._max_user_nbytes
            if nbytes > free - RESERVE_NBYTES or self._nbytes + nbytes > limit:
                raise self._full("uploads of this hub", limit, self._nbytes, nbytes)
            if held + nbytes > user_limit:
                raise self._full(f"uploads of {user}", user_limit, held, nbytes)
            self._add(key, user, nbytes)

    def note(self, key: str, user: str, nbytes: int) -> None:
        """Charge a file that is there already, whatever the limits say."""
        nbytes = max(nbytes, _MIN_CHARGE)
        with self._lock:
            if key not in self._charges:
                self._add(key, user, nbytes)

    def release(self, key: str) -> None:
        """Give a file's space back; one that was not charged is none."""
        with self._lock:
            charge = self._charges.pop(key, None)
            if charge is not None:
                user, nbytes = charge
                self._nbytes -= nbytes
                self._by_user[user] -= nbytes
                if not self._by_user[user]:
                    del self._by_user[user]

    def move(self, key: str, new_key: str) -> None:
        """Charge a file under a new name, in the place of what was charged there."""
        self.release(new_key)
        with self._lock:
            if (charge := self._charges.pop(key, None)) is not None:
                self._charges[new_key] = charge

    def forget_missing(self, folder: Path) -> None:
        """Give back the space of files of a folder that somebody else removed, as gc does."""
        with self._lock:
            keys = [key for key in self._charges if Path(key).is_relative_to(folder)]
        for key in keys:
            if not Path(key).exists():
                self.release(key)

    def _add(self, key: str, user: str, nbytes: int) -> None:
        self._charges[key] = (user, nbytes + self._charges.get(key, (user, 0))[1])
        self._by_user[user] = self._by_user.get(user, 0) + nbytes
        self._nbytes += nbytes

    def _free(self) -> int:
        try:
            return shutil.disk_usage(self._folder).free
        except OSError as error:
            raise from_os_error(error, f"looking at the disk of {self._folder}") from error

    def _full(self, thing: str, limit: int, held: int, wanted: int) -> OutOfSpaceError:
        return OutOfSpaceError(
            thing,
            expected=f"at most {max(limit, 0)} bytes that wait for their commit",
            found=f"{held}, and {wanted} more",
            action="Commit what is uploaded, or wait: what no commit takes up is removed after a day.",
        )


def make_folder(folder: Path) -> None:
    """Make a folder below ``HUB/uploads``; gc removes those that were empty for long.

    Raises
    ------
    BackendError
        The disk is full, read-only, and the like.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"making {folder}") from error
