"""Garbage collection: giving back what nothing live reaches.

Duty: find dead packs and packs worth rewriting, move what lives, remove the rest.
Not its duty: deciding what is live (``liveness``).
Invariants: nothing live, and no source that something live leans on, is ever removed, and nothing at all while
some live content, or what a pack holds, cannot be known; content younger than
the grace period, or than the oldest writer at work, is kept, so that an interrupted add stays fast; rows go
from the catalogue under the store lock, after liveness was looked at again, and then, still under it, files
from the disk; a crash at any point leaves packs that are sound, at worst some twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from tensorhub.schema.digest import Digest
from tensorhub.schema.records import BlobRecord, StoredRange
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import split_references
from tensorhub.store.catalog_index import index_pack
from tensorhub.store.leases import Lease, clean_dead_leases, oldest_lease_ns, store_lock
from tensorhub.store.liveness import Live, check_complete, check_indexed, find_live, unindexed_packs
from tensorhub.store.pack import TARGET_NBYTES, PackFile, PackWriter
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.salvage import moved_record
from tensorhub.store.store import Store
from tensorhub.store.values import GcReport

GRACE_S = 86_400.0  # design: sealed packs that nothing names stay usable for a day
REWRITE_DEAD_FRACTION = 0.25  # of a pack that is then rewritten: at most 3 bytes copied per byte freed


@dataclass(slots=True)
class _Usage:
    """What one pack holds, in coded bytes."""

    nbytes: int
    sealed_at_ns: int
    live_nbytes: int = 0
    blobs: set[int] = field(default_factory=set)  # live blobs with a chunk or their record here


@dataclass(slots=True)
class _Plan:
    """What gc will do."""

    remove: list[Digest] = field(default_factory=list)
    rewrite: list[Digest] = field(default_factory=list)
    kept_recent_nbytes: int = 0


def collect_garbage(
    store: Store, *, grace_s: float = GRACE_S, is_dry_run: bool = False, progress: Progress | None = None
) -> GcReport:
    """Free what nothing live reaches.

    Parameters
    ----------
    store
        Which.
    grace_s
        Keep packs sealed less than this many seconds ago, whatever they hold.
    is_dry_run
        Only say what would be done.
    progress
        Told the bytes copied from rewritten packs.

    Returns
    -------
    GcReport
        ``freed_nbytes`` is the difference on disk.

    Raises
    ------
    StoreLockedError
        Another gc or publisher held the lock for too long.
    IntegrityError
        Something live is missing, or a pack or ref cannot be read: what is needed cannot be known.
    """
    listener = progress or Quiet()
    temporary = 0 if is_dry_run else clean_dead_leases(store.layout)
    if unindexed_packs(store):
        with store_lock(store.layout):
            check_indexed(store)
    live = _live(store)
    horizon_ns = time.time_ns() - int(grace_s * 1e9)
    oldest = oldest_lease_ns(store.layout)
    if oldest is not None:
        horizon_ns = min(horizon_ns, oldest)
    usage = _pack_usage(store, live)
    plan = _plan(usage, horizon_ns)
    before = sum(item.nbytes for item in usage.values())
    if is_dry_run:
        freed = sum(usage[pack].nbytes for pack in plan.remove)
        freed += sum(usage[pack].nbytes - usage[pack].live_nbytes for pack in plan.rewrite)
        dead, _ = _find_dead(store, live, {pack.value for pack in (*plan.remove, *plan.rewrite)})
        return GcReport(
            len(usage),
            len(plan.remove),
            len(plan.rewrite),
            len(dead),
            freed,
            plan.kept_recent_nbytes,
            0,
            True,
        )
    with Lease(store.layout) as lease:
        new_packs = _rewrite(store, lease, plan, usage, live, listener)
    removed_blobs = _drop(store, plan)
    store.reader.forget()
    store.catalog.compact()
    listener.end()
    after = (
        before - sum(usage[pack].nbytes for pack in (*plan.remove, *plan.rewrite)) + sum(new_packs.values())
    )
    return GcReport(
        len(usage),
        len(plan.remove),
        len(plan.rewrite),
        removed_blobs,
        before - after,
        plan.kept_recent_nbytes,
        temporary,
        False,
    )


def _live(store: Store) -> Live:
    """Find what lives, and refuse unless all of it is known."""
    live = find_live(store, [reference for _, _, reference in store.ref_store.all()])
    check_complete(store, live)
    return live


def _pack_usage(store: Store, live: Live) -> dict[Digest, _Usage]:
    """Add up, for each pack, what lives in it."""
    with store.catalog.read() as connection:
        rows = connection.execute(
            select(schema.pack.c.digest, schema.pack.c.nbytes, schema.pack.c.sealed_at_ns)
        ).all()
    usage = {Digest(row[0]): _Usage(row[1], row[2]) for row in rows}
    held = [item for item in _held(store) if item[0] in live.blobs or item[0] in live.leaned_on]
    for (blob_id, _, pack), record in zip(held, _records(store, held), strict=True):
        if Digest(pack) in usage:
            usage[Digest(pack)].live_nbytes += 1  # the record itself: it may be all that lives in its pack
        for stored in _ranges(record):
            if stored.pack is not None and stored.pack in usage:
                usage[stored.pack].live_nbytes += stored.nbytes
                usage[stored.pack].blobs.add(blob_id)
    for digest, nbytes in _object_packs(store, live):
        if digest in usage:
            usage[digest].live_nbytes += nbytes
    return usage


def _held(store: Store, packs: set[bytes] | None = None) -> list[tuple[int, Digest, bytes]]:
    """Give row id, digest and pack of each blob; only those whose pack is one of some, or points into one."""
    pack, blob = schema.pack.c, schema.blob.c
    with store.catalog.read() as connection:
        near = {
            row[0]: row[1]
            for row in connection.execute(select(pack.id, pack.digest, pack.refs))
            if packs is None
            or not packs.isdisjoint([row[1], *(item.value for item in split_references(row[2]))])
        }
        rows = connection.execute(select(blob.id, blob.digest, blob.pack).where(blob.pack.is_not(None)))
        return [(row[0], Digest(row[1]), near[row[2]]) for row in rows if row[2] in near]


def _records(store: Store, held: list[tuple[int, Digest, bytes]]) -> Iterator[BlobRecord]:
    """Read the record of each blob, in order."""
    for start in range(0, len(held), 500):
        digests = [digest for _, digest, _ in held[start : start + 500]]
        found = store.catalog.blob_records(digests)
        for digest in digests:
            yield found.get(digest) or store.catalog.blob_record(digest)  # the latter says what is wrong


def _ranges(record: BlobRecord) -> list[StoredRange]:
    return [chunk.stored for chunk in record.chunks] + ([record.model] if record.model else [])


def _object_packs(store: Store, live: Live) -> list[tuple[Digest, int]]:
    """Give pack and rough size of every live object, and of every fact about one."""
    columns, found = schema.stored_object.c, []
    values = [digest.value for digest in live.objects]
    with store.catalog.read() as connection:
        for start in range(0, len(values), 500):
            query = (
                select(schema.pack.c.digest, columns.payload)
                .join(schema.pack, schema.pack.c.id == columns.pack)
                .where(columns.digest.in_(values[start : start + 500]))
            )
            found += [(Digest(row[0]), max(1, len(row[1]) // 3)) for row in connection.execute(query)]
            facts = (
                select(schema.pack.c.digest, schema.fact.c.value)
                .join(schema.pack, schema.pack.c.id == schema.fact.c.pack)
                .where(schema.fact.c.subject.in_(values[start : start + 500]))
            )
            found += [(Digest(row[0]), len(row[1])) for row in connection.execute(facts)]
    return found


def _plan(usage: dict[Digest, _Usage], horizon_ns: int) -> _Plan:
    """Choose packs to remove and to rewrite; pure."""
    plan = _Plan()
    for pack, item in usage.items():
        dead = item.nbytes - item.live_nbytes
        if item.sealed_at_ns >= horizon_ns:
            plan.kept_recent_nbytes += dead
        elif item.live_nbytes == 0:
            plan.remove.append(pack)
        elif dead >= REWRITE_DEAD_FRACTION * item.nbytes and dead > 4096:
            plan.rewrite.append(pack)
    return plan


def _rewrite(
    store: Store, lease: Lease, plan: _Plan, usage: dict[Digest, _Usage], live: Live, listener: Progress
) -> dict[Digest, int]:
    """Copy what lives in doomed packs into new ones, and index those."""
    if not plan.rewrite:
        return {}
    listener.begin("Rewriting packs", sum(usage[pack].live_nbytes for pack in plan.rewrite))
    doomed = set(plan.rewrite)
    moving = {blob for pack in plan.rewrite for blob in usage[pack].blobs}
    recorded = _recorded_in(store, doomed, live.blobs | live.leaned_on)
    made: dict[Digest, int] = {}
    mover = _Mover(store, lease, doomed, made)
    try:
        names = store.catalog.digests_by_id(moving | recorded)
        for blob_id, digest in sorted(names.items(), key=lambda item: item[1]):
            listener.advance(mover.move_blob(digest, is_recorded_in_doomed=blob_id in recorded))
        mover.move_objects(live)
        mover.seal()
    finally:
        mover.discard()
    return made


def _recorded_in(store: Store, packs: set[Digest], blobs: set[int]) -> set[int]:
    """Give the live blobs whose record lies in one of the packs (their chunks may lie elsewhere)."""
    query = (
        select(schema.blob.c.id)
        .join(schema.pack, schema.pack.c.id == schema.blob.c.pack)
        .where(schema.pack.c.digest.in_([pack.value for pack in packs]))
    )
    with store.catalog.read() as connection:
        return {row[0] for row in connection.execute(query)} & blobs


class _Mover:
    """Writes the packs that take what lives in doomed ones."""

    def __init__(self, store: Store, lease: Lease, doomed: set[Digest], made: dict[Digest, int]) -> None:
        self._store = store
        self._lease = lease
        self._doomed = doomed
        self._made = made
        self._writer: PackWriter | None = None
        self._objects: set[Digest] = set()

    def _open(self) -> PackWriter:
        if self._writer is None:
            settings = self._store.settings
            self._writer = PackWriter(
                self._store.layout, settings.store_id, settings.hasher, self._lease.temporary_pack()
            )
        return self._writer

    def move_blob(self, digest: Digest, *, is_recorded_in_doomed: bool) -> int:
        """Copy a blob's coded bytes out of doomed packs, checked by checksum, under a record of its own."""
        record = self._store.catalog.blob_record(digest)
        if is_recorded_in_doomed or any(stored.pack in self._doomed for stored in _ranges(record)):
            if self._writer is not None and self._writer.nbytes >= TARGET_NBYTES:
                self.seal()
            writer = self._open()
            writer.table.blobs.append(moved_record(self._store, writer, record, self._doomed))
            return sum(stored.nbytes for stored in _ranges(record) if stored.pack in self._doomed)
        return 0

    def move_objects(self, live: Live) -> None:
        """Copy live objects and facts out of doomed packs."""
        wanted = live.objects
        blobs = set(self._store.catalog.digests_by_id(live.blobs | live.leaned_on).values())
        hasher = self._store.settings.hasher
        for pack in self._doomed:
            table = PackFile(self._store.layout.pack(pack), pack).read_table()
            for kind, payload in table.objects:
                digest = hasher.object_digest(kind, payload)
                if digest in wanted and digest not in self._objects:
                    self._open().table.objects.append((kind, payload))
                    self._objects.add(digest)
            for fact in table.facts:
                if fact.subject in wanted or fact.subject in blobs:
                    self._open().table.facts.append(fact)

    def seal(self) -> None:
        """Seal and index the new pack."""
        if self._writer is None:
            return
        store, writer = self._store, self._writer
        pack, nbytes = writer.seal(max(time.time_ns(), store.catalog.last_sealed_at_ns() + 1))
        self._writer = None
        self._made[pack] = nbytes
        index_pack(store.catalog, store.settings.hasher, pack, nbytes, writer.table)
        facts = [fact.subject for fact in writer.table.facts]
        moved = [store.settings.hasher.object_digest(kind, payload) for kind, payload in writer.table.objects]
        store.catalog.move_objects(moved, facts, pack)
        store.reader.forget()

    def discard(self) -> None:
        """Throw away a pack that was not sealed (after an error)."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None


def _drop(store: Store, plan: _Plan) -> int:
    """Under the lock: look at liveness again, forget dead rows, remove packs. Gives the number of blobs removed."""
    with store_lock(store.layout):
        check_indexed(store)
        live = _live(store)
        doomed = {pack.value for pack in (*plan.remove, *plan.rewrite)}
        used = _packs_still_used(store, live, doomed)
        plan.remove = [pack for pack in plan.remove if pack.value not in used]
        plan.rewrite = [pack for pack in plan.rewrite if pack.value not in used]
        doomed -= used
        dead_blobs, dead_objects = _find_dead(store, live, doomed)
        store.catalog.drop_rows(
            packs=[Digest(value) for value in doomed], blobs=dead_blobs, objects=dead_objects
        )
        # Still under the lock, so that nobody who opens the store now indexes these packs again.
        for value in doomed:
            store.layout.pack(Digest(value)).unlink(missing_ok=True)
        return len(dead_blobs)


def _find_dead(store: Store, live: Live, doomed: set[bytes]) -> tuple[list[Digest], list[Digest]]:
    """Give the dead blobs and objects that go with the doomed packs."""
    keep_blobs = live.blobs | live.leaned_on
    dead_blobs: list[Digest] = []
    dead_objects: list[Digest] = []
    with store.catalog.read() as connection:
        ids = {row[0]: row[1] for row in connection.execute(select(schema.pack.c.id, schema.pack.c.digest))}
        for blob_id, digest, pack in connection.execute(
            select(schema.blob.c.id, schema.blob.c.digest, schema.blob.c.pack)
        ):
            if pack is not None and ids.get(pack) in doomed and blob_id not in keep_blobs:
                dead_blobs.append(Digest(digest))
        for digest, pack in connection.execute(
            select(schema.stored_object.c.digest, schema.stored_object.c.pack)
        ):
            if ids.get(pack) in doomed and Digest(digest) not in live.objects:
                dead_objects.append(Digest(digest))
    # A dead blob whose record lies in a kept pack may have chunks in a doomed one.
    dead_blobs += _dead_with_chunks_in(store, doomed, keep_blobs, {digest.value for digest in dead_blobs})
    return dead_blobs, dead_objects


def _packs_still_used(store: Store, live: Live, doomed: set[bytes]) -> set[bytes]:
    """Give the doomed packs that something live needs after all: a commit made since the plan."""
    near = [item for item in _held(store, doomed) if item[0] in live.blobs or item[0] in live.leaned_on]
    used = {pack for _, _, pack in near if pack in doomed}
    for record in _records(store, near):
        used.update(stored.pack.value for stored in _ranges(record) if stored.pack is not None)
    used &= doomed
    for pack, _ in _object_packs(store, live):
        if pack.value in doomed:
            used.add(pack.value)
    return used


def _dead_with_chunks_in(store: Store, doomed: set[bytes], keep: set[int], found: set[bytes]) -> list[Digest]:
    near = [item for item in _held(store, doomed) if item[0] not in keep and item[1].value not in found]
    return [
        record.digest
        for record in _records(store, near)
        if any(stored.pack is not None and stored.pack.value in doomed for stored in _ranges(record))
    ]
