"""The index of a revision's tree: files and folders in order, and the ids that git would give the folders.

Duty: listing a folder, alone or with everything below it, a page at a time. Not its duty: what is shown of an entry.
Invariants: entries are ordered by the UTF-8 bytes of their paths, so that a page can begin after any path, whether or
not that is still there. Folder ids are those of git's tree objects (gitformat of ``git hash-object -t tree``).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from tensorhub.hub.revision_view import FileView
from tensorhub.schema.records import FileMode

_GIT_MODES = {FileMode.FILE: b"100644", FileMode.EXECUTABLE: b"100755", FileMode.SYMLINK: b"120000"}
_AFTER_SLASH = b"0"  # the byte that follows "/": what is below a folder ends before it


class TreeIndex:
    """The tree of one revision.

    Parameters
    ----------
    files
        By path.

    Attributes
    ----------
    folders
        Path → git's id, 40 hexadecimal digits; the root is the empty path.
    """

    def __init__(self, files: Mapping[str, FileView]) -> None:
        self.folders = _folder_ids(files)
        names = [*files, *(folder for folder in self.folders if folder)]
        self._keys = sorted(name.encode() for name in names)

    def __len__(self) -> int:
        return len(self._keys)

    def has_folder(self, path: str) -> bool:
        """Say whether there is a folder; the root always is."""
        return path in self.folders

    def page(self, folder: str, *, recursive: bool, after: str, limit: int) -> tuple[list[str], bool]:
        """List a folder.

        Parameters
        ----------
        folder
            Its path; empty for the root.
        recursive
            Whether what lies in folders below is listed, too.
        after
            The path that the page before ended with; empty for the first page.
        limit
            Paths in a page, at least 1.

        Returns
        -------
        list of str
            Paths of files and folders.
        bool
            Whether more follow.
        """
        found: list[str] = []
        for path in self._walk(folder.encode(), recursive, after.encode()):
            if len(found) == limit:
                return found, True
            found.append(path.decode())
        return found, False

    def _walk(self, folder: bytes, recursive: bool, after: bytes) -> Iterator[bytes]:
        keys, prefix = self._keys, folder + b"/" if folder else b""
        position = bisect_left(keys, prefix)
        end = bisect_left(keys, folder + _AFTER_SLASH) if folder else len(keys)
        if after:
            position = max(position, bisect_right(keys, after))
        while position < end:
            path = keys[position]
            slash = -1 if recursive else path.find(b"/", len(prefix))
            if slash < 0:
                yield path
                position += 1
            else:  # below a folder that was listed already
                position = bisect_left(keys, path[:slash] + _AFTER_SLASH, position)


def _folder_ids(files: Mapping[str, FileView]) -> dict[str, str]:
    children: dict[str, list[tuple[bytes, bytes]]] = {"": []}  # folder -> (name as git orders it, its record)
    for path, file in files.items():
        folder, _, name = path.rpartition("/")
        encoded = name.encode()
        record = _GIT_MODES[file.mode] + b" " + encoded + b"\0" + bytes.fromhex(file.oid)
        while folder not in children:
            children[folder] = []
            folder = folder.rpartition("/")[0]
        children[path.rpartition("/")[0]].append((encoded, record))
    ids: dict[str, str] = {}
    for folder in sorted(children, key=lambda item: item.count("/") if item else -1, reverse=True):
        content = b"".join(record for _, record in sorted(children[folder]))
        digest = hashlib.sha1(b"tree %d\0" % len(content) + content, usedforsecurity=False)
        ids[folder] = digest.hexdigest()
        if folder:
            parent, _, name = folder.rpartition("/")
            encoded = name.encode()
            children[parent].append((encoded + b"/", b"40000 " + encoded + b"\0" + digest.digest()))
    return ids
