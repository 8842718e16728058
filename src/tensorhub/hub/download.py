"""One file on its way from another hub: on disk, growing, checked at its end, readable meanwhile.

Duty: fetch a file's bytes, going on where a connection broke off; compare its digest; give bytes that came already.
Not its duty: which file (``fetching``), or answering clients (``arriving``).
Invariants: before the digest was compared, the last byte is given to nobody, so that no client takes a wrong file for
complete; a wrong file is deleted; one process at a time writes a file. Safe for many threads.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import httpx

from tensorhub.errors import (
    BackendUnavailableError,
    StoppedError,
    TensorHubError,
    WrongContentError,
    from_os_error,
)
from tensorhub.formats.source import read_exactly
from tensorhub.hub.upload_space import make_folder
from tensorhub.hub.upstream import UpstreamFile

_PIECE_NBYTES = 1 << 20
_TRIES = 5  # without a byte of progress between them
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.5, 30.0

OpenAt = Callable[[int], AbstractContextManager[httpx.Response]]


class Download:
    """One file being fetched; also its byte source once it is complete.

    Parameters
    ----------
    file
        What is expected.
    folder
        Where it lies meanwhile: under a name made from its digest, so that a later try goes on with it.

    Attributes
    ----------
    name, nbytes
        Path and size.
    received_nbytes
        On disk now.
    sha256
        Of the whole content, once it is complete.
    error
        Why it failed, if it did.
    """

    def __init__(self, file: UpstreamFile, folder: Path) -> None:
        self.file = file
        self.name = file.path
        self.nbytes = file.nbytes
        self.received_nbytes = 0
        self.sha256: bytes | None = None
        self.error: TensorHubError | None = None
        self.is_started = False
        self._folder = folder
        self._path: Path | None = None
        self._descriptor = -1
        self._lock = threading.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether all of it is here and its digest was compared."""
        return self.sha256 is not None

    def start(self) -> bool:
        """Claim the work of fetching it; False where somebody did already."""
        with self._lock:
            was_started, self.is_started = self.is_started, True
        return not was_started

    @property
    def readable_nbytes(self) -> int:
        """How much may be given to clients: all but the last byte until the digest was compared."""
        return self.nbytes if self.is_complete else max(0, min(self.received_nbytes, self.nbytes - 1))

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``; what did not come yet is an error."""
        read_exactly(self._descriptor, self.name, offset, out)

    # -- fetching -----------------------------------------------------------------------------------------------

    def run(
        self,
        open_at: OpenAt,
        *,
        should_stop: Callable[[], bool] = lambda: False,
        advance: Callable[[int], object] = lambda _: None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Fetch it; an outcome other than success is kept as ``error``, and not raised.

        Parameters
        ----------
        open_at
            Opens the other hub's bytes from an offset.
        should_stop
            Asked at each piece.
        advance
            Told bytes that came.
        sleep
            Waits so many seconds between tries.
        """
        try:
            self._open()
            digests = _Digests(self.file)
            self._resume(digests, advance)
            self._fetch(digests, open_at, should_stop, advance, sleep)
            self.sha256 = self._check(digests)
        except TensorHubError as error:
            self.error = error
        except OSError as error:
            self.error = from_os_error(error, f"keeping {self.name}")
        if self.error is not None and self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # for who tries next

    def discard(self) -> None:
        """Remove the file; readers that have it go on."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink()

    def _open(self) -> None:
        make_folder(self._folder)
        digest = self.file.sha256 or self.file.git_sha1 or b""
        path = self._folder / f"{digest.hex()}-{self.nbytes}.part"
        for candidate in (path, path.with_name(f"{path.stem}-{uuid.uuid4().hex[:8]}.part")):
            descriptor = os.open(candidate, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process, or another repository, is fetching the same content
                os.close(descriptor)
                continue
            self._path, self._descriptor = candidate, descriptor
            weakref.finalize(self, os.close, descriptor)
            return
        raise BackendUnavailableError(
            f"file {self.name}", expected="a place to keep it meanwhile", found="none", action="Try again."
        )

    def _resume(self, digests: _Digests, advance: Callable[[int], object]) -> None:
        """Take what an earlier try left."""
        left = os.fstat(self._descriptor).st_size
        if left > self.nbytes:
            os.ftruncate(self._descriptor, 0)
            left = 0
        while self.received_nbytes < left:
            piece = os.pread(self._descriptor, _PIECE_NBYTES, self.received_nbytes)
            if not piece:
                break
            digests.update(piece)
            self.received_nbytes += len(piece)
            advance(len(piece))

    def _fetch(
        self,
        digests: _Digests,
        open_at: OpenAt,
        should_stop: Callable[[], bool],
        advance: Callable[[int], object],
        sleep: Callable[[float], object],
    ) -> None:
        left, pause_s = _TRIES, _FIRST_PAUSE_S
        while self.received_nbytes < self.nbytes:
            before = self.received_nbytes
            try:
                self._read_once(digests, open_at, should_stop, advance)
            except StoppedError:
                raise
            except BackendUnavailableError:
                if self.received_nbytes > before:
                    left, pause_s = _TRIES, _FIRST_PAUSE_S
                left -= 1
                if not left:
                    raise
                sleep(pause_s)
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)

    def _read_once(
        self,
        digests: _Digests,
        open_at: OpenAt,
        should_stop: Callable[[], bool],
        advance: Callable[[int], object],
    ) -> None:
        begin = self.received_nbytes
        with open_at(begin) as response:
            if response.status_code == 416:
                raise self._wrong(f"{self.nbytes} bytes", f"a file that ends before {begin}")
            skip = begin if response.status_code == 200 else 0  # no ranges there
            for piece in response.iter_bytes():  # as they come: somebody may be waiting for them
                if should_stop():
                    raise StoppedError(f"file {self.name}", found="a stop", action="Run it again.")
                fresh = piece[skip:]
                skip -= len(piece) - len(fresh)
                if self.received_nbytes + len(fresh) > self.nbytes:
                    raise self._wrong(f"{self.nbytes} bytes", "more")
                self._append(fresh)
                digests.update(fresh)
                self.received_nbytes += len(fresh)
                advance(len(fresh))
        if self.received_nbytes < self.nbytes:
            raise BackendUnavailableError(
                f"file {self.name} of the other hub",
                expected=f"{self.nbytes} bytes",
                found=f"{self.received_nbytes}, then the end",
                action="Try again.",
            )

    def _append(self, piece: bytes) -> None:
        view, at = memoryview(piece), self.received_nbytes
        while view:
            done = os.pwrite(self._descriptor, view, at)
            view, at = view[done:], at + done

    def _check(self, digests: _Digests) -> bytes:
        if self.file.sha256 is not None:
            expected, found = self.file.sha256, digests.sha256
        else:
            expected, found = self.file.git_sha1 or b"", digests.git_sha1
        if expected != found:
            raise self._wrong(f"digest {expected.hex()}", found.hex())
        return digests.sha256

    def _wrong(self, expected: str, found: str) -> WrongContentError:
        self.discard()
        return WrongContentError(
            f"file {self.name} of the other hub",
            expected=expected,
            found=found,
            path=self.name,
            action="Nothing of it was kept. Ask whoever runs that hub.",
        )


class _Digests:
    """SHA-256, and git's id where that is what is known of a file."""

    def __init__(self, file: UpstreamFile) -> None:
        self._sha256 = hashlib.sha256()
        self._git = None
        if file.sha256 is None:
            self._git = hashlib.sha1(b"blob %d\0" % file.nbytes, usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        self._sha256.update(piece)
        if self._git is not None:
            self._git.update(piece)

    @property
    def sha256(self) -> bytes:
        return self._sha256.digest()

    @property
    def git_sha1(self) -> bytes:
        return self._git.digest() if self._git is not None else b""
