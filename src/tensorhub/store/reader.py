"""Reading blobs: from records and packs to decoded bytes in the caller's buffer.

Duty: fetch coded chunks, check both checksums, predict, decode; keep recently decoded base chunks.
Not its duty: files and repositories (``snapshot``), or finding out what is damaged where (``verify``).
Invariants: no byte leaves here that did not pass its chunk's checksum of decoded bytes; a base chunk that
several readers want is decoded once; memory is bounded by the cache limit plus one chunk per thread and
depth. Safe to call from many threads.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import decode_chunk
from tensorhub.codecs.registry import predictor_for_record
from tensorhub.errors import (
    CorruptPackError,
    DigestMismatchError,
    IntegrityError,
    InvariantError,
    MissingBaseError,
    MissingBlobError,
    ShapeMismatchError,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import BlobRecord, ChunkRecord, StoredRange
from tensorhub.store.catalog import Catalog
from tensorhub.store.hashing import checksum
from tensorhub.store.layout import Layout
from tensorhub.store.pack import PackFile
from tensorhub.store.read_plan import plan_chunks

MAX_DEPTH = 8  # delta depth is 1 by design; a longer walk means a record that lies
CHUNK_CACHE_NBYTES = (
    96 << 20
)  # holds the bases of the tensors in flight; part of the 512 MiB promised for add and get
_RECORD_CACHE = 4096  # parsed blob records; about 1 kB each for usual tensors
_OPEN_PACKS = 128  # descriptors kept; the usual soft limit of a process is 1024

ChunkKey = tuple[bytes, int]


@dataclass(slots=True)
class ReaderCounts:
    """What a reader did since it was made.

    Attributes
    ----------
    chunks, decoded_nbytes, stored_nbytes
        Chunks decoded, bases among them; their bytes, and the coded bytes that were read for them.
    decode_s
        Time of all threads in decoding, without reading and without decoding bases.
    hits, misses
        Chunks that were asked for in part or as a base: found decoded already (or just being so), or not.
    """

    chunks: int = 0
    decoded_nbytes: int = 0
    stored_nbytes: int = 0
    decode_s: float = 0.0
    hits: int = 0
    misses: int = 0


class BlobReader:
    """Reads decoded bytes of blobs.

    Parameters
    ----------
    catalog, layout
        The store's.
    """

    def __init__(self, catalog: Catalog, layout: Layout) -> None:
        self._catalog = catalog
        self._layout = layout
        self._lock = threading.Lock()
        self._records: OrderedDict[bytes, BlobRecord] = OrderedDict()
        self._packs: OrderedDict[bytes, PackFile] = OrderedDict()
        self._chunks: OrderedDict[ChunkKey, bytearray] = OrderedDict()
        self._chunks_nbytes = 0
        self._decoding: dict[ChunkKey, Future[bytearray]] = {}
        self._pending: dict[bytes, list[BlobRecord]] = {}  # several writers may bring one blob
        # By token: the unsealed pack, or the id that it got; descriptors of sealed ones are bounded by _packs.
        self._unsealed: dict[bytes, tuple[PackFile, Callable[[], None]] | Digest] = {}
        self._counts = ReaderCounts()

    @property
    def counts(self) -> ReaderCounts:
        """What was done so far; a copy."""
        with self._lock:
            return replace(self._counts)

    # -- what a writer has not sealed yet -------------------------------------------------------------------

    def pin_pack(self, token: Digest, path: Path, flush: Callable[[], None]) -> None:
        """Let stored ranges whose pack is ``token`` be read from a writer's unsealed pack."""
        with self._lock:
            self._unsealed[token.value] = (PackFile(path, None), flush)

    def sealed(self, token: Digest, pack: Digest) -> None:
        """Read stored ranges whose pack is ``token`` from the pack that it became."""
        with self._lock:
            self._unsealed[token.value] = pack

    def add_pending(self, record: BlobRecord) -> None:
        """Make a blob readable that the catalogue does not know yet; its ranges name a pinned pack."""
        with self._lock:
            self._pending.setdefault(record.digest.value, []).append(record)

    def drop_pending(self, records: Iterable[BlobRecord], tokens: Iterable[Digest]) -> None:
        """Forget a writer's unsealed blobs, as it added them: they are in the catalogue now, or discarded."""
        with self._lock:
            for record in records:
                key = record.digest.value
                others = [item for item in self._pending.pop(key, ()) if item is not record]
                if others:
                    self._pending[key] = others
            for token in tokens:
                self._unsealed.pop(token.value, None)

    # -- records and packs ----------------------------------------------------------------------------------

    def record(self, digest: Digest, *, nbytes: int | None = None) -> BlobRecord:
        """Give a blob's record.

        Parameters
        ----------
        digest
            The blob.
        nbytes
            Its size as somebody else says, to be compared.

        Raises
        ------
        MissingBlobError
            The store does not hold the blob.
        DigestMismatchError
            It has another size.
        """
        found = self._record(digest)
        if nbytes is not None and found.nbytes != nbytes:
            raise DigestMismatchError(
                f"blob {digest}",
                expected=f"{nbytes} bytes, as the file record says",
                found=f"{found.nbytes} bytes",
                digest=str(digest),
                action="Run `tensorhub verify` to see which files are affected.",
            )
        return found

    def _record(self, digest: Digest) -> BlobRecord:
        key = digest.value
        with self._lock:
            pending = self._pending.get(key)
            found = pending[-1] if pending else self._records.get(key)
            if found is not None:
                return found
        record = self._catalog.blob_record(digest)
        with self._lock:
            self._records[key] = record
            while len(self._records) > _RECORD_CACHE:
                self._records.popitem(last=False)
        return record

    def prefetch(self, digests: Iterable[Digest]) -> None:
        """Read many records in one go, before blobs are read one by one; missing ones are left for later."""
        with self._lock:
            wanted = [digest for digest in digests if digest.value not in self._records][:_RECORD_CACHE]
        for digest, record in self._catalog.blob_records(wanted).items():
            with self._lock:
                self._records[digest.value] = record
                while len(self._records) > _RECORD_CACHE:
                    self._records.popitem(last=False)

    def forget(self) -> None:
        """Drop everything cached: after gc may have moved it, and before a check of what is on disk."""
        with self._lock:
            self._chunks.clear()
            self._chunks_nbytes = 0
            self._records.clear()
            self._packs.clear()

    def _pack(self, pack: Digest | None) -> PackFile:
        if pack is None:
            raise InvariantError(
                "stored range",
                expected="the id of a pack",
                found="none",
                action="Please report this with the command that led here.",
            )
        unsealed = self._unsealed.get(pack.value)
        if isinstance(unsealed, Digest):
            pack = unsealed
        elif unsealed is not None:
            file, flush = unsealed
            flush()
            return file
        with self._lock:
            present = self._packs.get(pack.value)
            if present is not None:
                self._packs.move_to_end(pack.value)
                return present
        file = PackFile(self._layout.pack(pack), pack)
        with self._lock:
            self._packs[pack.value] = file
            while len(self._packs) > _OPEN_PACKS:
                self._packs.popitem(last=False)
        return file

    def stored(self, digest: Digest, stored: StoredRange) -> bytes:
        """Read coded bytes and check their checksum.

        Raises
        ------
        CorruptPackError
            The bytes are not those that were written.
        """
        file = self._pack(stored.pack)
        try:
            coded = file.read(stored.offset, stored.nbytes)
        except CorruptPackError as short:
            short.digest = str(digest)
            raise
        if (found := checksum(coded)) != stored.checksum:
            error = file.corrupt(
                f"coded bytes of blob {digest} with checksum {stored.checksum:016x}",
                f"{found:016x}",
                stored.offset,
            )
            error.digest = str(digest)
            raise error
        return coded

    # -- decoding -------------------------------------------------------------------------------------------

    def read_into(
        self,
        digest: Digest,
        start: int,
        out: bytearray | memoryview,
        *,
        depth: int = 0,
        blob_nbytes: int | None = None,
    ) -> None:
        """Fill ``out`` with the blob's bytes from ``start``.

        Parameters
        ----------
        digest
            The blob.
        start
            First byte inside its decoded content.
        out : shape (n,), uint8, writable
            ``start + n`` must not exceed the blob.
        depth
            How many deltas deep the caller is.
        blob_nbytes
            The blob's size as the file record says, to be compared.

        Raises
        ------
        IntegrityError
            Something that is needed is damaged or missing.
        """
        try:
            self._read_into(self.record(digest, nbytes=blob_nbytes), start, out, depth)
        except (MissingBlobError, MissingBaseError):
            # gc may have moved the blob or its base to another pack since the record was read: look once more.
            self.forget()
            self._read_into(self.record(digest, nbytes=blob_nbytes), start, out, depth)

    def _read_into(self, record: BlobRecord, start: int, out: bytearray | memoryview, depth: int) -> None:
        view = memoryview(out).cast("B")
        if start + len(view) > record.nbytes:
            raise IntegrityError(
                f"blob {record.digest}",
                expected=f"at least {start + len(view)} bytes",
                found=f"{record.nbytes} bytes",
                digest=str(record.digest),
                action="Run `tensorhub verify`; the record that names this range is wrong.",
            )
        for run in plan_chunks(start, start + len(view), record.chunk_nbytes):
            target = view[run.position : run.position + run.stop - run.start]
            nbytes = chunk_nbytes(record, run.index)
            if run.stop - run.start == nbytes and depth == 0:
                self.decode_into(record, run.index, target, depth=depth)
            else:
                target[:] = memoryview(self._cached_chunk(record, run.index, depth))[run.start : run.stop]

    def _cached_chunk(self, record: BlobRecord, index: int, depth: int) -> bytearray:
        key = (record.digest.value, index)
        with self._lock:
            present = self._chunks.get(key)
            if present is not None:
                self._chunks.move_to_end(key)
                self._counts.hits += 1
                return present
            waiting = self._decoding.get(key)
            if waiting is None:
                self._counts.misses += 1
            else:
                self._counts.hits += 1
            if waiting is None:
                mine: Future[bytearray] = Future()
                self._decoding[key] = mine
        if waiting is not None:
            return waiting.result()
        try:
            chunk = bytearray(chunk_nbytes(record, index))
            self.decode_into(record, index, chunk, depth=depth)
        except BaseException as error:
            with self._lock:
                del self._decoding[key]
            mine.set_exception(error)
            raise
        with self._lock:
            self._chunks[key] = chunk
            self._chunks_nbytes += len(chunk)
            while self._chunks_nbytes > CHUNK_CACHE_NBYTES and len(self._chunks) > 1:
                self._chunks_nbytes -= len(self._chunks.popitem(last=False)[1])
            del self._decoding[key]
        mine.set_result(chunk)
        return chunk

    def decode_into(
        self,
        record: BlobRecord,
        index: int,
        out: bytearray | memoryview,
        *,
        depth: int = 0,
        is_known_sound: bool = False,
    ) -> None:
        """Decode one whole chunk into ``out`` and check it.

        Parameters
        ----------
        record, index
            The chunk.
        out : shape (nbytes of the chunk,), uint8, writable
            Filled completely.
        depth
            How many deltas deep the caller is.
        is_known_sound
            Skip the checksum of the decoded bytes, where the caller checks them in another way.
        """
        chunk = record.chunks[index]
        coded = self.stored(record.digest, chunk.stored)
        prediction = self.prediction(record.digest, chunk, len(memoryview(out)), depth)
        model = self.stored(record.digest, record.model) if chunk.uses_model and record.model else None
        context = CodecContext(record.element_width, prediction, model)
        started = time.perf_counter()
        try:
            decode_chunk(chunk.codec_id, chunk.codec_version, chunk.codec_parameters, coded, context, out)
        except CorruptPackError as error:
            error.digest = error.digest or str(record.digest)
            error.pack = error.pack or (chunk.stored.pack.hex if chunk.stored.pack else None)
            error.offset = chunk.stored.offset if error.offset is None else error.offset
            raise
        except ShapeMismatchError as error:  # the record asks for a codec that its sources cannot serve
            raise _corrupt_chunk(
                record.digest, chunk, error.expected or "a prediction", error.found or "none"
            ) from error
        with self._lock:
            self._counts.chunks += 1
            self._counts.decoded_nbytes += len(memoryview(out))
            self._counts.stored_nbytes += len(coded)
            self._counts.decode_s += time.perf_counter() - started
        if not is_known_sound and (found := checksum(memoryview(out))) != chunk.decoded_checksum:
            raise DigestMismatchError(
                f"chunk {index} of blob {record.digest}",
                expected=f"checksum {chunk.decoded_checksum:016x}",
                found=f"{found:016x}",
                digest=str(record.digest),
                pack=chunk.stored.pack.hex if chunk.stored.pack else None,
                offset=chunk.stored.offset,
                action="Run `tensorhub verify` to see which files are affected.",
            )

    def prediction(
        self, digest: Digest, chunk: ChunkRecord, nbytes: int, depth: int
    ) -> bytes | bytearray | memoryview | None:
        """Make the prediction that a chunk was coded against; None without sources."""
        predictor = predictor_for_record(chunk.predictor_id, chunk.predictor_version)
        if len(chunk.sources) != predictor.source_count:
            raise _corrupt_chunk(
                digest, chunk, f"{predictor.source_count} sources", f"{len(chunk.sources)} sources"
            )
        if not chunk.sources:
            return predictor.predict((), nbytes, chunk.predictor_version, chunk.predictor_parameters)
        if depth >= MAX_DEPTH:
            raise IntegrityError(
                f"blob {digest}",
                expected=f"at most {MAX_DEPTH} bases to walk",
                found="more, or a circle",
                digest=str(digest),
                action="Run `tensorhub verify --rebuild-catalog`.",
            )
        sources = []
        for source in chunk.sources:
            if (
                source.nbytes > 2 * nbytes
            ):  # a predictor may need more than it predicts, but not without bound
                raise CorruptPackError(
                    f"chunk of blob {digest}",
                    expected=f"a source of at most {2 * nbytes} bytes",
                    found=f"{source.nbytes}",
                    digest=str(digest),
                    action="Run `tensorhub verify`.",
                )
            try:
                sources.append(self._source(source.digest, source.offset, source.nbytes, depth + 1))
            except MissingBlobError as error:
                raise MissingBaseError(
                    f"base {source.digest} of blob {digest}",
                    expected="the base in some pack",
                    found=error.found,
                    digest=str(digest),
                    pack=error.pack,
                    action="Add any file again that holds the base; `tensorhub verify` lists what needs it.",
                ) from error
        return predictor.predict(sources, nbytes, chunk.predictor_version, chunk.predictor_parameters)

    def _source(self, digest: Digest, offset: int, nbytes: int, depth: int) -> bytearray | memoryview:
        record = self.record(digest)
        index = offset // record.chunk_nbytes
        begin = offset - index * record.chunk_nbytes
        if offset + nbytes <= record.nbytes and begin + nbytes <= chunk_nbytes(record, index):
            return memoryview(self._cached_chunk(record, index, depth))[begin : begin + nbytes]
        joined = bytearray(nbytes)
        self.read_into(digest, offset, joined, depth=depth)
        return joined


def _corrupt_chunk(digest: Digest, chunk: ChunkRecord, expected: str, found: str) -> CorruptPackError:
    return CorruptPackError(
        f"chunk of blob {digest}",
        expected=expected,
        found=found,
        digest=str(digest),
        pack=chunk.stored.pack.hex if chunk.stored.pack else None,
        offset=chunk.stored.offset,
        action="Run `tensorhub verify` to see which files are affected.",
    )


def chunk_nbytes(record: BlobRecord, index: int) -> int:
    """Give the decoded size of a chunk."""
    return min(record.chunk_nbytes, record.nbytes - index * record.chunk_nbytes)
