"""What the measurements of whole stores share: bytes on disk, comparing folders, temporary places.

Duty: look at stores and folders from outside, with no code of the store. Not its duty: timing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_COMPARE_NBYTES = 4 << 20
SHARED_MEMORY = Path("/dev/shm")


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="tensorhub-benchmark-", dir=parent))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def file_paths(folder: Path) -> list[Path]:
    """List all files below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def folder_nbytes(folder: Path) -> int:
    """Add up the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in file_paths(folder))


def stored_nbytes(store: Path) -> dict[str, int]:
    """Add up a closed store's files: packs, catalogue, refs, the rest, and all."""
    parts = {"packs": 0, "catalog": 0, "refs": 0, "other": 0}
    for path in file_paths(store):
        top = path.relative_to(store).parts[0]
        part = "catalog" if top.startswith("catalog.sqlite") else top if top in parts else "other"
        parts[part] += path.stat().st_size
    return {**parts, "all": sum(parts.values())}


def beside_packs_share(parts: dict[str, int]) -> float:
    """Give the share of stored bytes that is not in packs."""
    return (parts["all"] - parts["packs"]) / parts["all"]


def check_equal_folders(expected: Path, found: Path) -> int:
    """Compare two folders byte for byte and give the number of files.

    Raises
    ------
    RuntimeError
        A file is missing, too many, or differs.
    """
    names = [path.relative_to(expected) for path in file_paths(expected)]
    if names != [path.relative_to(found) for path in file_paths(found)]:
        raise RuntimeError(f"{found} has other files than {expected}")
    for name in names:
        with (expected / name).open("rb") as left, (found / name).open("rb") as right:
            while True:
                piece = left.read(_COMPARE_NBYTES)
                if piece != right.read(_COMPARE_NBYTES):
                    raise RuntimeError(f"{found / name} differs from {expected / name}")
                if not piece:
                    break
    return len(names)


def drop_from_page_cache(folder: Path) -> None:
    """Make the system forget the content of all files below a folder; without effect in shared memory."""
    for path in file_paths(folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
