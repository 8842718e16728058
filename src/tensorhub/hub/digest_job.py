"""The background job that computes the SHA-256 of files that were added by other means than the hub.

Duty: notice files without one, have them computed, tell how far it is. Not its duty: computing and keeping
(``store.file_facts``).
Invariants: one thread; it stops within a piece when told; what was computed is kept. A file that cannot be read is
tried again only after the catalogue changed, and holds no other up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tensorhub.errors import TensorHubError
from tensorhub.schema.digest import Digest
from tensorhub.store.file_facts import count_without_facts, files_without_facts, fill_file_facts
from tensorhub.store.progress import Quiet
from tensorhub.store.store import Store

_LOG = logging.getLogger("tensorhub.hub")
_POLL_S = 2.0  # how soon after a `tensorhub add` in another process the job notices
# What takes a few seconds without instructions for SHA-256 (0.2 to 0.4 GB/s).
_SOON_NBYTES = 1 << 30
_ROUND_FILES = 200  # then the newest commits are looked for again: they come first


@dataclass(slots=True)
class DigestProgress:
    """How far the job is.

    Attributes
    ----------
    files, nbytes
        Without a SHA-256, when the present work began.
    done_nbytes
        Digested since then.
    failed_files
        That cannot be read.
    """

    files: int = 0
    nbytes: int = 0
    done_nbytes: int = 0
    failed_files: int = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return self.done_nbytes >= self.nbytes and not self.files

    def describe(self) -> str:
        """Say it in words."""
        if self.is_idle:
            return "digests that are about to be computed"
        share = 100 * self.done_nbytes // max(self.nbytes, 1)
        return f"{share} % of {self.nbytes / 1e9:.2f} GB in {self.files} files done"


class _Counter(Quiet):
    """Adds the bytes up, and logs what the operator should know."""

    def __init__(self, progress: DigestProgress) -> None:
        self._progress = progress

    def advance(self, nbytes: int) -> None:
        """Count bytes done."""
        self._progress.done_nbytes += nbytes

    def notice(self, text: str) -> None:
        """Log it."""
        _LOG.warning("computing SHA-256: %s", text)


class DigestJob:
    """The thread that has them computed.

    Parameters
    ----------
    store
        Whose files.
    when_done
        Called, in the job's thread, after each round that computed something.

    Attributes
    ----------
    progress
        How far it is.
    """

    def __init__(self, store: Store, when_done: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._when_done = when_done
        self.progress = DigestProgress()
        self._failed: set[Digest] = set()
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="hub-digests", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for the end."""
        self._is_stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def ends_soon(self) -> bool:
        """Say whether it is worth waiting for."""
        left = self.progress.nbytes - self.progress.done_nbytes
        return self._thread is not None and not self._is_stopping.is_set() and left < _SOON_NBYTES

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def _run(self) -> None:
        seen: object = None
        while not self._is_stopping.is_set():
            try:
                self._store.catalog.catch_up()
                present = self._fingerprint()
                if present != seen:
                    seen = present
                    self._failed.clear()
                    self._work()
            except TensorHubError as error:
                _LOG.warning("computing SHA-256: %s", error)
            self._wake.wait(_POLL_S)
            self._wake.clear()

    def _fingerprint(self) -> object:
        """Tell one state of the catalogue from another, at the cost of two look-ups in the file system."""
        found = []
        for suffix in ("", "-wal"):
            try:
                status = self._store.catalog.path.with_name(self._store.catalog.path.name + suffix).stat()
                found.append((status.st_mtime_ns, status.st_size))
            except FileNotFoundError:
                found.append((0, 0))
        return found

    def _work(self) -> None:
        """Compute what is missing now, the newest commits first."""
        files, nbytes = count_without_facts(self._store)
        self.progress = DigestProgress(files, nbytes)
        while not self._is_stopping.is_set():
            missing = files_without_facts(self._store, limit=_ROUND_FILES + len(self._failed))
            missing = [item for item in missing if item.file not in self._failed]
            if not missing:
                break
            done = fill_file_facts(
                self._store,
                missing,
                progress=_Counter(self.progress),
                should_stop=self._is_stopping.is_set,
                workers=1,
            )
            self._failed.update(done.failures)
            self.progress.files = max(0, self.progress.files - done.files)
            self._when_done()
        if not self._is_stopping.is_set():
            self.progress = DigestProgress(failed_files=len(self._failed))
