"""Disk usage: what the files of a store take, by what they are for.

Duty: add up sizes of files. Not its duty: what in packs is live (``pack_usage``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tensorhub.store.refs import REF_NBYTES

if TYPE_CHECKING:
    from tensorhub.store.store import Store

PARTS = ("packs", "catalog", "refs", "state", "other")


def disk_usage(store: Store) -> dict[str, int]:
    """Look at every file; gives the bytes of each part, and ``all``."""
    root = store.layout.root
    usage = dict.fromkeys((*PARTS, "all"), 0)
    if store.catalog.path.parent != root:
        usage["catalog"] = usage["all"] = _catalog_nbytes(store)
    for parent, _, names in os.walk(root):
        for name in names:
            size = _size(os.path.join(parent, name))  # noqa: PTH118
            usage["all"] += size
            usage[_part(root, Path(parent), name)] += size
    return usage


def outside_packs_nbytes(store: Store, refs: int) -> int:
    """Add up all but sealed packs, without looking at every ref: each has the same size.

    Parameters
    ----------
    store
        Whose.
    refs
        How many refs there are.
    """
    layout = store.layout
    total = refs * REF_NBYTES + _catalog_nbytes(store)
    for entry in os.scandir(layout.root):
        if entry.is_file(follow_symlinks=False) and not entry.name.startswith("catalog.sqlite"):
            total += _size(entry.path)
    for folder in (layout.leases, layout.uploads, layout.temporary, layout.damaged):
        for parent, _, names in os.walk(folder):
            total += sum(_size(os.path.join(parent, name)) for name in names)  # noqa: PTH118
    return total


def _catalog_nbytes(store: Store) -> int:
    path = store.catalog.path
    return sum(_size(str(path) + suffix) for suffix in ("", "-wal", "-shm"))


def _size(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:
        return 0  # another process just finished with it


def _part(root: Path, parent: Path, name: str) -> str:
    top = parent.relative_to(root).parts[:1]
    if top == ("packs",):
        return "packs"
    if top == ("refs",):
        return "refs"
    if name.startswith("catalog.sqlite"):
        return "catalog"
    return "state" if name.startswith("state.sqlite") else "other"
