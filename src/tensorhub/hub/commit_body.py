"""The body of a commit request, read as it comes: newline-delimited JSON with files as base64 in it.

Duty: cut the stream into lines, move what files hold into a spool while it is decoded and hashed, parse the rest.
Not its duty: what an operation means (``commit_operations``), or limits of the whole body (``request``).
Invariants: memory is bounded by ``MAX_LINE_NBYTES``, the spool's share and ``MAX_OPERATIONS`` small values, however
long a file or the body is; a file's digests are those of the bytes in the spool.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from tensorhub.errors import InvalidRequestError
from tensorhub.hub.commit_operations import (
    CommitRequest,
    Header,
    Operation,
    PutFile,
    parse_commit_path,
    parse_header,
    parse_operation,
)
from tensorhub.hub.revision_view import LFS_NBYTES
from tensorhub.hub.spool import Spool

MAX_LINE_NBYTES = (
    1 << 20
)  # of a line without its file's content: a path of 4 KiB and a message of 64 KiB fit well
# The Hugging Face hub advises against more than some hundreds; uploads of folders send up to 1000 at a time.
MAX_OPERATIONS = 20_000
_CONTENT = re.compile(rb'"content"[ \t]{0,8}:[ \t]{0,8}"')
_OVERLAP = 32  # longer than what ``_CONTENT`` can match, so that a border between pieces hides nothing
_BLOCK_NBYTES = 1 << 20


class _Content:
    """The base64 text of one file, decoded into a spool piece by piece."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._offset = spool.nbytes
        self._sha256 = hashlib.sha256()
        self._rest = b""
        self._is_padded = False

    def write(self, text: bytes) -> None:
        """Take the next characters, as they stand in the JSON string."""
        text = self._rest + text
        kept = b""
        if b"\\" in text:
            if text.endswith(b"\\"):
                text, kept = text[:-1], b"\\"
            text = text.replace(b"\\/", b"/")
        whole = len(text) // 4 * 4
        self._rest = text[whole:] + kept
        if whole:
            self._decode(text[:whole])

    def _decode(self, text: bytes) -> None:
        if self._is_padded:
            raise _refuse("base64 that ends at its padding", "more after it")
        try:
            data = binascii.a2b_base64(text, strict_mode=True)
        except binascii.Error as error:
            raise _refuse("content as base64", str(error)) from error
        self._is_padded = text.endswith(b"=")
        self._sha256.update(data)
        self._spool.write(data)

    def finish(self) -> Callable[[str], PutFile]:
        """End it; gives what makes the operation once its path is known."""
        if self._rest:
            raise _refuse("base64 in groups of four characters", f"{len(self._rest)} at the end")
        offset, nbytes = self._offset, self._spool.nbytes - self._offset
        git_sha1 = self._git_sha1(nbytes) if nbytes <= LFS_NBYTES else None
        sha256 = self._sha256.digest()
        return lambda path: PutFile(path, self._spool.source(path, offset, nbytes), sha256, git_sha1)

    def _git_sha1(self, nbytes: int) -> bytes:
        """Git's blob id begins with the length, so that it can be computed at the end only."""
        hasher = hashlib.sha1(b"blob %d\0" % nbytes, usedforsecurity=False)
        block = memoryview(bytearray(min(nbytes, _BLOCK_NBYTES)))
        for at in range(0, nbytes, _BLOCK_NBYTES):
            view = block[: min(_BLOCK_NBYTES, nbytes - at)]
            self._spool.read_into(self._offset + at, view)
            hasher.update(view)
        return hasher.digest()


class CommitBody:
    """A commit request while it is received. Feed it pieces in order, from one thread at a time, then finish it.

    Parameters
    ----------
    spool
        Where content goes; it must stay open until the commit was made.
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._line = bytearray()  # of the present line what is not content
        self._content: _Content | None = None
        self._file: Callable[[str], PutFile] | None = None
        self._header: Header | None = None
        self._operations: list[Operation] = []

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body.

        Raises
        ------
        InvalidRequestError, InvalidPathError
            A line has no meaning.
        OutOfSpaceError
            The disk is full.
        """
        at = 0
        while at < len(data):
            at = self._take_text(data, at) if self._content is None else self._take_content(data, at)

    def _take_content(self, data: bytes, at: int) -> int:
        content = self._content
        end = data.find(b'"', at)
        stop = len(data) if end < 0 else end
        if content is not None:
            content.write(data[at:stop])
            if end >= 0:
                self._file, self._content = content.finish(), None
        return stop

    def _take_text(self, data: bytes, at: int) -> int:
        newline = data.find(b"\n", at)
        stop = len(data) if newline < 0 else newline
        before = len(self._line)
        self._line += data[at:stop]
        if self._file is None:
            found = _CONTENT.search(self._line, max(0, before - _OVERLAP))
            if found is not None:
                end = found.end()
                del found  # a match holds its bytearray, which cannot be cut then
                del self._line[end:]
                self._check_length()
                self._content = _Content(self._spool)
                return at + end - before
        self._check_length()
        if newline < 0:
            return stop
        self._finish_line()
        return newline + 1

    def _check_length(self) -> None:
        if len(self._line) > MAX_LINE_NBYTES:
            raise _refuse(f"lines of at most {MAX_LINE_NBYTES} bytes beside the content", "a longer one")

    def finish(self) -> CommitRequest:
        """End it.

        Raises
        ------
        InvalidRequestError
            It ended inside a line, or has no header.
        """
        if self._content is not None:
            raise _refuse("the end of a file's content", "the end of the body")
        self._finish_line()
        if self._header is None:
            raise _refuse("a line with the key `header`", "none")
        return CommitRequest(self._header, tuple(self._operations))

    def _finish_line(self) -> None:
        line, self._line = bytes(self._line).strip(), bytearray()
        file, self._file = self._file, None
        if not line:
            return
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _refuse("lines of JSON", str(error)[:200]) from error
        key, value = (item.get("key"), item.get("value")) if isinstance(item, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(value, dict):
            raise _refuse("objects with `key` and `value`", type(item).__name__)
        if key == "header":
            if self._header is not None:
                raise _refuse("one header", "two")
            self._header = parse_header(value)
            return
        if len(self._operations) >= MAX_OPERATIONS:
            raise _refuse(f"at most {MAX_OPERATIONS} operations in a commit", "more")
        self._operations.append(_parse_file(value, file) if key == "file" else parse_operation(key, value))


def _parse_file(value: dict[str, Any], file: Callable[[str], PutFile] | None) -> PutFile:
    if file is None or value.get("content") != "" or value.get("encoding", "base64") != "base64":
        raise _refuse("a file with its content as base64", "none, or another encoding")
    return file(parse_commit_path(value.get("path")))


def _refuse(expected: str, found: str) -> InvalidRequestError:
    return InvalidRequestError(
        "commit request", expected=expected, found=found, action="Send what clients send."
    )
