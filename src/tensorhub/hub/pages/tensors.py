"""The tensors of a file or a snapshot, as a table: search, sort, pages.

Duty: the rows of the tensor table. Not its duty: reading tensors.
Invariants: a base in a repository that the reader may not see is 'private'. Rows are read from records that are
cached; what the catalogue knows is asked for the shown page only, unless the order needs it: a table of 100,000 tensors
then takes less than a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tensorhub.hub.pages.listing import parse_page
from tensorhub.hub.pages.reader import PRIVATE, Reader
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import TreeEntry
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store
from tensorhub.store.stored_sizes import blob_sizes_of_files

PAGE_TENSORS = 100
_MAX_QUERY = 200
_MAX_HOMES = (
    50  # repositories looked at for each tensor: one may lie in thousands, and one that can be seen will do
)
SORTS: Mapping[str, str] = {
    "file": "As in the file",
    "name": "Name",
    "size": "Size",
    "stored": "Size as stored",
    "ratio": "Ratio",
}
_NEEDS_CATALOG = ("stored", "ratio")
Sizes = Mapping[bytes, tuple[int, bool]]  # stored size, and whether it leans on a base


@dataclass(frozen=True, slots=True)
class TensorQuery:
    """What a reader asked for; ``coding`` is empty, ``delta`` or ``standalone``."""

    text: str = ""
    sort: str = "file"
    coding: str = ""
    page: int = 1


def parse_tensor_query(parameters: Mapping[str, str]) -> TensorQuery:
    """Read a query; what has no meaning is the default."""
    sort, coding = parameters.get("sort", ""), parameters.get("coding", "")
    return TensorQuery(
        parameters.get("q", "").strip()[:_MAX_QUERY],
        sort if sort in SORTS else "file",
        coding if coding in ("delta", "standalone") else "",
        parse_page(parameters.get("page", "")),
    )


@dataclass(frozen=True, slots=True)
class TensorRow:
    """A tensor in the table.

    Attributes
    ----------
    name, dtype, shape, path
        As the file says, and which file.
    nbytes, stored_nbytes
        Decoded and coded size; the second None where the store lost the blob.
    is_delta
        Whether it leans on a base.
    base, base_repository
        The base's repository as the reader may know it: its name, 'private', or empty; and itself, to link.
    twin
        Another repository that has the same tensor, the first of those that the reader may see.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: str
    nbytes: int
    stored_nbytes: int | None
    is_delta: bool
    base: str
    base_repository: RepositoryId | None
    twin: RepositoryId | None


@dataclass(frozen=True, slots=True)
class TensorTable:
    """One page of the table; ``found`` fit the query, ``all`` there are."""

    rows: tuple[TensorRow, ...]
    found: int
    all: int
    page: int
    pages: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class _Item:
    path: str
    spec: TensorSpec
    segment: Segment


def read_tensor_table(
    store: Store, snapshot: Snapshot, entries: Iterable[TreeEntry], query: TensorQuery, reader: Reader
) -> TensorTable:
    """Read one page of a tensor table.

    Parameters
    ----------
    store, snapshot
        Where.
    entries
        The files whose tensors are listed.
    query
        What was asked for; every word of its text must occur in the tensor's name or dtype.
    reader
        Who asks.
    """
    listed = list(entries)
    items = [
        _Item(entry.path, segment.tensor, segment)
        for entry in listed
        for segment in snapshot.record(entry).segments
        if segment.tensor is not None
    ]
    fitting = _filter(items, query.text)
    sizes: Sizes = {}
    if query.sort in _NEEDS_CATALOG or query.coding:
        sizes = blob_sizes_of_files(store.catalog, (entry.file for entry in listed))
        if query.coding:
            is_delta = query.coding == "delta"
            fitting = [
                item for item in fitting if sizes.get(item.segment.digest.value, (0, None))[1] is is_delta
            ]
    _sort(fitting, query.sort, sizes)
    pages = max(1, -(-len(fitting) // PAGE_TENSORS))
    page = min(query.page, pages)
    shown = fitting[(page - 1) * PAGE_TENSORS : page * PAGE_TENSORS]
    return TensorTable(
        _to_rows(store, snapshot.repository, shown, reader),
        len(fitting),
        len(items),
        page,
        pages,
        sum(item.segment.nbytes for item in fitting),
    )


def _filter(items: list[_Item], text: str) -> list[_Item]:
    words = text.casefold().split()
    if not words:
        return list(items)
    return [
        item
        for item in items
        if all(word in item.spec.name.casefold() or word == item.spec.dtype.name.casefold() for word in words)
    ]


def _sort(items: list[_Item], sort: str, sizes: Sizes) -> None:
    def stored(item: _Item) -> int:
        return sizes.get(item.segment.digest.value, (0, False))[0]

    def ratio(item: _Item) -> float:
        stored_nbytes = stored(item)
        return item.segment.nbytes / stored_nbytes if stored_nbytes else 0.0

    if sort == "name":
        items.sort(key=lambda item: (item.spec.name, item.path))
    elif sort == "size":
        items.sort(key=lambda item: -item.segment.nbytes)
    elif sort == "stored":
        items.sort(key=stored, reverse=True)
    elif sort == "ratio":
        items.sort(key=ratio, reverse=True)


def _to_rows(
    store: Store, repository: RepositoryId, items: list[_Item], reader: Reader
) -> tuple[TensorRow, ...]:
    blobs = store.catalog.blobs({item.segment.digest for item in items})
    bases = store.catalog.bases([row.blob_id for row in blobs.values() if not row.is_self_contained])
    homes = store.places.repositories({*bases.values(), *blobs}, limit=_MAX_HOMES)
    found: list[TensorRow] = []
    for item in items:
        row = blobs.get(item.segment.digest)
        base = bases.get(row.blob_id) if row else None
        twins = (home for home in homes.get(item.segment.digest, ()) if home != repository)
        home, name = _choose_home(homes.get(base, []), repository, reader) if base else (None, "")
        found.append(
            TensorRow(
                item.spec.name,
                item.spec.dtype.name,
                item.spec.shape,
                item.path,
                item.segment.nbytes,
                row.stored_nbytes if row else None,
                row is not None and not row.is_self_contained,
                name,
                home,
                next((twin for twin in twins if reader.may_read(twin)), None),
            )
        )
    return tuple(found)


def _choose_home(
    homes: list[RepositoryId], repository: RepositoryId, reader: Reader
) -> tuple[RepositoryId | None, str]:
    """Name the repository of a base: this one, else the first that the reader may see."""
    if repository in homes:
        return repository, "this repository"
    visible = next((home for home in homes if reader.may_read(home)), None)
    if visible is not None:
        return visible, str(visible)
    return None, PRIVATE if homes else "removed repository"
