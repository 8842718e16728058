"""Names that some file systems take for one another.

Duty: find paths that would fall together where case or Unicode form does not count (macOS, Windows).
Not its duty: refusing them.
Invariants: the answer does not depend on the order of the paths.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def fold_path(path: str) -> str:
    """Give what two paths share that a file system may take for one another."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def find_collisions(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of different paths, of files or of the folders above them, that fold to the same path.

    Parameters
    ----------
    paths
        Paths of files, ``/`` between parts.

    Returns
    -------
    list of (str, str)
        Each pair once, sorted.
    """
    first_of: dict[str, str] = {}
    pairs: set[tuple[str, str]] = set()
    folders: set[str] = set()
    for path in sorted(paths):
        names = [path]
        while "/" in names[-1]:
            folder = names[-1].rpartition("/")[0]
            if folder in folders:
                break
            folders.add(folder)
            names.append(folder)
        for name in reversed(names):
            first = first_of.setdefault(fold_path(name), name)
            if first != name:
                pairs.add((first, name))
    return sorted(pairs)
