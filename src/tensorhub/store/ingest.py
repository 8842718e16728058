"""Ingest: from byte ranges to coded chunks in packs.

Duty: the bounded pipeline read -> digest and sketch -> dedup -> base -> code -> read back -> write.
Not its duty: trees, commits, refs (``transaction``), or choosing a base (``base_search``).
Invariants: nothing is appended to a pack that was not decoded again and compared with the bytes whose digest
names it; memory is bounded by the constants below whatever the sizes; results do not depend on timing,
because the main thread takes them in order of submission.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tensorhub.codecs.base import Buffer
from tensorhub.codecs.base_predictor import BasePredictor
from tensorhub.codecs.mode import Mode
from tensorhub.errors import IntegrityError, InvariantError, SourceChangedError
from tensorhub.formats.source import ByteSource
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import (
    CHUNK_NBYTES,
    BlobRecord,
    ChunkRecord,
    SourceRange,
    StoredRange,
    chunk_count,
)
from tensorhub.schema.tensor import ParsedSegment
from tensorhub.store.base_search import BaseChoice, BaseSearch
from tensorhub.store.catalog import Catalog
from tensorhub.store.catalog_index import index_pack
from tensorhub.store.coding import Coded, code_chunk
from tensorhub.store.digesting import (
    KEEP_NBYTES,
    STAGES,
    Digested,
    digest_segment,
    is_near_copy,
    scratch,
)
from tensorhub.store.hashing import checksum
from tensorhub.store.kept_bytes import POOLED_NBYTES, KeptBytes
from tensorhub.store.layout import Layout, Settings
from tensorhub.store.leases import Lease
from tensorhub.store.pack import TARGET_NBYTES, PackWriter
from tensorhub.store.progress import Progress
from tensorhub.store.reader import BlobReader
from tensorhub.store.table_estimate import TARGET_TABLE_NBYTES

WINDOW_NBYTES = 48 << 20  # kept segments in flight
WINDOW_JOBS = 256  # segments in flight, for files of many tiny tensors


@dataclass(slots=True)
class IngestTotals:
    """What an ingest did, in bytes, and where its time went, in seconds of all threads together."""

    added_nbytes: int = 0
    new_nbytes: int = 0
    delta_nbytes: int = 0
    stored_nbytes: int = 0
    bases: dict[Digest, int] = field(default_factory=dict)
    stage_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))


@dataclass(slots=True)
class _Job:
    """One segment on its way; ``deliver`` takes its digest when it is safe in a pack or known already."""

    source: ByteSource
    segment: ParsedSegment
    deliver: Callable[[Digest], None]
    future: Future[Digested] | None = None
    digested: Digested | None = None
    choice: BaseChoice | None = None
    generation: int = 0  # above 0 where the blob was lost and comes back
    chunks: list[ChunkRecord] = field(default_factory=list)
    waiting: list[Callable[[Digest], None]] = field(default_factory=list)

    @property
    def element_width(self) -> int:
        return self.segment.tensor.dtype.element_width if self.segment.tensor else 1

    @property
    def chunk_nbytes(self) -> int:
        return CHUNK_NBYTES // self.element_width * self.element_width

    @property
    def window_nbytes(self) -> int:
        """What it may keep in memory: whole buffers, but for small segments."""
        if self.segment.nbytes < POOLED_NBYTES:
            return self.segment.nbytes
        is_kept = self.segment.nbytes <= KEEP_NBYTES
        return CHUNK_NBYTES * (chunk_count(self.segment.nbytes, self.chunk_nbytes) if is_kept else 1)


class Ingest:
    """The pipeline of one transaction. Call from one thread; it uses its own workers.

    Parameters
    ----------
    catalog, layout, settings, reader
        The store's.
    lease
        The writer's lease; unsealed packs carry its name.
    search
        Finds bases.
    mode
        How hard encoders try.
    progress
        Told the bytes done.
    workers
        Threads that digest and code.
    """

    def __init__(
        self,
        catalog: Catalog,
        layout: Layout,
        settings: Settings,
        reader: BlobReader,
        lease: Lease,
        search: BaseSearch,
        mode: Mode,
        progress: Progress,
        workers: int,
    ) -> None:
        self._catalog = catalog
        self._layout = layout
        self._settings = settings
        self._hasher = settings.hasher
        self._reader = reader
        self._lease = lease
        self._search = search
        self._mode = mode
        self._progress = progress
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="tensorhub-ingest")
        self._max_coding = (
            4 * workers
        )  # chunks in flight: two a worker keep both busy, two more hide the writing
        self._keeper = KeptBytes()
        self._digesting: deque[_Job] = deque()
        self._digesting_nbytes = 0
        self._coding: deque[tuple[_Job, Future[tuple[Coded, SourceRange | None]]]] = deque()
        self._in_flight: dict[Digest, _Job] = {}
        self._pending: dict[Digest, BlobRecord] = {}
        self._writer: PackWriter | None = None
        self._token = Digest(bytes(DIGEST_NBYTES))
        self._sealed: dict[Digest, Digest] = {}
        self._failure: BaseException | None = None
        self.totals = IngestTotals()

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        """Let nothing go on after a failure: the pipeline may have lost a segment in it."""
        if self._failure is not None:
            raise self._failure
        try:
            yield
        except BaseException as error:
            self._failure = error
            raise

    # -- feeding ----------------------------------------------------------------------------------------------

    def submit(self, source: ByteSource, segment: ParsedSegment, deliver: Callable[[Digest], None]) -> None:
        """Put a segment on its way; may work off earlier ones first.

        Parameters
        ----------
        source
            Where the bytes are; must stay open until ``deliver`` is called.
        segment
            Which of them.
        deliver
            Called in this thread, once, with the segment's digest.
        """
        with self._unbroken():
            self.totals.added_nbytes += segment.nbytes
            if not segment.nbytes:
                deliver(self._hasher.digest(b""))
                return
            job = _Job(source, segment, deliver)
            job.future = self._pool.submit(
                digest_segment, self._hasher, source, segment, job.chunk_nbytes, self._keeper
            )
            self._digesting.append(job)
            self._digesting_nbytes += job.window_nbytes
            while self._digesting_nbytes > WINDOW_NBYTES or len(self._digesting) > WINDOW_JOBS:
                self._advance()

    def drain(self) -> None:
        """Work off everything submitted."""
        with self._unbroken():
            while self._digesting:
                self._advance()
            while self._coding:
                self._collect()

    def writer(self) -> PackWriter:
        """Give the pack that is being written, for objects and facts."""
        if self._failure is not None:
            raise self._failure
        if self._writer is None:
            path = self._lease.temporary_pack()
            self._writer = PackWriter(self._layout, self._settings.store_id, self._hasher, path)
            self._token = Digest(secrets.token_bytes(DIGEST_NBYTES))
            self._reader.pin_pack(self._token, path, self._writer.flush)
        return self._writer

    def seal(self) -> None:
        """Seal and index the pack that is being written, if there is one."""
        if self._writer is None:
            return
        if self._failure is not None:
            raise self._failure
        writer, self._writer = self._writer, None
        sealed_at_ns = max(time.time_ns(), self._catalog.last_sealed_at_ns() + 1)
        try:
            pack, nbytes = writer.seal(sealed_at_ns)
        except BaseException as error:
            self._failure = error
            writer.discard()
            raise
        self._sealed[self._token] = pack
        self._reader.sealed(self._token, pack)
        index_pack(self._catalog, self._hasher, pack, nbytes, writer.table)
        done = [self._pending.pop(record.digest, None) for record in writer.table.blobs]
        self._reader.drop_pending([record for record in done if record is not None], ())

    def close(self) -> None:
        """Stop the workers and throw away what is not sealed."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._writer is not None:
            self._writer.discard()
            self._writer = None
        self._reader.drop_pending(self._pending.values(), [*self._sealed, self._token])
        self._pending.clear()

    # -- the pipeline -----------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Take the oldest digested segment: known already, or on to coding."""
        job = self._digesting.popleft()
        self._digesting_nbytes -= job.window_nbytes
        if job.future is None:
            raise InvariantError("ingest job", expected="a running digest", found="none")
        digested = job.digested = job.future.result()
        self._add_times(digested.stage_s)
        twin = self._in_flight.get(digested.digest)
        if twin is not None:
            digested.release(self._keeper)
            twin.waiting.append(job.deliver)
            self._progress.advance(job.segment.nbytes)
            return
        is_held, job.generation = self._catalog.holding(digested.digest)
        if digested.digest in self._pending or is_held:
            digested.release(self._keeper)
            self._progress.advance(job.segment.nbytes)
            job.deliver(digested.digest)
            return
        self._finish_near_copies(job, digested)
        started = time.perf_counter()
        job.choice = self._search.choose(
            digested.digest,
            job.segment,
            digested.sketch,
            lambda offset, nbytes: _read_piece(job, offset, nbytes),
        )
        self.totals.stage_s["search"] += time.perf_counter() - started
        self.totals.new_nbytes += job.segment.nbytes
        self._in_flight[digested.digest] = job
        for index in range(chunk_count(job.segment.nbytes, job.chunk_nbytes)):
            self._coding.append((job, self._pool.submit(self._code_chunk, job, index)))
            while len(self._coding) > self._max_coding:
                self._collect()

    def _finish_near_copies(self, job: _Job, digested: Digested) -> None:
        """Wait for tensors in flight that this one resembles, so that they can be its base."""
        for other in list(self._in_flight.values()):
            if other.digested is None or other.segment.nbytes != job.segment.nbytes:
                continue
            if is_near_copy(digested, other.digested, job.element_width):
                while other.digested is not None:
                    self._collect()

    def _code_chunk(self, job: _Job, index: int) -> tuple[Coded, SourceRange | None]:
        """Read and code one chunk; runs in a worker. Gives what it was coded against, too."""
        digested, choice = job.digested, job.choice
        if digested is None or choice is None:
            raise InvariantError("ingest job", expected="a digest and a choice", found="none")
        started = time.perf_counter()
        offset = index * job.chunk_nbytes
        nbytes = min(job.chunk_nbytes, job.segment.nbytes - offset)
        raw = _read_chunk(job, digested, index, offset, nbytes)
        read_s = time.perf_counter() - started
        started = time.perf_counter()
        prediction, source = self._predict(choice, offset, nbytes)
        predict_s = time.perf_counter() - started
        coded = code_chunk(raw, job.element_width, prediction, self._mode, job.source.name)
        if len(digested.kept) > 1:  # a segment of one chunk may still be compared with others
            self._keeper.give(digested.kept[index])
            digested.kept[index] = None
        coded.stage_s["read"] += read_s
        coded.stage_s["code"] += predict_s
        return coded, source if coded.is_delta else None

    def _predict(
        self, choice: BaseChoice, offset: int, nbytes: int
    ) -> tuple[Buffer | None, SourceRange | None]:
        """Read what a chunk is coded against; nothing where there is no base, or it turns out to be damaged."""
        if choice.base is None or offset >= choice.base_nbytes:
            return None, None
        source = SourceRange(choice.base, offset, min(nbytes, choice.base_nbytes - offset))
        is_whole = source.nbytes == nbytes
        base = memoryview(_base_buffer(nbytes))[:nbytes] if is_whole else memoryview(bytearray(source.nbytes))
        try:
            self._reader.read_into(source.digest, source.offset, base, depth=1)
        except IntegrityError:
            return None, None  # old damage must not keep sound files out; verify names it
        return BasePredictor().predict([base], nbytes, BasePredictor.version, b""), source

    def _collect(self) -> None:
        """Take the oldest coded chunk and append it to the pack."""
        job, future = self._coding.popleft()
        coded, source = future.result()
        self._add_times(coded.stage_s)
        started = time.perf_counter()
        writer = self.writer()
        offset = writer.append(coded.chunk.data)
        if job.digested is None:
            raise InvariantError("ingest job", expected="a digest", found="none")
        stored = StoredRange(self._token, offset, len(coded.chunk.data), coded.checksum)
        job.chunks.append(
            ChunkRecord(
                BasePredictor.predictor_id if source else 0,
                BasePredictor.version,
                b"",
                (source,) if source else (),
                coded.chunk.codec_id,
                coded.chunk.codec_version,
                coded.chunk.parameters,
                False,
                stored,
                job.digested.checksums[len(job.chunks)],
            )
        )
        self.totals.stored_nbytes += len(coded.chunk.data)
        raw_nbytes = min(job.chunk_nbytes, job.segment.nbytes - (len(job.chunks) - 1) * job.chunk_nbytes)
        if source:
            self.totals.delta_nbytes += raw_nbytes
        self._progress.advance(raw_nbytes)
        if len(job.chunks) == len(job.digested.checksums):
            self._finish_blob(job, job.digested, writer)
        if writer.nbytes >= TARGET_NBYTES or writer.table_nbytes_estimate >= TARGET_TABLE_NBYTES:
            self.seal()
        self.totals.stage_s["write"] += time.perf_counter() - started

    def _finish_blob(self, job: _Job, digested: Digested, writer: PackWriter) -> None:
        """Make the record of a blob whose chunks are all in packs."""
        is_delta = any(chunk.is_delta for chunk in job.chunks)
        record = BlobRecord(
            digested.digest,
            job.segment.nbytes,
            job.element_width,
            job.chunk_nbytes,
            job.generation,
            job.choice.standalone_nbytes if job.choice and is_delta else 0,
            None,
            tuple(job.chunks),
        )
        writer.table.blobs.append(self._resolved(record))
        if digested.sketch is not None:
            writer.table.facts.append(Fact(FactKind.SKETCH, digested.digest, digested.sketch.to_bytes()))
        self._pending[digested.digest] = record
        self._reader.add_pending(record)
        if job.segment.tensor is not None and not is_delta:
            self._search.add(digested.digest, job.segment.tensor, job.segment.nbytes, digested.sketch)
        for base in record.source_digests():
            self.totals.bases[base] = self.totals.bases.get(base, 0) + 1
        del self._in_flight[digested.digest]
        for deliver in (job.deliver, *job.waiting):
            deliver(digested.digest)
        digested.release(self._keeper)
        job.digested = None

    def _resolved(self, record: BlobRecord) -> BlobRecord:
        """Replace the tokens of unsealed packs: this one by None, sealed ones by their ids."""
        packs: dict[Digest | None, Digest | None] = {self._token: None}
        for token, pack in self._sealed.items():
            packs[token] = pack
        return replace(
            record,
            chunks=tuple(
                replace(chunk, stored=replace(chunk.stored, pack=packs[chunk.stored.pack]))
                for chunk in record.chunks
            ),
        )

    def _add_times(self, stage_s: dict[str, float]) -> None:
        for stage, seconds in stage_s.items():
            self.totals.stage_s[stage] += seconds


_base_local = threading.local()


def _base_buffer(nbytes: int) -> bytearray:
    buffer: bytearray | None = getattr(_base_local, "buffer", None)
    if buffer is None or len(buffer) < nbytes:
        buffer = _base_local.buffer = bytearray(max(nbytes, CHUNK_NBYTES))
    return buffer


def _read_piece(job: _Job, offset: int, nbytes: int) -> memoryview:
    """Give some bytes of a segment, for a trial."""
    index, start = divmod(offset, job.chunk_nbytes)
    kept = job.digested.kept[index] if job.digested is not None else None
    if kept is not None and start + nbytes <= len(kept):
        return kept[start : start + nbytes]
    piece = bytearray(nbytes)
    job.source.read_into(job.segment.start + offset, piece)
    return memoryview(piece)


def _read_chunk(job: _Job, digested: Digested, index: int, offset: int, nbytes: int) -> memoryview:
    """Give a chunk's raw bytes; checked to be those that were digested."""
    kept = digested.kept[index]
    if kept is not None:
        return kept
    raw = memoryview(scratch.raw)[:nbytes]
    job.source.read_into(job.segment.start + offset, raw)
    if checksum(raw) != digested.checksums[index]:
        raise SourceChangedError(
            job.source.name,
            expected="the bytes that were there a moment ago",
            found="others",
            path=job.source.name,
            offset=job.segment.start + offset,
            action="Add the file again when nothing writes to it.",
        )
    return raw
