"""Optimizing: live blobs coded anew in a mode, where that makes them smaller.

Duty: :func:`optimize`: which blobs, what is known of them already, what the run did.
Not its duty: coding (``recode``), finding other bases, or freeing the space (``gc``).
Invariants: blobs keep their names, and commits and refs stay as they are; packs are never touched, new ones have
records of a higher generation; a run that is killed leaves what it has sealed, and the next one goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from sqlalchemy import func, select

from tensorhub.codecs.mode import Mode
from tensorhub.errors import FormatError
from tensorhub.schema.coding_fact import CodingFact, parse_coding_fact
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import BlobRow
from tensorhub.store.coding import planner_signature
from tensorhub.store.leases import Lease, clean_dead_leases
from tensorhub.store.liveness import find_live
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.recode import Outcome, Recoder
from tensorhub.store.store import Store
from tensorhub.store.values import OptimizeReport

# What was found out is remembered from this size on. A fact takes some 100 bytes, with its row in the catalogue: 0.6 %
# of such a blob. Smaller ones are tried again each time; all that a store has of them is coded in seconds.
MIN_REMEMBERED_NBYTES = 16 << 10
_BITS = {Mode.FAST: 1, Mode.BALANCED: 2, Mode.MAX: 4}  # in coding facts: docs/format.md, section 8
_BATCH = 500


def optimize(
    store: Store,
    repositories: Sequence[str | RepositoryId] = (),
    *,
    mode: str | Mode | None = None,
    is_forced: bool = False,
    is_dry_run: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> OptimizeReport:
    """Code live blobs anew, chunk by chunk, and keep whichever coding is smaller.

    Parameters
    ----------
    store
        Which.
    repositories
        Only what their refs reach, and the bases of that; by default everything live.
    mode
        How hard to try; by default as hard as the store says.
    is_forced
        Take what the mode makes where it differs, also where it is larger: so a store becomes fast to read.
    is_dry_run
        Do all of the work and write nothing.
    progress
        Told the decoded bytes done.
    workers
        Threads; by default one per processor.

    Returns
    -------
    OptimizeReport
        Damaged blobs are left as they are, and named.

    Raises
    ------
    UsageError
        There is no mode of this name.
    RepositoryNotFoundError
        There is no such repository.
    IntegrityError
        A ref is damaged, or what one reaches is missing.
    BackendError
        The disk is full, and the like; what was sealed until then counts.

    Notes
    -----
    May run beside writers, readers, gc and verify, in this or other processes. A chunk stays a delta against the
    source that it has, or stands alone; no other base is looked for. The old bytes stay until gc.
    """
    run = _Run(store, store.settings.choose_mode(mode), is_forced=is_forced, is_dry_run=is_dry_run)
    listener = progress or Quiet()
    store.catalog.catch_up()
    with ExitStack() as stack:
        if not is_dry_run:
            clean_dead_leases(store.layout)
            run.output = PackOutput(store, stack.enter_context(Lease(store.layout)))
            stack.callback(run.output.discard)
        live = find_live(store, _starts(store, repositories))
        blobs = sorted(live.blobs | live.leaned_on)
        listener.begin("Optimizing", _decoded_nbytes(store, blobs))
        recoder = Recoder(
            store,
            run.mode,
            is_forced=is_forced,
            output=run.output,
            deliver=run.take,
            progress=listener,
            workers=workers or os.cpu_count() or 1,
        )
        stack.callback(recoder.close)
        for row in run.unsettled(blobs, listener):
            recoder.submit(row.digest)
        recoder.drain()
    for digest, detail in run.damaged.items():
        listener.notice(f"blob {digest} is damaged and stays as it is: {detail}")
    store.reader.forget()
    listener.end()
    return run.report()


def _starts(store: Store, repositories: Sequence[str | RepositoryId]) -> list[CommitReference]:
    if not repositories:
        return [reference for _, _, reference in store.ref_store.all()]
    found = [store.snapshots.repository(repository) for repository in repositories]
    return [reference for item in found for reference in store.ref_store.list(item).values()]


def _decoded_nbytes(store: Store, blobs: list[int]) -> int:
    total = 0
    with store.catalog.read() as connection:
        for start in range(0, len(blobs), _BATCH):
            query = select(func.sum(schema.blob.c.nbytes)).where(
                schema.blob.c.id.in_(blobs[start : start + _BATCH]), schema.blob.c.pack.is_not(None)
            )
            total += connection.execute(query).scalar() or 0
    return total


class _Run:
    """What one run has to know, and what it counts."""

    def __init__(self, store: Store, mode: Mode, *, is_forced: bool, is_dry_run: bool) -> None:
        self._store = store
        self.mode = mode
        self._is_forced = is_forced
        self._is_dry_run = is_dry_run
        self._planner = planner_signature()
        self._known: dict[Digest, CodingFact] = {}  # of blobs on their way
        self.output: PackOutput | None = None
        self._blobs = self._rewritten = self._settled = self._kept = 0
        self._nbytes = self._before = self._after = 0
        self.damaged: dict[Digest, str] = {}

    def unsettled(self, blobs: list[int], listener: Progress) -> Iterator[BlobRow]:
        """Yield the blobs of which it is not known what trying would give; counts the others."""
        catalog = self._store.catalog
        for start in range(0, len(blobs), _BATCH):
            digests = catalog.digests_by_id(blobs[start : start + _BATCH]).values()
            rows = sorted(catalog.blobs(digests).values(), key=lambda row: row.blob_id)
            values = catalog.fact_values(FactKind.CODING, digests)
            for row in rows:
                known = self._read(values.get(row.digest), row)
                if known is not None and self._is_settled(known):
                    self._settled += 1
                    self._count(row.nbytes, row.stored_nbytes, row.stored_nbytes)
                    listener.advance(row.nbytes)
                    continue
                if known is not None:
                    self._known[row.digest] = known
                yield row

    def _read(self, value: bytes | None, row: BlobRow) -> CodingFact | None:
        """Read what is known of a blob, if it is about the coding that counts and about this planner."""
        if value is None:
            return None
        try:
            fact = parse_coding_fact(value)
        except FormatError:
            return None  # of a later version, or damaged: it only saves work
        is_meant = (fact.planner, fact.stored_nbytes) == (self._planner, row.stored_nbytes)
        return fact if is_meant else None

    def _is_settled(self, known: CodingFact) -> bool:
        bit = _BITS[self.mode]
        if self._is_forced:
            return bool(known.exact & bit)
        return bool((known.tried | known.exact) & (bit | _BITS[Mode.MAX]))  # max takes what is smallest

    def take(self, outcome: Outcome) -> None:
        """Count what became of a blob, and remember it."""
        self._count(outcome.nbytes, outcome.stored_nbytes_before, outcome.stored_nbytes_after)
        known = self._known.pop(outcome.digest, None)
        if outcome.failure is not None:
            self.damaged[outcome.digest] = str(outcome.failure)
            return
        bit = _BITS[self.mode]
        tried, exact = bit, bit if outcome.is_exact else 0
        if outcome.is_rewritten:
            self._rewritten += 1
        else:
            self._kept += 0 if outcome.is_exact else 1
            if known is not None:
                tried, exact = tried | known.tried, exact | known.exact
        fact = CodingFact(self._planner, outcome.stored_nbytes_after, tried, exact)
        if self.output is not None and outcome.nbytes >= MIN_REMEMBERED_NBYTES:
            value = fact.to_bytes()
            self.output.writer().table.facts.append(Fact(FactKind.CODING, outcome.digest, value))

    def _count(self, nbytes: int, before: int, after: int) -> None:
        self._blobs += 1
        self._nbytes += nbytes
        self._before += before
        self._after += after

    def report(self) -> OptimizeReport:
        """Give the result."""
        return OptimizeReport(
            self.mode.value,
            self._blobs,
            self._settled,
            self._rewritten,
            self._kept,
            self._nbytes,
            self._before,
            self._after,
            tuple(str(digest) for digest in self.damaged),
            self._is_dry_run,
        )
