"""One folder of a snapshot: its folders and files, with sizes as a user sees them and as stored.

Duty: the rows of the files view. Not its duty: content (``blob``), or last changes (``history``).
Invariants: a folder's size is that of all below it; its stored size counts what its files share once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tensorhub.errors import FileEntryNotFoundError
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import FileMode, TreeEntry
from tensorhub.store.catalog import Catalog
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.stored_sizes import stored_size_by_file, stored_size_together

PAGE_FILES = 500  # rows at once: a folder of a data set may have 100,000


@dataclass(frozen=True, slots=True)
class FileRow:
    """A folder or file in a folder.

    Attributes
    ----------
    name, path
        In the folder, and in the repository.
    is_folder
        Whether it is one; ``files`` then counts what is below.
    files, tensors
        How many it is or has.
    nbytes, stored_nbytes
        As a user sees it, and what its content takes on disk, shared or not.
    delta_share
        How much of its distinct content leans on a base, 0 to 1.
    mode
        ``file``, ``executable`` or ``symlink``.
    """

    name: str
    path: str
    is_folder: bool
    files: int
    tensors: int
    nbytes: int
    stored_nbytes: int
    delta_share: float
    mode: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder: one page of its rows, folders first, and what it is altogether."""

    path: str
    rows: tuple[FileRow, ...]
    entries: int
    page: int
    pages: int
    files: int
    nbytes: int
    stored_nbytes: int


def read_folder(catalog: Catalog, snapshot: Snapshot, path: str = "", page: int = 1) -> Folder:
    """Read one page of a folder.

    Parameters
    ----------
    catalog, snapshot
        Where.
    path
        The folder; empty for the top.
    page
        From 1; one beyond the last is the last.

    Raises
    ------
    FileEntryNotFoundError
        There is no such folder.
    """
    start = f"{path}/" if path else ""
    below = [entry for entry in snapshot.tree.entries if entry.path.startswith(start)]
    if path and not below:
        raise FileEntryNotFoundError(
            f"folder {path!r} in {snapshot.repository}@{snapshot.reference.commit_id[:12]}",
            expected="a folder of the snapshot",
            found="none",
            path=path,
            action="Go up to the repository's files.",
        )
    groups: dict[tuple[bool, str], list[TreeEntry]] = {}
    for entry in below:
        name, slash, _ = entry.path[len(start) :].partition("/")
        groups.setdefault((not slash, name), []).append(entry)
    names = sorted(groups)  # folders first: False sorts before True
    pages = max(1, -(-len(names) // PAGE_FILES))
    page = min(page, pages)
    shown = names[(page - 1) * PAGE_FILES : page * PAGE_FILES]
    sizes = snapshot.source.file_sizes(list({entry.file for entry in below}))
    rows = _rows(catalog, start, [(is_file, name, groups[is_file, name]) for is_file, name in shown], sizes)
    together = stored_size_together(catalog, (entry.file for entry in below))
    return Folder(
        path,
        tuple(rows),
        len(names),
        page,
        pages,
        len(below),
        sum(sizes.get(entry.file, (0, 0))[0] for entry in below),
        together.stored_nbytes,
    )


def _rows(
    catalog: Catalog,
    start: str,
    shown: Iterable[tuple[bool, str, list[TreeEntry]]],
    sizes: dict[Digest, tuple[int, int]],
) -> Iterable[FileRow]:
    groups = list(shown)
    stored = stored_size_by_file(catalog, (group[0].file for is_file, _, group in groups if is_file))
    for is_file, name, group in groups:
        known = [sizes.get(entry.file, (0, 0)) for entry in group]
        if is_file:
            size = stored.get(group[0].file)
            mode = FileMode(group[0].mode).name.lower()
        else:
            size, mode = stored_size_together(catalog, (entry.file for entry in group)), "folder"
        yield FileRow(
            name,
            start + name,
            not is_file,
            len(group),
            sum(item[1] for item in known),
            sum(item[0] for item in known),
            size.stored_nbytes if size else 0,
            size.delta_nbytes / size.nbytes if size and size.nbytes else 0.0,
            mode,
        )


def list_crumbs(path: str) -> tuple[tuple[str, str], ...]:
    """Give name and path of each folder on the way to a path, and of the path itself."""
    parts = path.split("/") if path else []
    return tuple((part, "/".join(parts[: number + 1])) for number, part in enumerate(parts))
