"""Garbage collection: giving back what nothing live reaches.

Duty: find dead packs and packs worth rewriting, move what must stay, remove the rest; and what uploads left.
Not its duty: deciding what is live (``liveness``) or retained (``retention``), or adding packs up (``pack_usage``).
Invariants: nothing live or retained, and no source that it leans on, is ever removed, and nothing at all while
some live content, or what a pack holds, cannot be known; content younger than the grace period is kept, so that
an interrupted add stays fast, and of it only what is superseded goes; packs younger than the oldest writer at
work are left as they are; rows go from the catalogue under the store lock, after liveness was looked at
again, and then, still under it, files from the disk; a crash at any point leaves packs that are sound, at worst
some twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import FactKind
from tensorhub.store.leases import Lease, clean_dead_leases, oldest_lease_ns, store_lock
from tensorhub.store.liveness import (
    Live,
    add_retained,
    check_complete,
    check_indexed,
    coded_nbytes,
    find_live,
    unindexed_packs,
)
from tensorhub.store.pack import PackFile
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.pack_usage import (
    PackUsage,
    blob_records,
    held_blobs,
    object_places,
    pack_usage,
    placed_facts,
    stored_ranges,
)
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.retention import forget_expired, forget_retained, retained_files
from tensorhub.store.salvage import moved_record
from tensorhub.store.store import Store
from tensorhub.store.uploads import sweep_uploads
from tensorhub.store.values import GcReport

GRACE_S = 86_400.0  # design: sealed packs that nothing names yet stay usable for a day
REWRITE_DEAD_FRACTION = 0.25  # of a pack that is then rewritten: at most 3 bytes copied per byte freed
# The same of superseded bytes alone. Lower, because optimize leaves them all over the store at once, and gains a few
# per cent of what it codes anew: at a quarter, the store could end up larger. restic leaves this share by default.
REWRITE_SUPERSEDED_FRACTION = 0.05
_MIN_FREED_NBYTES = 4096  # a block of most file systems: less frees nothing


@dataclass(slots=True)
class _Plan:
    """What gc will do. ``young``: those of ``rewrite`` that are in their grace, where what is dead stays, too."""

    remove: list[Digest] = field(default_factory=list)
    rewrite: list[Digest] = field(default_factory=list)
    young: set[Digest] = field(default_factory=set)
    kept_recent_nbytes: int = 0


def collect_garbage(
    store: Store,
    *,
    grace_s: float = GRACE_S,
    drops_retained: bool = False,
    is_dry_run: bool = False,
    progress: Progress | None = None,
) -> GcReport:
    """Free what nothing live reaches, what is superseded, and uploads that nobody finished for a day.

    Parameters
    ----------
    store
        Which.
    grace_s
        Keep what counts in packs sealed less than this many seconds ago, live or not. Superseded bytes go.
    drops_retained
        Do not keep what clients of the hub may refer to again though no ref reaches it; they are told by a new
        retention epoch.
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
    if drops_retained and not is_dry_run:
        forget_retained(store, now_ms=_now_ms())
    live = _live(store, drops_retained=drops_retained)
    now_ns, oldest = time.time_ns(), oldest_lease_ns(store.layout)
    retained = len(live.retained), coded_nbytes(store, live.only_retained)
    swept, swept_nbytes = sweep_uploads(store.layout, now_s=now_ns / 1e9, is_dry_run=is_dry_run)
    usage = pack_usage(store, live)
    plan = _plan(usage, now_ns - int(grace_s * 1e9), now_ns if oldest is None else min(now_ns, oldest))
    if is_dry_run:
        doomed = {*plan.remove, *plan.rewrite}
        freed = sum(usage[pack].nbytes for pack in doomed)
        freed -= sum(_moved_nbytes(plan, pack, usage[pack]) for pack in plan.rewrite)
        dead, _ = _find_dead(store, live, doomed, _young_blobs(plan, usage))
        counts = len(usage), len(plan.remove), len(plan.rewrite), len(dead)
        return GcReport(*counts, freed + swept_nbytes, plan.kept_recent_nbytes, *retained, swept, True)
    with Lease(store.layout) as lease:
        new_packs = _rewrite(store, lease, plan, usage, live, listener)
    removed_blobs = _drop(store, plan)
    forget_expired(store, _now_ms())
    store.reader.forget()
    store.catalog.compact()
    listener.end()
    freed = sum(usage[pack].nbytes for pack in (*plan.remove, *plan.rewrite)) - sum(new_packs.values())
    counts = len(usage), len(plan.remove), len(plan.rewrite), removed_blobs
    temporary += swept
    return GcReport(*counts, freed + swept_nbytes, plan.kept_recent_nbytes, *retained, temporary, False)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _live(store: Store, *, drops_retained: bool = False) -> Live:
    """Find what lives or is retained, and refuse unless all that lives is known."""
    live = find_live(store, [reference for _, _, reference in store.ref_store.all()])
    check_complete(store, live)
    if not drops_retained:
        add_retained(store, live, retained_files(store, _now_ms()))
    return live


def _plan(usage: dict[Digest, PackUsage], grace_ns: int, writers_ns: int) -> _Plan:
    """Choose packs to remove and to rewrite; pure.

    ``grace_ns`` and ``writers_ns`` are times of sealing: from the first on, what counts stays; from the second
    on, nothing is touched, for a writer at work may not have written the records of what lies there.
    """
    plan = _Plan()
    for pack, item in usage.items():
        is_superseded = _is_worth(item.superseded_nbytes, item.nbytes, REWRITE_SUPERSEDED_FRACTION)
        if item.sealed_at_ns >= writers_ns:
            plan.kept_recent_nbytes += item.idle_nbytes
        elif item.sealed_at_ns >= grace_ns:
            if not item.live_nbytes and not item.dead_nbytes:
                plan.remove.append(pack)
            elif is_superseded:
                plan.rewrite.append(pack)
                plan.young.add(pack)
                plan.kept_recent_nbytes += item.dead_nbytes
            else:
                plan.kept_recent_nbytes += item.idle_nbytes
        elif not item.live_nbytes:
            plan.remove.append(pack)
        elif is_superseded or _is_worth(item.idle_nbytes, item.nbytes, REWRITE_DEAD_FRACTION):
            plan.rewrite.append(pack)
    return plan


def _is_worth(freed_nbytes: int, nbytes: int, fraction: float) -> bool:
    return freed_nbytes >= fraction * nbytes and freed_nbytes > _MIN_FREED_NBYTES


def _moved_nbytes(plan: _Plan, pack: Digest, item: PackUsage) -> int:
    return item.live_nbytes + (item.dead_nbytes if pack in plan.young else 0)


def _young_blobs(plan: _Plan, usage: dict[Digest, PackUsage]) -> set[int]:
    """Give the dead blobs that stay, because they lie in packs in their grace."""
    return {blob for pack in plan.young for blob in usage[pack].dead_blobs}


def _rewrite(
    store: Store,
    lease: Lease,
    plan: _Plan,
    usage: dict[Digest, PackUsage],
    live: Live,
    listener: Progress,
) -> dict[Digest, int]:
    """Copy what must stay out of doomed packs into new ones, and index those."""
    if not plan.rewrite:
        return {}
    listener.begin("Rewriting packs", sum(_moved_nbytes(plan, pack, usage[pack]) for pack in plan.rewrite))
    moving = {blob for pack in plan.rewrite for blob in usage[pack].live_blobs} | _young_blobs(plan, usage)
    output = PackOutput(store, lease)
    try:
        names = store.catalog.digests_by_id(moving)
        for digest in sorted(names.values()):
            listener.advance(_move_blob(store, output, digest, set(plan.rewrite)))
        _move_objects(store, output, plan, live, moving)
        output.seal()
    finally:
        output.discard()
    store.reader.forget()
    return output.made


def _move_blob(store: Store, output: PackOutput, digest: Digest, doomed: set[Digest]) -> int:
    """Copy a blob's coded bytes out of doomed packs, checked by checksum, under a record of its own."""
    if output.is_full:
        output.seal()
        store.reader.forget()
    record = store.catalog.blob_record(digest)
    writer = output.writer()
    writer.table.blobs.append(moved_record(store, writer, record, doomed))
    return sum(stored.nbytes for stored in stored_ranges(record) if stored.pack in doomed)


def _move_objects(store: Store, output: PackOutput, plan: _Plan, live: Live, moving: set[int]) -> None:
    """Copy objects and facts that must stay out of doomed packs; of facts, those that count."""
    keep, objects = live.blobs | live.leaned_on | moving, live.objects
    blobs = set(store.catalog.digests_by_id(keep).values())
    facts = {
        (fact.kind, fact.subject): fact
        for pack, fact in placed_facts(store)
        if pack in plan.young or fact.subject in objects or fact.subject in blobs
    }
    hasher = store.settings.hasher
    moved: set[Digest] = set()
    for pack in plan.rewrite:
        table = PackFile(store.layout.pack(pack), pack).read_table()
        for kind, payload in table.objects:
            digest = hasher.object_digest(kind, payload)
            if digest not in moved and (pack in plan.young or digest in objects):
                output.writer().table.objects.append((kind, payload))
                moved.add(digest)
        for fact in table.facts:
            is_sketch = fact.kind is FactKind.SKETCH and fact.subject in blobs
            if is_sketch or facts.get((fact.kind, fact.subject)) == fact:
                output.writer().table.facts.append(fact)


def _drop(store: Store, plan: _Plan) -> int:
    """Under the lock: look at liveness again, forget dead rows, remove packs. Gives the number of blobs removed."""
    with store_lock(store.layout):
        check_indexed(store)
        live = _live(store)
        doomed = {*plan.remove, *plan.rewrite}
        used = _packs_still_used(store, live, doomed)
        plan.remove = [pack for pack in plan.remove if pack not in used]
        plan.rewrite = [pack for pack in plan.rewrite if pack not in used]
        doomed -= used
        dead_blobs, dead_objects = _find_dead(store, live, doomed, set())
        store.catalog.drop_rows(packs=list(doomed), blobs=dead_blobs, objects=dead_objects)
        # Still under the lock, so that nobody who opens the store now indexes these packs again.
        for pack in doomed:
            store.layout.pack(pack).unlink(missing_ok=True)
        return len(dead_blobs)


def _find_dead(
    store: Store, live: Live, doomed: set[Digest], moving: set[int]
) -> tuple[list[Digest], list[Digest]]:
    """Give the dead blobs and objects that go with the doomed packs, less those that are going to be moved."""
    keep, objects = live.blobs | live.leaned_on | moving, live.objects
    near = [item for item in held_blobs(store, doomed) if item[0] not in keep]
    dead_blobs = [
        digest
        for (_, digest, pack), record in zip(near, blob_records(store, near), strict=True)
        if pack in doomed or any(stored.pack in doomed for stored in stored_ranges(record))
    ]
    dead_objects = [
        digest for pack, digest, _ in object_places(store) if pack in doomed and digest not in objects
    ]
    return dead_blobs, dead_objects


def _packs_still_used(store: Store, live: Live, doomed: set[Digest]) -> set[Digest]:
    """Give the doomed packs that something live needs after all: a commit made since the plan."""
    keep, objects = live.blobs | live.leaned_on, live.objects
    near = [item for item in held_blobs(store, doomed) if item[0] in keep]
    used = {pack for _, _, pack in near if pack in doomed}
    for record in blob_records(store, near):
        used.update(stored.pack for stored in stored_ranges(record) if stored.pack is not None)
    used.update(pack for pack, digest, _ in object_places(store) if digest in objects)
    subjects = objects | set(store.catalog.digests_by_id(keep).values())
    used.update(pack for pack, fact in placed_facts(store) if fact.subject in subjects)
    return used & doomed
