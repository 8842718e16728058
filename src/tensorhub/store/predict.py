"""Prediction: what adding would save, without storing anything.

Duty: digest, sketch and sample content as ``add`` would; add up. Not its duty: being exact: sizes come from
sampled pieces. Invariants: nothing in the store changes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import encode_chunk
from tensorhub.formats.folder import FolderEntry, scan_folder
from tensorhub.formats.registry import parse_file
from tensorhub.formats.source import FileSource
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import CHUNK_NBYTES, BlobRecord
from tensorhub.schema.tensor import ParsedSegment
from tensorhub.store.add import file_entry
from tensorhub.store.base_search import BaseSearch
from tensorhub.store.digesting import Digested, digest_segment
from tensorhub.store.kept_bytes import KeptBytes
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.reader import BlobReader
from tensorhub.store.snapshots import as_repository
from tensorhub.store.store import Store
from tensorhub.store.values import Prediction

_WINDOW = 16  # segments whose digests may be computed ahead
_SAMPLE_NBYTES = 256 << 10


def predict_folder(
    store: Store,
    folder: Path,
    repository: str | RepositoryId,
    *,
    mode: str | Mode | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Predict what :func:`add_folder` would do to the store as it is now; see :class:`Predictor`."""
    return Predictor(store, mode=mode).folder(folder, repository, progress=progress)


def predict_files(
    store: Store,
    files: Sequence[Path],
    repository: str | RepositoryId,
    *,
    mode: str | Mode | None = None,
    progress: Progress | None = None,
) -> Prediction:
    """Predict what :func:`add_files` would do to the store as it is now; see :class:`Predictor`."""
    return Predictor(store, mode=mode).files(files, repository, progress=progress)


class Predictor:
    """Predicts several additions one after the other, each as if those before it had been made.

    Content that an earlier call saw is identical for a later one, and its tensors may be bases; they are read
    from the files again, which must stay as they are until the last call. Not thread-safe.

    Parameters
    ----------
    store
        What is there already; stays as it is.
    mode
        The mode of the additions; by default the store's. What is no tensor is predicted by coding a sample in
        it; sizes of tensors are estimates by entropy, the same in every mode.

    Raises
    ------
    UsageError
        There is no mode of this name.
    """

    def __init__(self, store: Store, *, mode: str | Mode | None = None) -> None:
        self._store = store
        self._mode = store.settings.choose_mode(mode)
        self._seen: dict[Digest, str] = {}  # by digest: the repository that would bring it
        self._reader = _SourceReader(store.reader)
        self._search = BaseSearch(store.catalog, self._reader)
        self._keeper = KeptBytes(0)

    def folder(
        self, folder: Path, repository: str | RepositoryId, *, progress: Progress | None = None
    ) -> Prediction:
        """Predict what :func:`add_folder` would do."""
        listing = scan_folder(folder)
        return self._predict(listing.entries, repository, listing.notices, progress or Quiet())

    def files(
        self, files: Sequence[Path], repository: str | RepositoryId, *, progress: Progress | None = None
    ) -> Prediction:
        """Predict what :func:`add_files` would do."""
        return self._predict([file_entry(path) for path in files], repository, (), progress or Quiet())

    def _predict(
        self,
        entries: Sequence[FolderEntry],
        repository: str | RepositoryId,
        notices: tuple[str, ...],
        listener: Progress,
    ) -> Prediction:
        name, sums = str(as_repository(repository)), _Sums()
        listener.begin("Predicting", sum(entry.nbytes for entry in entries))
        with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="tensorhub-predict") as pool:
            for entry in entries:
                if entry.source_path is None:
                    continue
                with FileSource(entry.source_path) as source:
                    sums.nbytes += source.nbytes
                    segments = parse_file(entry.path_in_repo, source).segments
                    for segment, digested in self._digested(pool, source, segments):
                        self._take(name, sums, entry.source_path, source, segment, digested)
                        listener.advance(segment.nbytes)
        listener.end()
        return Prediction(
            name,
            len(entries),
            sums.tensors,
            sums.nbytes,
            sums.identical,
            sums.delta,
            sums.predicted,
            self._count_by_repository(sums.bases),
            notices,
        )

    def _digested(
        self, pool: ThreadPoolExecutor, source: FileSource, segments: Sequence[ParsedSegment]
    ) -> Iterator[tuple[ParsedSegment, Digested]]:
        """Digest a file's segments, a few ahead, in order."""
        waiting: deque[tuple[ParsedSegment, Future[Digested]]] = deque()
        for segment in segments:
            if not segment.nbytes:
                continue
            width = segment.tensor.dtype.element_width if segment.tensor else 1
            chunk_nbytes = CHUNK_NBYTES // width * width
            job = pool.submit(
                digest_segment, self._store.settings.hasher, source, segment, chunk_nbytes, self._keeper
            )
            waiting.append((segment, job))
            if len(waiting) > _WINDOW:
                yield self._done(*waiting.popleft())
        for done, job in waiting:
            yield self._done(done, job)

    def _done(self, segment: ParsedSegment, job: Future[Digested]) -> tuple[ParsedSegment, Digested]:
        """Wait for a digest; the bytes are read again where they are asked for."""
        digested = job.result()
        digested.release(self._keeper)
        return segment, digested

    def _take(
        self,
        repository: str,
        sums: _Sums,
        path: Path,
        source: FileSource,
        segment: ParsedSegment,
        digested: Digested,
    ) -> None:
        """Count one segment."""
        digest = digested.digest
        if segment.tensor is not None:
            sums.tensors += 1
        if digest in self._seen or self._store.catalog.holding(digest)[0]:
            sums.identical += segment.nbytes
            return
        self._seen[digest] = repository

        def read(offset: int, nbytes: int) -> memoryview:
            piece = bytearray(nbytes)
            source.read_into(segment.start + offset, piece)
            return memoryview(piece)

        if segment.tensor is None:
            length = min(segment.nbytes, _SAMPLE_NBYTES)
            coded = encode_chunk(read(0, length), CodecContext(1), self._mode)
            sums.predicted += coded.nbytes * segment.nbytes // length
            return
        choice = self._search.choose(digest, segment, digested.sketch, read)
        sums.predicted += choice.predicted_nbytes
        if choice.base is not None:
            sums.delta += segment.nbytes
            sums.bases[choice.base] = sums.bases.get(choice.base, 0) + 1
        else:
            self._reader.sources[digest] = (path, segment.start)
            self._search.add(digest, segment.tensor, segment.nbytes, digested.sketch)

    def _count_by_repository(self, bases: dict[Digest, int]) -> dict[str, int]:
        """Count bases by the repositories that hold them, or would."""
        held = {digest: count for digest, count in bases.items() if digest not in self._seen}
        counts = dict(self._store.places.count_by_repository(held))
        for digest, count in bases.items():
            if digest in self._seen:
                counts[self._seen[digest]] = counts.get(self._seen[digest], 0) + count
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclass(slots=True)
class _Sums:
    """What would happen, in bytes; and how many tensors lean on each base."""

    nbytes: int = 0
    identical: int = 0
    delta: int = 0
    predicted: int = 0
    tensors: int = 0
    bases: dict[Digest, int] = field(default_factory=dict)


class _SourceReader:
    """Reads bases from the store, or from the files whose addition was predicted."""

    def __init__(self, reader: BlobReader) -> None:
        self._reader = reader
        self.sources: dict[Digest, tuple[Path, int]] = {}

    def record(self, digest: Digest) -> BlobRecord:
        """Give the record of a stored blob."""
        return self._reader.record(digest)

    def read_into(self, digest: Digest, start: int, out: bytearray | memoryview, *, depth: int = 0) -> None:
        """Fill ``out`` with the blob's bytes from ``start``."""
        if digest not in self.sources:
            self._reader.read_into(digest, start, out, depth=depth)
            return
        path, offset = self.sources[digest]
        with FileSource(path) as source:
            source.read_into(offset + start, out)
