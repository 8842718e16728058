"""Relations: which repositories lean on which, and which tensors are near each other.

Duty: :func:`trace_lineage` and :func:`similar`. Not its duty: choosing bases while adding (``base_search``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from tensorhub.errors import NotFoundError, UsageError
from tensorhub.lineage.index import SketchIndex
from tensorhub.lineage.sketch import MIN_SKETCHED_NBYTES, parse_sketch, sketch_of
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import BlobRow
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store
from tensorhub.store.values import LineageEdge, LineageReport, SimilarTensor


@dataclass(slots=True)
class _Edge:
    identical_tensors: int = 0
    identical_nbytes: int = 0
    delta_tensors: int = 0
    delta_nbytes: int = 0
    delta_stored_nbytes: int = 0
    standalone_nbytes: int = 0

    def add_delta(self, row: BlobRow) -> None:
        """Count a tensor that leans on the other repository."""
        self.delta_tensors += 1
        self.delta_nbytes += row.nbytes
        self.delta_stored_nbytes += row.stored_nbytes
        self.standalone_nbytes += row.standalone_nbytes

    def freeze(self, repository: str) -> LineageEdge:
        return LineageEdge(
            repository,
            self.identical_tensors,
            self.identical_nbytes,
            self.delta_tensors,
            self.delta_nbytes,
            self.delta_stored_nbytes,
            self.standalone_nbytes,
        )


def trace_lineage(store: Store, repository: str | RepositoryId, revision: str | None = None) -> LineageReport:
    """Say which repositories a repository's tensors lean on, and which lean on it.

    Parameters
    ----------
    store, repository, revision
        The snapshot that is asked about.

    Returns
    -------
    LineageReport
        An edge's ``standalone_nbytes`` is what its delta tensors are predicted to cost without the other
        repository.
    """
    snapshot = store.snapshots.snapshot(repository, revision)
    tensors = _tensor_blobs(snapshot)
    rows = store.catalog.blobs(tensors)
    bases = store.catalog.bases([row.blob_id for row in rows.values() if not row.is_self_contained])
    homes = store.places.repositories({*tensors, *bases.values()})
    edges: dict[str, _Edge] = {}
    for digest, row in rows.items():
        for other in homes.get(digest, ()):
            if other != snapshot.repository:
                edge = edges.setdefault(str(other), _Edge())
                edge.identical_tensors += 1
                edge.identical_nbytes += row.nbytes
        base = bases.get(row.blob_id)
        if base is not None:
            options = homes.get(base, [])
            home = next((item for item in options if item != snapshot.repository), None)
            if home is None or snapshot.repository in options:
                home = snapshot.repository
            edges.setdefault(str(home), _Edge()).add_delta(row)
    return LineageReport(
        str(snapshot.repository),
        snapshot.reference.commit_id,
        len(tensors),
        sum(row.nbytes for row in rows.values()),
        sum(row.stored_nbytes for row in rows.values()),
        _frozen(edges),
        _dependents(store, snapshot, rows.values()),
    )


def _frozen(edges: dict[str, _Edge]) -> tuple[LineageEdge, ...]:
    ordered = sorted(
        edges.items(), key=lambda item: (-item[1].delta_nbytes - item[1].identical_nbytes, item[0])
    )
    return tuple(edge.freeze(name) for name, edge in ordered)


def _tensor_blobs(snapshot: Snapshot) -> set[Digest]:
    return snapshot.blob_digests()


def _dependents(store: Store, snapshot: Snapshot, rows: Iterable[BlobRow]) -> tuple[LineageEdge, ...]:
    """Find the repositories whose tensors lean on this one's."""
    ids = [row.blob_id for row in rows]
    leaning: set[int] = set()
    with store.catalog.read() as connection:
        for start in range(0, len(ids), 500):
            query = select(schema.source.c.blob).where(schema.source.c.base.in_(ids[start : start + 500]))
            leaning.update(row[0] for row in connection.execute(query))
    digests = store.catalog.digests_by_id(leaning)
    children = store.catalog.blobs(digests.values())
    homes = store.places.repositories(children)
    edges: dict[str, _Edge] = {}
    for digest, row in children.items():
        for home in homes.get(digest, ()):
            if home != snapshot.repository:
                edges.setdefault(str(home), _Edge()).add_delta(row)
    return _frozen(edges)


def similar(
    store: Store,
    repository: str | RepositoryId,
    tensor_name: str,
    *,
    revision: str | None = None,
    path: str | None = None,
    limit: int = 10,
) -> list[SimilarTensor]:
    """List the stored tensors nearest to one, by sketch.

    Parameters
    ----------
    store, repository, tensor_name, revision, path
        The tensor that is asked about.
    limit
        At most so many.

    Raises
    ------
    TensorNotFoundError
        There is no such tensor.
    UsageError
        It is smaller than 64 KiB, so it has no sketch.
    """
    snapshot = store.snapshots.snapshot(repository, revision)
    info = next(
        (item for item in store.tensors(repository, revision, path=path) if item.name == tensor_name), None
    )
    if info is None:
        store.read_tensor_bytes(
            repository, tensor_name, revision=revision, path=path
        )  # raises the right error
        raise NotFoundError(f"tensor {tensor_name!r}", expected="a tensor", found="none")
    if info.nbytes < MIN_SKETCHED_NBYTES:
        raise UsageError(
            f"tensor {tensor_name!r}",
            expected=f"at least {MIN_SKETCHED_NBYTES} bytes",
            found=f"{info.nbytes} bytes",
            action="Ask for a larger tensor; smaller ones have no sketch.",
        )
    segment = _segment(snapshot, info.path, tensor_name)
    if segment.tensor is None:
        raise NotFoundError(f"tensor {tensor_name!r}", expected="a tensor", found="bytes")
    sketch = sketch_of(
        store.read_tensor_bytes(repository, tensor_name, revision=revision, path=info.path), segment.tensor
    )
    index = SketchIndex()
    for key, value in store.catalog.sketches(
        sketch.element_width, sketch.row_nelems, self_contained_only=False
    ):
        index.add(key, parse_sketch(value))
    matches = index.query(sketch, limit + 1, is_exhaustive=True)
    digests = store.catalog.digests_by_id([match.key for match in matches])
    found: list[SimilarTensor] = []
    for match in matches:
        digest = digests[match.key]
        place = _place(store, digest, prefer_other_than=snapshot.repository)
        if place is None or (digest == info.digest and place[0] == snapshot.repository):
            continue
        row = store.catalog.blob(digest)
        owner, where, named = place
        found.append(
            SimilarTensor(
                str(owner),
                where,
                named.name,
                named.shape,
                named.dtype.name,
                digest,
                round(match.bit_distance, 4),
                round(match.predicted_ratio, 4),
                bool(row and row.is_self_contained),
            )
        )
    return found[:limit]


def _segment(snapshot: Snapshot, path: str, name: str) -> Segment:
    for segment in snapshot.record(snapshot.entry(path)).segments:
        if segment.tensor is not None and segment.tensor.name == name:
            return segment
    raise NotFoundError(f"tensor {name!r} in {path}", expected="a tensor of that name", found="none")


def _place(
    store: Store, digest: Digest, *, prefer_other_than: RepositoryId
) -> tuple[RepositoryId, str, TensorSpec] | None:
    """Give one place of a blob: repository, path and tensor; another repository's where there is one."""
    places = store.places.files(digest)
    places.sort(key=lambda item: item[0] == prefer_other_than)
    for owner, tree, file in places:
        path = next((entry.path for entry in store.snapshots.tree(tree).entries if entry.file == file), None)
        for segment in store.snapshots.file_record(file).segments:
            if segment.digest == digest and segment.tensor is not None and path is not None:
                return owner, path, segment.tensor
    return None
