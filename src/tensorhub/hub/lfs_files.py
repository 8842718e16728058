"""Uploaded LFS files: whole or in parts, until a commit takes them up.

Duty: receive, check against the SHA-256 that names a file, keep under that name. Not its duty: who uploaded what
(``uploads``), links and signatures (the LFS endpoints), or what a commit does with the file.
Invariants: a file lies under its name only after its length and SHA-256 were checked; what an earlier process
received is checked again before it is used, since nothing is forced to disk here: the commit does that.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from tensorhub.errors import InvalidRecordError, NotFoundError, UploadNotFoundError, from_os_error
from tensorhub.formats.source import FileSource
from tensorhub.hub.upload_space import UploadSpace, make_folder

_BLOCK_NBYTES = 1 << 20  # read at once while a file is hashed


class LfsWriter:
    """One body being received: a file, or a part of one. Use from one thread at a time; finish or abandon it.

    Made by :class:`LfsFiles`.
    """

    def __init__(self, path: Path, offset: int, nbytes: int, hasher: hashlib._Hash | blake3) -> None:
        self.path = path
        self._thing = "part of an upload" if offset else "upload"
        self._end = offset + nbytes
        self._at = offset
        self._hasher = hasher
        make_folder(path.parent)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise from_os_error(error, f"receiving {path.name}") from error

    def write(self, data: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises
        ------
        InvalidRecordError
            More came than was announced.
        BackendError
            The disk is full, and the like.
        """
        view = memoryview(data)
        if self._at + len(view) > self._end:
            raise self._wrong_length(f"{self._at + len(view) - self._end} bytes more")
        self._hasher.update(view)
        try:
            while view:
                written = os.pwrite(self._descriptor, view, self._at)
                self._at += written
                view = view[written:]
        except OSError as error:
            raise from_os_error(error, f"receiving {self.path.name}") from error

    def close(self) -> bytes:
        """End it, and give the digest of what came.

        Raises
        ------
        InvalidRecordError
            Less came than was announced.
        """
        self._close()
        if self._at != self._end:
            raise self._wrong_length(f"{self._end - self._at} bytes less")
        return self._hasher.digest()

    def abandon(self) -> None:
        """End it without a result; the file is left to the caller."""
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _wrong_length(self, found: str) -> InvalidRecordError:
        return InvalidRecordError(
            self._thing,
            expected="as many bytes as were announced",
            found=found,
            action="Upload it again.",
        )


class LfsFiles:
    """The folder of uploaded LFS files.

    Parameters
    ----------
    folder
        ``HUB/uploads``.
    space
        What uploads may take.
    """

    def __init__(self, folder: Path, space: UploadSpace) -> None:
        self._files = folder / "lfs"
        self._parts = folder / "parts"
        self._temporary = folder / "tmp"
        self._space = space
        self._checked: set[bytes] = set()

    def path(self, sha256: bytes) -> Path:
        """Where a file lies."""
        return self._files / sha256.hex()

    def begin(self, nbytes: int, user: str) -> LfsWriter:
        """Receive a whole file.

        Raises
        ------
        OutOfSpaceError
            There is no room for it.
        """
        path = self._temporary / secrets.token_hex(12)
        self._space.charge(str(path), user, nbytes)
        try:
            return LfsWriter(path, 0, nbytes, hashlib.sha256())
        except BaseException:
            self._space.release(str(path))
            raise

    def finish(self, writer: LfsWriter, sha256: bytes) -> None:
        """Take a file that was received whole; what is not what it was said to be is removed.

        Raises
        ------
        InvalidRecordError
            It has another length or SHA-256.
        """
        try:
            found = writer.close()
            if found != sha256:
                raise _wrong_digest(sha256, found)
        except BaseException:
            self.drop(writer)
            raise
        self._take(writer.path, sha256)

    def drop(self, writer: LfsWriter) -> None:
        """Give up a file that was being received whole."""
        writer.abandon()
        self._remove(writer.path)

    def begin_part(self, sha256: bytes, nbytes: int, user: str, offset: int, part_nbytes: int) -> LfsWriter:
        """Receive a part of a file, at any time and in any order; sent again, it replaces what came before.

        Raises
        ------
        InvalidRecordError
            The part does not lie inside the file.
        OutOfSpaceError
            There is no room for the file.
        """
        if not 0 <= offset <= offset + part_nbytes <= nbytes:
            raise InvalidRecordError(
                "part of an upload",
                expected=f"a range of {nbytes} bytes",
                found=f"{part_nbytes} bytes at {offset}",
                action="Upload the parts that the answer of the batch request lists.",
            )
        path = self._part_path(sha256, user)
        self._space.charge(str(path), user, nbytes)
        return LfsWriter(path, offset, part_nbytes, blake3())

    def join_parts(self, sha256: bytes, nbytes: int, user: str) -> None:
        """Take a file whose parts are all there; one that is not what it was said to be is removed.

        Raises
        ------
        UploadNotFoundError
            No part of it came.
        InvalidRecordError
            It has another length or SHA-256.
        """
        path = self._part_path(sha256, user)
        if not path.exists():
            raise UploadNotFoundError(
                f"parts of the upload {sha256.hex()}",
                expected="at least one",
                found="none",
                action="Upload the file again.",
            )
        try:
            found = _hash_file(path, nbytes)
            if found != sha256:
                raise _wrong_digest(sha256, found)
        except BaseException:
            self._remove(path)
            raise
        self._take(path, sha256)

    def open(self, sha256: bytes) -> FileSource | None:
        """Open a file; None where it is not there, or was damaged since it came."""
        path = self.path(sha256)
        try:
            source = FileSource(path)
        except NotFoundError:
            return None
        if sha256 not in self._checked:
            if _hash_file(path, source.nbytes) != sha256:
                source.close()
                self.remove(sha256)
                return None
            self._checked.add(sha256)
        return source

    def remove(self, sha256: bytes) -> None:
        """Remove a file; readers that have it open keep it until they close it."""
        self._checked.discard(sha256)
        self._remove(self.path(sha256))

    def _take(self, path: Path, sha256: bytes) -> None:
        make_folder(self._files)
        try:
            path.replace(self.path(sha256))
        except OSError as error:
            self._remove(path)
            raise from_os_error(error, f"keeping the upload {sha256.hex()}") from error
        self._space.move(str(path), str(self.path(sha256)))
        self._checked.add(sha256)

    def _remove(self, path: Path) -> None:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        self._space.release(str(path))

    def _part_path(self, sha256: bytes, user: str) -> Path:
        owner = hashlib.blake2b(user.encode(), digest_size=8).hexdigest()
        return self._parts / f"{sha256.hex()}.{owner}"


def _hash_file(path: Path, nbytes: int) -> bytes:
    """Give the SHA-256 of a file of this length; of another one, nothing."""
    hasher = hashlib.sha256()
    with FileSource(path) as source:
        if source.nbytes != nbytes:
            return b""
        block = bytearray(min(_BLOCK_NBYTES, nbytes))
        for at in range(0, nbytes, _BLOCK_NBYTES):
            view = memoryview(block)[: min(_BLOCK_NBYTES, nbytes - at)]
            source.read_into(at, view)
            hasher.update(view)
    return hasher.digest()


def _wrong_digest(expected: bytes, found: bytes) -> InvalidRecordError:
    return InvalidRecordError(
        "upload",
        expected=f"content with the SHA-256 {expected.hex()}",
        found=found.hex() or "another length",
        action="The content was damaged on its way, or changed while it was read; upload it again.",
    )
