"""Recoding: blobs that are in packs, coded anew in place.

Duty: the bounded pipeline decode -> check -> code -> read back -> keep the better one, chunk by chunk.
Not its duty: which blobs, or what is remembered of them (``optimize``).
Invariants: a blob gets a new record only after its whole content was read and is what its digest says; a chunk
that is not coded anew stays where it lies, and the new record points there; a chunk leans on what it leaned
on, or on nothing, so that delta depth never grows; memory is a few chunks a worker, whatever the sizes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tensorhub.codecs.mode import Mode
from tensorhub.codecs.registry import NONE
from tensorhub.errors import DigestMismatchError, IntegrityError, MissingBaseError, MissingBlobError
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import CHUNK_NBYTES, BlobRecord, ChunkRecord, StoredRange
from tensorhub.store.coding import Coded, code_chunk
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.progress import Progress
from tensorhub.store.reader import chunk_nbytes

if TYPE_CHECKING:
    from tensorhub.store.store import Store

# Decoded bytes after which a pack is sealed, however little is in it: a kill costs at most the work on so many,
# some minutes in the slowest mode.
SEAL_EVERY_NBYTES = 4 << 30
_IN_FLIGHT = 3  # chunks for each worker: one at work, one to come, one that waits to be written


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one blob.

    Attributes
    ----------
    digest, nbytes, stored_nbytes_before, stored_nbytes_after
        The blob, its decoded size, its coded size as it was and is.
    is_rewritten
        At least one chunk was, or would be, coded anew.
    is_exact
        Every chunk is now as the mode makes it.
    failure
        Why it stays as it is, though nothing is known about it: it could not be read.
    """

    digest: Digest
    nbytes: int
    stored_nbytes_before: int
    stored_nbytes_after: int
    is_rewritten: bool
    is_exact: bool
    failure: IntegrityError | None = None


@dataclass(slots=True)
class _Job:
    """One blob on its way. ``state`` hashes its content."""

    record: BlobRecord
    state: Any
    left: int
    is_second_try: bool = False
    chunks: list[ChunkRecord] = field(default_factory=list)
    is_changed: bool = False
    is_exact: bool = True
    failure: IntegrityError | None = None


@dataclass(slots=True)
class _Done:
    """One chunk: its content, its record as it was, and a better coding where there is one."""

    raw: memoryview
    chunk: ChunkRecord
    coded: Coded | None
    is_same: bool


class Recoder:
    """Codes blobs anew. Call from one thread; it uses its own workers.

    Parameters
    ----------
    store
        Whose blobs.
    mode
        How hard the encoder tries.
    is_forced
        Take every coding that differs, not only smaller ones.
    output
        Where new codings go; None to find out only.
    deliver
        Called in this thread, once for each blob that is still there, before its pack is sealed.
    progress
        Told the decoded bytes done.
    workers
        Threads that decode and code.
    """

    def __init__(
        self,
        store: Store,
        mode: Mode,
        *,
        is_forced: bool,
        output: PackOutput | None,
        deliver: Callable[[Outcome], None],
        progress: Progress,
        workers: int,
    ) -> None:
        self._store = store
        self._mode = mode
        self._is_forced = is_forced
        self._output = output
        self._deliver = deliver
        self._progress = progress
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="tensorhub-recode")
        self._limit = _IN_FLIGHT * workers
        self._running: deque[tuple[_Job, int, Future[_Done | None]]] = deque()
        self._again: list[Digest] = []
        self._free: list[bytearray] = []
        self._since_seal_nbytes = 0

    def submit(self, digest: Digest, *, is_second_try: bool = False) -> None:
        """Put a blob on its way, if it is still there; may finish earlier ones first."""
        try:
            record = self._store.catalog.blob_record(digest)
        except MissingBlobError:
            return  # it died, and gc took it meanwhile
        state = self._store.settings.hasher.start()
        job = _Job(record, state, len(record.chunks), is_second_try)
        for index in range(job.left):
            self._running.append((job, index, self._pool.submit(self._recode, job, index)))
            while len(self._running) > self._limit:
                self._collect()

    def drain(self) -> None:
        """Finish everything submitted, and seal what was written."""
        while self._running:
            self._collect()
        again, self._again = self._again, []
        self._store.reader.forget()
        for digest in again:
            self.submit(digest, is_second_try=True)
        while self._running:
            self._collect()
        if self._output is not None:
            self._output.seal()

    def close(self) -> None:
        """Stop the workers; what was not sealed is the output's to discard."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _recode(self, job: _Job, index: int) -> _Done | None:
        """Decode one chunk and code it anew; runs in a worker. None where the blob is known to be damaged."""
        if job.failure is not None:
            return None
        record, reader = job.record, self._store.reader
        chunk, nbytes = record.chunks[index], chunk_nbytes(record, index)
        try:
            buffer = self._free.pop()
        except IndexError:  # asking first would be another thread's chance
            buffer = bytearray()
        if len(buffer) < nbytes:
            buffer = bytearray(max(nbytes, CHUNK_NBYTES))
        raw = memoryview(buffer)[:nbytes]
        reader.decode_into(record, index, raw)
        prediction = reader.prediction(record.digest, chunk, nbytes, 0)
        coded = code_chunk(raw, record.element_width, prediction, self._mode, f"blob {record.digest}")
        present_nbytes = chunk.stored.nbytes + len(chunk.codec_parameters)
        is_same = (
            (coded.chunk.codec_id, coded.chunk.codec_version, coded.chunk.parameters, coded.is_delta)
            == (chunk.codec_id, chunk.codec_version, chunk.codec_parameters, chunk.is_delta)
            and (len(coded.chunk.data), coded.checksum) == (chunk.stored.nbytes, chunk.stored.checksum)
            and not chunk.uses_model
        )
        is_better = not is_same and (self._is_forced or coded.chunk.nbytes < present_nbytes)
        return _Done(raw, chunk, coded if is_better else None, is_same)

    def _collect(self) -> None:
        """Take the oldest chunk; with the last one of a blob, decide about it."""
        job, index, future = self._running.popleft()
        try:
            done = future.result()
        except IntegrityError as error:
            job.failure = job.failure or error
            done = None
        if done is not None:
            if job.failure is None:
                self._take(job, done)
            if isinstance(done.raw.obj, bytearray):
                self._free.append(done.raw.obj)
        nbytes = chunk_nbytes(job.record, index)
        self._progress.advance(nbytes)
        self._since_seal_nbytes += nbytes
        job.left -= 1
        if not job.left:
            self._finish(job)
        if self._output is not None and (
            self._output.is_full or self._since_seal_nbytes >= SEAL_EVERY_NBYTES
        ):
            self._seal(self._output, job)

    def _take(self, job: _Job, done: _Done) -> None:
        """Hash a chunk's content and note how it is coded from now on."""
        job.state.update(done.raw)
        job.is_exact = job.is_exact and (done.is_same or done.coded is not None)
        if done.coded is None:
            job.chunks.append(done.chunk)
            return
        job.is_changed = True
        coded = done.coded.chunk
        offset = 0 if self._output is None else self._output.writer().append(coded.data)
        chunk = replace(
            done.chunk,
            codec_id=coded.codec_id,
            codec_version=coded.codec_version,
            codec_parameters=coded.parameters,
            uses_model=False,
            stored=StoredRange(None, offset, len(coded.data), done.coded.checksum),
        )
        if not done.coded.is_delta:
            chunk = replace(
                chunk,
                predictor_id=NONE.predictor_id,
                predictor_version=NONE.version,
                predictor_parameters=b"",
                sources=(),
            )
        job.chunks.append(chunk)

    def _seal(self, output: PackOutput, job: _Job) -> None:
        """Let what is in the pack at hand count; chunks of a blob that goes on now lie in a sealed pack."""
        self._since_seal_nbytes = 0
        pack = output.seal()
        job.chunks = [
            chunk if chunk.stored.pack else replace(chunk, stored=replace(chunk.stored, pack=pack))
            for chunk in job.chunks
        ]

    def _finish(self, job: _Job) -> None:
        """Make the new record of a blob, if there is one, and tell what became of it."""
        record = job.record
        if job.failure is None and (found := self._store.settings.hasher.finish(job.state)) != record.digest:
            job.failure = DigestMismatchError(
                f"blob {record.digest}",
                expected=str(record.digest),
                found=str(found),
                digest=str(record.digest),
                action="Run `tensorhub verify` to see what is affected.",
            )
        if isinstance(job.failure, MissingBlobError | MissingBaseError) and not job.is_second_try:
            self._again.append(record.digest)  # gc may have moved the blob, its base, or parts of them
            return
        before = record.stored_nbytes
        if job.failure is not None:
            self._deliver(Outcome(record.digest, record.nbytes, before, before, False, False, job.failure))
            return
        coded = replace(
            record,
            generation=record.generation + 1,
            standalone_nbytes=record.standalone_nbytes if any(chunk.sources for chunk in job.chunks) else 0,
            model=record.model if any(chunk.uses_model for chunk in job.chunks) else None,
            chunks=tuple(job.chunks),
        )
        if self._output is not None and job.is_changed:
            table = self._output.writer().table
            table.blobs.append(coded)
            sketch = self._store.catalog.sketch(record.digest)
            if sketch is not None:  # goes with the record: the pack that has it may be removed
                table.facts.append(Fact(FactKind.SKETCH, record.digest, sketch))
        after = coded.stored_nbytes
        self._deliver(Outcome(record.digest, record.nbytes, before, after, job.is_changed, job.is_exact))
