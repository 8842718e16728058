"""A revision as clients see it: paths with sizes, SHA-256, git ids, LFS or not.

Duty: the values; which file counts as LFS. Not its duty: computing digests (``digest_job``), or access (``hub``).
Invariants: a view exists only where the SHA-256 of every file is known; a file is LFS where ``.gitattributes`` says so,
where it is larger than 10 MB, or where its git SHA-1 is not known. References: the Hugging Face hub's conventions for
ETags (git blob SHA-1 for regular files, SHA-256 for LFS files).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tensorhub.errors import FileEntryNotFoundError
from tensorhub.hub.path_patterns import MAX_PATTERNS, PathPattern, parse_pattern
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import Commit, CommitReference, FileMode

if TYPE_CHECKING:
    from tensorhub.hub.arriving import ArrivingFile

LFS_NBYTES = (
    10_000_000  # a larger file is LFS whatever its name; the Hugging Face hub's limit for regular files
)
ATTRIBUTES_PATH = ".gitattributes"
MAX_ATTRIBUTES_NBYTES = 1 << 20  # of a .gitattributes or .gitignore that is looked at


@dataclass(frozen=True, slots=True)
class FileView:
    """A file as clients see it.

    Attributes
    ----------
    path
        Path in the repository.
    mode
        File, executable or symlink.
    nbytes
        Size.
    file
        Digest of the file record.
    sha256
        Of the content, 32 bytes.
    git_sha1
        Git's blob id of the content, 20 bytes; None where it is not known.
    is_lfs
        Whether clients are told that it is an LFS file.
    arriving
        Of a file that is still on its way from another hub. Until it is here, ``file`` says nothing, and
        ``sha256`` of a regular one is empty.
    """

    path: str
    mode: FileMode
    nbytes: int
    file: Digest
    sha256: bytes
    git_sha1: bytes | None
    is_lfs: bool
    arriving: ArrivingFile | None = None

    @property
    def pointer(self) -> bytes:
        """The text that git would keep in place of an LFS file."""
        return pointer_text(self.sha256, self.nbytes)

    @property
    def oid(self) -> str:
        """Git's id of what git would keep: of the content, or of the pointer."""
        if self.is_lfs or self.git_sha1 is None:
            return git_blob_id(self.pointer)
        return self.git_sha1.hex()

    @property
    def etag(self) -> str:
        """The ETag, without quotes: SHA-256 of an LFS file, git's id of a regular one."""
        return self.sha256.hex() if self.is_lfs else self.oid

    @property
    def xet_hash(self) -> str:
        """The name under which the file can be had through Xet; opaque to clients."""
        return self.file.hex


def pointer_text(sha256: bytes, nbytes: int) -> bytes:
    """Write the Git LFS pointer of a content (Git LFS specification, version 1)."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256.hex()}\nsize {nbytes}\n".encode()


def git_blob_id(content: bytes) -> str:
    """Give git's blob id: SHA-1 over ``blob <size>``, a NUL and the content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class LfsRules:
    """Which paths a ``.gitattributes`` file gives to LFS.

    Parameters
    ----------
    text
        The file's content; later lines win.
    """

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[PathPattern, bool]] = []
        for line in text.splitlines()[:MAX_PATTERNS]:
            parts = line.split()
            if not parts or parts[0].startswith("#"):
                continue
            pattern = parse_pattern(parts[0])
            if pattern is None:
                continue  # a pattern that git would not understand either matches nothing
            for attribute in parts[1:]:
                if attribute == "filter=lfs" or attribute in ("-filter", "!filter"):
                    self._rules.append((pattern, attribute == "filter=lfs"))

    def matches(self, path: str) -> bool:
        """Say whether a path is given to LFS."""
        parts = path.split("/")
        for pattern, is_lfs in reversed(self._rules):
            if pattern.matches(parts):
                return is_lfs
        return False

    def is_lfs(self, path: str, nbytes: int) -> bool:
        """Say whether a file belongs to LFS by its path or size, whatever is in it."""
        return nbytes > LFS_NBYTES or self.matches(path)


@dataclass(frozen=True)
class RevisionView:
    """All files of a repository at one commit, as clients see them.

    Attributes
    ----------
    repository
        As written in the store.
    reference, commit
        The commit.
    files
        By path, ordered by the UTF-8 bytes of the paths.
    rules
        What ``.gitattributes`` says.
    """

    repository: RepositoryId
    reference: CommitReference
    commit: Commit
    files: Mapping[str, FileView]
    rules: LfsRules

    @property
    def commit_id(self) -> str:
        """The commit's id, 40 hexadecimal digits."""
        return self.reference.commit_id

    @cached_property
    def folders(self) -> Mapping[str, tuple[str, ...]]:
        """Folder -> names directly in it, folders with a slash at the end; the root is the empty name."""
        children: dict[str, dict[str, None]] = {"": {}}
        for path in self.files:
            parts = path.split("/")
            for depth in range(len(parts)):
                parent = "/".join(parts[:depth])
                name = parts[depth] + ("/" if depth < len(parts) - 1 else "")
                children.setdefault(parent, {})[name] = None
        return {folder: tuple(names) for folder, names in children.items()}

    def file(self, path: str) -> FileView:
        """Find a file.

        Raises
        ------
        FileEntryNotFoundError
            There is none.
        """
        found = self.files.get(path)
        if found is None:
            raise FileEntryNotFoundError(
                f"file {path!r} in {self.repository}@{self.commit_id[:12]}",
                expected="an entry of the snapshot",
                found="none, but the snapshot is partial" if self.commit.is_partial else "none",
                path=path,
                action="See the list of files.",
            )
        return found
