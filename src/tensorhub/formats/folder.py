"""Folders: what of a folder on disk is kept, and under which names.

Duty: list the files of a folder for adding, with every rule about names, links and special files applied.
Not its duty: reading the files.
Invariants: the listing is sorted by the bytes of its paths and depends on nothing but the folder; a bad name
is refused before anything is stored; a link that is kept stays inside the folder wherever it is restored.

Kept: content, path, the executable bit, links inside the folder. Not kept: empty folders, times, owners,
other modes, hard links, extended attributes.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from dataclasses import dataclass
from pathlib import Path

from tensorhub.errors import (
    BackendPermissionError,
    InvalidNameError,
    LimitExceededError,
    NotFoundError,
    UsageError,
    from_os_error,
)
from tensorhub.formats.collisions import find_collisions
from tensorhub.formats.notices import NoticeBook, name_some, shorten
from tensorhub.schema.names import parse_path
from tensorhub.schema.records import FileMode

# Far above any repository; links that lead to each other can otherwise unfold without end.
_MAX_ENTRIES = 4_000_000


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """One path to keep.

    Attributes
    ----------
    path_in_repo
        Path below the folder, ``/`` between parts.
    mode
        File, executable or symlink.
    source_path
        Where the content is read; None for a symlink.
    link_target
        The text of a symlink, verbatim; None for files.
    nbytes
        Size of the content, or of the target's text in UTF-8.
    """

    path_in_repo: str
    mode: FileMode
    source_path: Path | None
    link_target: str | None
    nbytes: int


@dataclass(frozen=True, slots=True)
class FolderListing:
    """What a folder holds.

    Attributes
    ----------
    entries
        Paths to keep, sorted by their bytes.
    notices
        What was followed, skipped or left out.
    """

    entries: tuple[FolderEntry, ...]
    notices: tuple[str, ...]


def scan_folder(root: Path) -> FolderListing:
    """List what is to be kept of a folder.

    Parameters
    ----------
    root
        The folder; may itself be a link to one.

    Returns
    -------
    FolderListing
        Links whose target lies in the folder stay links; other links are followed. ``.git`` and
        ``.cache/huggingface`` (download bookkeeping) are left out at any depth, as Hugging Face's own upload
        does.

    Raises
    ------
    InvalidNameError
        Names are not UTF-8, too long, or would collide on file systems that ignore case or Unicode form.
    NotFoundError
        The folder does not exist, or a link leads nowhere and cannot be kept as a link either.
    UsageError
        ``root`` is not a folder.
    BackendPermissionError
        Something in it cannot be read.
    LimitExceededError
        It has more than four million entries.
    BackendError
        The disk failed.
    """
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
    except OSError as error:
        raise from_os_error(error, f"folder {shorten(str(root))}") from error
    if not is_folder:
        raise UsageError(
            f"folder {shorten(str(root))}", expected="a folder", found="a file", path=str(root),
            action="Give the folder that holds it, or add it as a single file.",
        )  # fmt: skip
    scan = _Scan(root)
    scan.run()
    return scan.to_listing()


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder still to be read; ``above`` holds device and inode of it and of all folders above it."""

    path_in_repo: str
    path: Path
    above: frozenset[tuple[int, int]]


class _Scan:
    """One walk over a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real_root = os.path.realpath(root)
        self._entries: list[FolderEntry] = []
        self._notices = NoticeBook()
        self._bad_names: list[str] = []
        self._folders: set[str] = set()

    def run(self) -> None:
        """Walk, depth first, in the order of names."""
        status = self._root.stat()
        pending = [_Folder("", self._root, frozenset({(status.st_dev, status.st_ino)}))]
        while pending:
            folder = pending.pop()
            self._folders.add(folder.path_in_repo)
            try:
                names = sorted(os.listdir(folder.path), key=os.fsencode)  # noqa: PTH208
            except OSError as error:
                raise from_os_error(error, f"folder {shorten(str(folder.path))}") from error
            below = [found for name in names if (found := self._visit(folder, name)) is not None]
            pending += reversed(below)  # the last is taken first
            if len(self._entries) + len(pending) > _MAX_ENTRIES:
                raise LimitExceededError(
                    f"folder {shorten(str(self._root))}", expected=f"at most {_MAX_ENTRIES} entries",
                    found="more", action="Add its parts as repositories of their own.",
                )  # fmt: skip

    def _visit(self, folder: _Folder, name: str) -> _Folder | None:
        """Take one name; give back the folder to walk, if it is one."""
        path_in_repo = f"{folder.path_in_repo}/{name}" if folder.path_in_repo else name
        if name == ".git" or (name == "huggingface" and posixpath.basename(folder.path_in_repo) == ".cache"):
            self._notices.add("left out, as uploads to Hugging Face do", path_in_repo)
            return None
        try:
            parse_path(path_in_repo)
        except InvalidNameError:
            self._bad_names.append(path_in_repo)
            return None
        path = folder.path / name
        try:
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                if self._keep_link(path_in_repo, path):
                    return None
                status = path.stat()
        except OSError as error:
            raise from_os_error(error, f"file {shorten(str(path))}") from error
        if stat.S_ISDIR(status.st_mode):
            identity = (status.st_dev, status.st_ino)
            if identity in folder.above:
                self._notices.add("links to a folder above them, not followed", path_in_repo)
                return None
            return _Folder(path_in_repo, path, folder.above | {identity})
        if stat.S_ISREG(status.st_mode):
            self._keep_file(path_in_repo, path, status)
        else:
            self._notices.add("sockets, pipes and devices, skipped", path_in_repo)
        return None

    def _keep_file(self, path_in_repo: str, path: Path, status: os.stat_result) -> None:
        if not os.access(path, os.R_OK):
            raise BackendPermissionError(
                f"file {shorten(str(path))}", expected="permission to read it", found="none", path=str(path),
                action="Check its owner and mode; nothing was stored.",
            )  # fmt: skip
        mode = FileMode.EXECUTABLE if status.st_mode & 0o111 else FileMode.FILE
        self._entries.append(FolderEntry(path_in_repo, mode, path, None, status.st_size))

    def _keep_link(self, path_in_repo: str, path: Path) -> bool:
        """Keep a link as a link if it works wherever the folder is restored; False: follow it.

        Raises
        ------
        NotFoundError
            It leads nowhere, and would not stay inside the folder.
        """
        target = os.readlink(path)  # noqa: PTH115 - Path.readlink would normalise the text
        real_target = os.path.realpath(path)
        is_dangling = _leads_nowhere(path)
        is_in_root = real_target == self._real_root or real_target.startswith(self._real_root + os.sep)
        if is_in_root and _stays_inside(path_in_repo, target):
            try:
                nbytes = len(target.encode("utf-8"))
            except UnicodeEncodeError:
                self._bad_names.append(f"{path_in_repo} -> {target}")
                return True
            if is_dangling:
                self._notices.add("links that lead nowhere, kept as they are", path_in_repo)
            self._entries.append(FolderEntry(path_in_repo, FileMode.SYMLINK, None, target, nbytes))
            return True
        if is_dangling:
            raise NotFoundError(
                f"symbolic link {shorten(str(path))}", expected="a target that exists, or lies in the folder",
                found=shorten(target), path=str(path), action="Remove or repair the link, then add again.",
            )  # fmt: skip
        self._notices.add("links that leave the folder, replaced by what they lead to", path_in_repo)
        return False

    def to_listing(self) -> FolderListing:
        """Check the names as a whole and sort."""
        if self._bad_names:
            names = sorted(self._bad_names)
            raise InvalidNameError(
                f"folder {shorten(str(self._root))}", expected="names in UTF-8 of at most 4,096 bytes",
                found=f"{len(names)} others: {name_some([ascii(name) for name in names])}",
                action="Rename them, then add again; nothing was stored.",
            )  # fmt: skip
        collisions = find_collisions(entry.path_in_repo for entry in self._entries)
        if collisions:
            pairs = [f"{shorten(first)} and {shorten(second)}" for first, second in collisions]
            raise InvalidNameError(
                f"folder {shorten(str(self._root))}",
                expected="names that differ by more than case or Unicode form",
                found=f"{len(pairs)} pairs: {name_some(pairs)}",
                action="Rename one of each, then add again; nothing was stored.",
            )  # fmt: skip
        used = {""}
        for entry in self._entries:
            folder = posixpath.dirname(entry.path_in_repo)
            while folder not in used:
                used.add(folder)
                folder = posixpath.dirname(folder)
        for folder in sorted(self._folders - used):
            self._notices.add("empty folders, not kept", folder)
        entries = sorted(self._entries, key=lambda entry: entry.path_in_repo.encode("utf-8"))
        return FolderListing(tuple(entries), self._notices.to_tuple())


def _stays_inside(path_in_repo: str, target: str) -> bool:
    """Say whether a target's text, taken alone, leads to a place in the folder that is kept."""
    if posixpath.isabs(target):
        return False
    depth = path_in_repo.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            return False
    place = posixpath.normpath(posixpath.join(posixpath.dirname(path_in_repo), target))
    return ".git" not in place.split("/") and "/.cache/huggingface/" not in f"/{place}/"


def _leads_nowhere(link: Path) -> bool:
    """Say whether a link's target is missing, or leads back to the link.

    Raises
    ------
    OSError
        It cannot be told, for example because a folder on the way is closed.
    """
    try:
        link.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return True
        raise
    return False
