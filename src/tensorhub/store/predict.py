"""Prediction: what adding would save, without storing anything.

Duty: digest, sketch and sample content as ``add`` would; add up. Not its duty: being exact: sizes come from
sampled pieces. Invariants: nothing in the store changes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import estimate_nbytes
from tensorhub.formats.folder import FolderEntry, scan_folder
from tensorhub.formats.registry import parse_file
from tensorhub.formats.source import FileSource
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import CHUNK_NBYTES
from tensorhub.schema.tensor import ParsedSegment
from tensorhub.store.add import file_entry
from tensorhub.store.base_search import BaseSearch
from tensorhub.store.ingest import Digested, digest_segment
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.snapshots import as_repository
from tensorhub.store.store import Store
from tensorhub.store.values import Prediction

_WINDOW = 16  # segments whose digests may be computed ahead
_SAMPLE_NBYTES = 256 << 10


def predict_folder(
    store: Store, folder: Path, repository: str | RepositoryId, *, progress: Progress | None = None
) -> Prediction:
    """Predict what :func:`add_folder` would do.

    Returns
    -------
    Prediction
        Bases inside the folder itself (a fine-tune beside its base) are not looked for: only what the store holds
        already can be leaned on. Equal tensors inside it are counted once.
    """
    listing = scan_folder(folder)
    return _predict(store, listing.entries, repository, listing.notices, progress or Quiet())


def predict_files(
    store: Store, files: Sequence[Path], repository: str | RepositoryId, *, progress: Progress | None = None
) -> Prediction:
    """Predict what :func:`add_files` would do."""
    return _predict(store, [file_entry(path) for path in files], repository, (), progress or Quiet())


class _Sums:
    """Adds up what would happen."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.search = BaseSearch(store.catalog, store.reader)
        self.seen: set[Digest] = set()
        self.identical = self.delta = self.predicted = self.tensors = 0
        self.bases: dict[Digest, int] = {}

    def take(self, source: FileSource, segment: ParsedSegment, digested: Digested) -> None:
        """Count one segment."""
        if segment.tensor is not None:
            self.tensors += 1
        if digested.digest in self.seen or self.store.catalog.holding(digested.digest)[0]:
            self.identical += segment.nbytes
            return
        self.seen.add(digested.digest)

        def read(offset: int, nbytes: int) -> memoryview:
            piece = bytearray(nbytes)
            source.read_into(segment.start + offset, piece)
            return memoryview(piece)

        if segment.tensor is None:
            length = min(segment.nbytes, _SAMPLE_NBYTES)
            self.predicted += estimate_nbytes(read(0, length), CodecContext(1)) * segment.nbytes // length
            return
        choice = self.search.choose(digested.digest, segment, digested.sketch, read)
        self.predicted += choice.predicted_nbytes
        if choice.base is not None:
            self.delta += segment.nbytes
            self.bases[choice.base] = self.bases.get(choice.base, 0) + 1


def _predict(
    store: Store,
    entries: Sequence[FolderEntry],
    repository: str | RepositoryId,
    notices: tuple[str, ...],
    listener: Progress,
) -> Prediction:
    sums, nbytes = _Sums(store), 0
    listener.begin("Predicting", sum(entry.nbytes for entry in entries))
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="tensorhub-predict") as pool:
        for entry in entries:
            if entry.source_path is None:
                continue
            with FileSource(entry.source_path) as source:
                nbytes += source.nbytes
                waiting: deque[tuple[ParsedSegment, Future[Digested]]] = deque()
                for segment in parse_file(entry.path_in_repo, source).segments:
                    if not segment.nbytes:
                        continue
                    width = segment.tensor.dtype.element_width if segment.tensor else 1
                    job = pool.submit(
                        digest_segment, store.settings.hasher, source, segment, CHUNK_NBYTES // width * width
                    )
                    waiting.append((segment, job))
                    while len(waiting) > _WINDOW:
                        _take(sums, source, waiting, listener)
                while waiting:
                    _take(sums, source, waiting, listener)
    listener.end()
    return Prediction(
        str(as_repository(repository)),
        len(entries),
        sums.tensors,
        nbytes,
        sums.identical,
        sums.delta,
        sums.predicted,
        store.places.count_by_repository(sums.bases),
        notices,
    )


def _take(
    sums: _Sums,
    source: FileSource,
    waiting: deque[tuple[ParsedSegment, Future[Digested]]],
    listener: Progress,
) -> None:
    segment, job = waiting.popleft()
    sums.take(source, segment, job.result())
    listener.advance(segment.nbytes)
