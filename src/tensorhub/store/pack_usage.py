"""Pack usage: what each pack holds, what of it counts, and what of that is live.

Duty: add up, for garbage collection. Not its duty: deciding what goes (``gc``) or what is live (``liveness``).
Invariants: bytes count where the record of a blob that counts names them; what no such record names is
*superseded* (another record of the blob counts) or was never finished, and nobody can ask for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from tensorhub.errors import IntegrityError
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import CHUNK_ALIGNMENT, BlobRecord, StoredRange
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import split_references
from tensorhub.store.liveness import Live
from tensorhub.store.pack import PackFile

if TYPE_CHECKING:
    from tensorhub.store.store import Store

Held = tuple[int, Digest, Digest]  # row id and digest of a blob, and the pack with its record


@dataclass(slots=True)
class PackUsage:
    """What one pack holds, in bytes.

    Attributes
    ----------
    nbytes, sealed_at_ns
        Size of the file; when it was sealed.
    live_nbytes
        What refs reach: coded bytes, and roughly what the records of objects and facts take.
    dead_nbytes
        The same of what counts but is not reached: what adding it again would find.
    superseded_nbytes
        Coded bytes that no record that counts names.
    live_blobs, dead_blobs
        Row ids of the blobs that have their record or a chunk here.
    """

    nbytes: int
    sealed_at_ns: int
    live_nbytes: int = 0
    dead_nbytes: int = 0
    superseded_nbytes: int = 0
    live_blobs: set[int] = field(default_factory=set)
    dead_blobs: set[int] = field(default_factory=set)

    @property
    def idle_nbytes(self) -> int:
        """What is not live. Not below 0: records are compressed in a pack, and are counted as they are read."""
        return max(0, self.nbytes - self.live_nbytes)

    def add(self, nbytes: int, *, is_live: bool) -> None:
        """Count something that is not superseded."""
        if is_live:
            self.live_nbytes += nbytes
        else:
            self.dead_nbytes += nbytes

    def add_blob(self, blob_id: int, nbytes: int, *, is_live: bool) -> None:
        """Count a blob's record, or coded bytes of it."""
        (self.live_blobs if is_live else self.dead_blobs).add(blob_id)
        self.add(nbytes, is_live=is_live)


def pack_usage(store: Store, live: Live) -> dict[Digest, PackUsage]:
    """Add up every indexed pack."""
    with store.catalog.read() as connection:
        columns = schema.pack.c
        rows = connection.execute(select(columns.digest, columns.nbytes, columns.sealed_at_ns)).all()
    usage = {Digest(row[0]): PackUsage(row[1], row[2]) for row in rows}
    coded = dict.fromkeys(usage, 0)
    live_blobs = live.blobs | live.leaned_on
    held = held_blobs(store)
    for (blob_id, _, pack), record in zip(held, blob_records(store, held), strict=True):
        is_live = blob_id in live_blobs
        if pack in usage:
            usage[pack].add_blob(blob_id, 1, is_live=is_live)  # the record: it may be all that is in its pack
        for stored in stored_ranges(record):
            if stored.pack is not None and stored.pack in usage:
                usage[stored.pack].add_blob(blob_id, stored.nbytes, is_live=is_live)
                coded[stored.pack] += stored.nbytes + -stored.nbytes % CHUNK_ALIGNMENT
    objects = live.objects
    for pack, digest, nbytes in object_places(store):
        if pack in usage:
            usage[pack].add(max(1, nbytes // 3), is_live=digest in objects)
    subjects = objects | set(store.catalog.digests_by_id(live_blobs).values())
    for pack, fact in placed_facts(store):
        if pack in usage:
            usage[pack].add(DIGEST_NBYTES + len(fact.value), is_live=fact.subject in subjects)
    for pack, item in usage.items():
        item.superseded_nbytes = max(0, _data_nbytes(store, pack) - coded[pack])
    return usage


def _data_nbytes(store: Store, pack: Digest) -> int:
    """Give the coded bytes of a pack with what aligns them; 0 where that cannot be known."""
    try:
        return PackFile(store.layout.pack(pack), pack).data_nbytes()
    except IntegrityError:
        return 0  # damage is for verify to name


def held_blobs(store: Store, packs: Collection[Digest] | None = None) -> list[Held]:
    """List the blobs that the store holds; only those whose pack is one of some, or points into one."""
    pack, blob = schema.pack.c, schema.blob.c
    wanted = None if packs is None else set(packs)
    with store.catalog.read() as connection:
        near = {
            row[0]: Digest(row[1])
            for row in connection.execute(select(pack.id, pack.digest, pack.refs))
            if wanted is None or not wanted.isdisjoint([Digest(row[1]), *split_references(row[2])])
        }
        rows = connection.execute(select(blob.id, blob.digest, blob.pack).where(blob.pack.is_not(None)))
        return [(row[0], Digest(row[1]), near[row[2]]) for row in rows if row[2] in near]


def blob_records(store: Store, held: list[Held]) -> Iterator[BlobRecord]:
    """Read the record of each blob, in order."""
    for start in range(0, len(held), 500):
        digests = [digest for _, digest, _ in held[start : start + 500]]
        found = store.catalog.blob_records(digests)
        for digest in digests:
            yield found.get(digest) or store.catalog.blob_record(digest)  # the latter says what is wrong


def stored_ranges(record: BlobRecord) -> list[StoredRange]:
    """Give everything that a blob has in packs."""
    return [chunk.stored for chunk in record.chunks] + ([record.model] if record.model else [])


def object_places(store: Store) -> Iterator[tuple[Digest, Digest, int]]:
    """Yield pack, digest and size of every commit, tree and file record."""
    columns = schema.stored_object.c
    query = select(schema.pack.c.digest, columns.digest, func.length(columns.payload)).join(
        schema.pack, schema.pack.c.id == columns.pack
    )
    with store.catalog.read() as connection:
        for pack, digest, nbytes in connection.execute(query):
            yield Digest(pack), Digest(digest), nbytes


def placed_facts(store: Store) -> Iterator[tuple[Digest, Fact]]:
    """Yield every fact that counts, with its pack; sketches are apart: they can be made again."""
    columns = schema.fact.c
    query = select(
        schema.pack.c.digest, columns.kind, columns.subject, columns.value, columns.is_claimed
    ).join(schema.pack, schema.pack.c.id == columns.pack)
    with store.catalog.read() as connection:
        for pack, kind, subject, value, is_claimed in connection.execute(query):
            yield Digest(pack), Fact(FactKind(kind), Digest(subject), value, bool(is_claimed))
