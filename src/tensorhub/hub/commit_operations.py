"""What a commit request asks for, as values; parsed from lines of its body.

Duty: the frozen values, and the parsing of one line that is JSON. Not its duty: the stream (``commit_body``), or
doing it (``commits``).
Invariants: a path that is in a value was parsed; nothing else of a line is believed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from tensorhub.errors import (
    FormatError,
    InvalidNameError,
    InvalidPathError,
    InvalidRequestError,
)
from tensorhub.formats.source import ByteSource, MemorySource
from tensorhub.schema.names import parse_path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PARENT = re.compile(r"[0-9a-f]{5,40}")
_MAX_TEXT = 65_536  # characters of a title or description; a commit is read whole whenever history is walked
_MAX_LFS_NBYTES = 1 << 50  # larger than any disk; keeps hostile sizes out of the arithmetic


@dataclass(frozen=True, slots=True)
class Header:
    """What the commit says of itself.

    Attributes
    ----------
    summary, description
        Title and the rest of the message.
    parent
        Start of the commit id that the branch must have; None for any.
    """

    summary: str
    description: str = ""
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class PutFile:
    """A regular file whose content came with the request.

    Attributes
    ----------
    path
        Where to.
    source
        Its content.
    sha256, git_sha1
        Of the content; the second only where it is small enough for a regular file.
    """

    path: str
    source: ByteSource
    sha256: bytes
    git_sha1: bytes | None


@dataclass(frozen=True, slots=True)
class PutLfsFile:
    """A file that was uploaded before, or that the hub has anyway; ``nbytes`` None where the request does not say."""

    path: str
    sha256: bytes
    nbytes: int | None


@dataclass(frozen=True, slots=True)
class DeletePath:
    """A file or folder that goes; ``is_folder`` where only a folder is meant."""

    path: str
    is_folder: bool


@dataclass(frozen=True, slots=True)
class CopyFile:
    """A file of the same repository under another path; ``revision`` None for the branch's present tree."""

    source_path: str
    path: str
    revision: str | None


Operation = PutFile | PutLfsFile | DeletePath | CopyFile


@dataclass(frozen=True, slots=True)
class CommitRequest:
    """A whole commit request.

    Attributes
    ----------
    header
        Title, description, expected parent.
    operations
        In the order in which they came, which is the order in which they count.
    """

    header: Header
    operations: tuple[Operation, ...]


def put_bytes(path: str, data: bytes) -> PutFile:
    """Make the operation that puts small content that is at hand."""
    git_sha1 = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).digest()
    return PutFile(path, MemorySource(data, path), hashlib.sha256(data).digest(), git_sha1)


def parse_commit_path(path: object) -> str:
    """Check a path that a commit names.

    Raises
    ------
    InvalidPathError
        It is absolute, leaves the repository, has empty or dot parts, or would leave it on Windows.
    """
    if not isinstance(path, str):
        raise InvalidRequestError("commit", expected="a path", found=type(path).__name__, action="Send text.")
    try:
        parse_path(path)
    except InvalidNameError as error:
        raise InvalidPathError(
            error.thing, expected=error.expected, found=error.found, action="Choose another path."
        ) from error
    first = path.split("\\", 1)[0]
    # A folder of this name anywhere, in any case, is a repository to git, whose hooks it would run.
    has_git = any(part.casefold() == ".git" for part in path.replace("\\", "/").split("/"))
    if first == ".." or path.startswith("\\") or has_git:
        raise InvalidPathError(
            f"path {path!r}",
            expected="a relative path inside the repository, on any system",
            found=path,
            action="Choose another path.",
        )
    return path


def parse_header(value: dict[str, Any]) -> Header:
    """Parse the first line's value.

    Raises
    ------
    InvalidRequestError
        It is not a header.
    """
    summary, description = value.get("summary"), value.get("description") or ""
    if not isinstance(summary, str) or not isinstance(description, str) or not summary.strip():
        raise _refuse("a header with the text `summary`", f"{type(summary).__name__} or nothing")
    if len(summary) + len(description) > _MAX_TEXT:
        raise _refuse(f"a message of at most {_MAX_TEXT} characters", str(len(summary) + len(description)))
    parent = value.get("parentCommit")
    if parent is not None and not (isinstance(parent, str) and _PARENT.fullmatch(parent)):
        raise _refuse("a parentCommit of 5 to 40 hexadecimal digits", repr(parent)[:60])
    return Header(summary, description, parent)


def parse_operation(key: str, value: dict[str, Any]) -> Operation:
    """Parse a line that is neither the header nor a regular file.

    Raises
    ------
    InvalidRequestError
        It has no meaning.
    InvalidPathError
        Its path is not allowed.
    """
    if key == "lfsFile":
        return PutLfsFile(parse_commit_path(value.get("path")), parse_sha256(value), _parse_size(value))
    if key == "deletedFile":
        return DeletePath(parse_commit_path(_text(value, "path").rstrip("/")), False)
    if key == "deletedFolder":
        return DeletePath(parse_commit_path(_text(value, "path").rstrip("/")), True)
    if key == "copyFile":
        revision = value.get("srcRevision")
        if revision is not None and not isinstance(revision, str):
            raise _refuse("a srcRevision", type(revision).__name__)
        return CopyFile(
            parse_commit_path(value.get("srcPath")), parse_commit_path(value.get("path")), revision
        )
    raise _refuse("header, file, lfsFile, deletedFile, deletedFolder or copyFile", repr(key)[:60])


def parse_sha256(value: dict[str, Any]) -> bytes:
    """Parse the ``oid`` of an LFS file.

    Raises
    ------
    InvalidRequestError
        It is no SHA-256.
    """
    oid = value.get("oid")
    if value.get("algo", "sha256") != "sha256" or not isinstance(oid, str) or not _SHA256.fullmatch(oid):
        raise _refuse("a SHA-256 of 64 hexadecimal digits", repr(oid)[:80])
    return bytes.fromhex(oid)


def _parse_size(value: dict[str, Any]) -> int | None:
    nbytes = value.get("size")
    if nbytes is None:
        return None
    if not isinstance(nbytes, int) or isinstance(nbytes, bool) or not 0 <= nbytes <= _MAX_LFS_NBYTES:
        raise _refuse("a size in bytes", repr(nbytes)[:60])
    return nbytes


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise _refuse(f"the text {name}", type(found).__name__)
    return found


def _refuse(expected: str, found: str) -> FormatError:
    return InvalidRequestError("commit", expected=expected, found=found, action="Send what clients send.")
