"""Base search: asking lineage with what the store knows, and trying the best candidates on real bytes.

Duty: load sketch groups from the catalogue, keep up with what the transaction adds, run trials, answer one
:class:`BaseChoice` per tensor. Not its duty: the decision rule itself (``tensorhub.lineage.choice``, pure).
Invariants: only self-contained blobs are ever answered, so that delta depth stays 1; names and model cards
only order candidates of equal merit. Used by one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from tensorhub._native import xor_popcount
from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import estimate_nbytes
from tensorhub.errors import IntegrityError
from tensorhub.lineage.choice import (
    SMALL_CANDIDATES,
    SmallCandidate,
    Trial,
    choose_base,
    order_small_candidates,
    plan_trial_pieces,
    shortlist,
)
from tensorhub.lineage.index import SketchIndex
from tensorhub.lineage.prediction import predict_standalone_ratio
from tensorhub.lineage.sketch import MIN_SKETCHED_NBYTES, Sketch, parse_sketch, sketch_geometry
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import BlobRecord
from tensorhub.schema.tensor import ParsedSegment, TensorSpec
from tensorhub.store.catalog import Catalog

SMALL_TRIALS = 3  # candidates among small tensors that are tried, after all were compared bit by bit
MIN_NBYTES = 256  # a delta's record takes more than a smaller tensor could save
_FIRST_KEY = 1 << 62  # keys of this transaction's blobs; row ids stay far below

ReadPiece = Callable[[int, int], memoryview]


class BaseReader(Protocol):
    """Where the bytes of bases come from: a store's ``BlobReader``, or what stands for one in a prediction."""

    def record(self, digest: Digest) -> BlobRecord:
        """Give a blob's record; never asked for a blob that was added to the search."""

    def read_into(self, digest: Digest, start: int, out: bytearray | memoryview, *, depth: int = 0) -> None:
        """Fill ``out`` with the blob's bytes from ``start``; ``IntegrityError`` where they are damaged."""


@dataclass(frozen=True, slots=True)
class BaseChoice:
    """What a tensor should be coded against.

    Attributes
    ----------
    base, base_nbytes
        The base and its decoded size; None and 0 to stand alone.
    standalone_nbytes
        Predicted coded size without a base.
    predicted_nbytes
        Predicted coded size as chosen.
    """

    base: Digest | None
    base_nbytes: int
    standalone_nbytes: int
    predicted_nbytes: int


class BaseSearch:
    """Finds bases for the tensors of one transaction.

    Parameters
    ----------
    catalog, reader
        The store's.
    """

    def __init__(self, catalog: Catalog, reader: BaseReader) -> None:
        self._catalog = catalog
        self._reader = reader
        self._hinted: set[Digest] = set()
        self._groups: dict[tuple[int, int], SketchIndex] = {}
        self._keys: dict[int, Digest] = {}  # only blobs of this transaction
        self._nbytes: dict[Digest, int] = {}
        self._small: dict[tuple[int, int, int], list[tuple[int, Digest]]] = {}
        self._next_key = _FIRST_KEY

    def hint(self, digests: Iterable[Digest]) -> None:
        """Name blobs of a repository that a model card calls the base model; they only break ties."""
        self._hinted.update(digests)

    def add(self, digest: Digest, spec: TensorSpec, nbytes: int, sketch: Sketch | None) -> None:
        """Offer a self-contained tensor of this transaction as a base to those that follow."""
        key, self._next_key = self._next_key, self._next_key + 1
        self._keys[key] = digest
        self._nbytes[digest] = nbytes
        if sketch is not None:
            group = (sketch.element_width, sketch.row_nelems)
            if group in self._groups:
                self._groups[group].add(key, sketch)
            else:
                self._group(group).add(key, sketch)
        elif MIN_NBYTES <= nbytes < MIN_SKETCHED_NBYTES:
            width, nrows, row_nelems = sketch_geometry(spec)
            self._small.setdefault((width, row_nelems, nrows), []).append((key, digest))

    def choose(
        self, digest: Digest, segment: ParsedSegment, sketch: Sketch | None, read: ReadPiece
    ) -> BaseChoice:
        """Choose what a new segment is coded against.

        Parameters
        ----------
        digest, segment, sketch
            The segment; ``sketch`` is None below 64 KiB.
        read
            Gives bytes of it: ``read(offset, nbytes)``.
        """
        if segment.tensor is None or segment.nbytes < MIN_NBYTES:
            return BaseChoice(None, 0, segment.nbytes, segment.nbytes)
        width = segment.tensor.dtype.element_width
        pieces = plan_trial_pieces(segment.nbytes, width)
        target = _join([read(offset, nbytes) for offset, nbytes in pieces])
        standalone = estimate_nbytes(target, CodecContext(width))
        scale = segment.nbytes / len(target)
        candidates = self._sketched(sketch) if sketch else self._same_shape(segment, read)
        trials: list[Trial] = []
        for key, candidate in candidates:
            prediction = self._predicted(candidate, pieces, len(target)) if candidate != digest else None
            if prediction is not None:
                coded = estimate_nbytes(target, CodecContext(width, prediction))
                trials.append(Trial(key, coded, candidate in self._hinted))
        chosen = choose_base(standalone, trials)
        standalone_nbytes = int(standalone * scale)
        if chosen is None:
            return BaseChoice(None, 0, standalone_nbytes, standalone_nbytes)
        coded_nbytes = next(trial.coded_nbytes for trial in trials if trial.key == chosen)
        base = dict(candidates)[chosen]
        return BaseChoice(base, self._base_nbytes(base), standalone_nbytes, int(coded_nbytes * scale))

    def _sketched(self, sketch: Sketch) -> list[tuple[int, Digest]]:
        matches = self._group((sketch.element_width, sketch.row_nelems)).query(sketch)
        hinted: list[int] = []
        if self._hinted:  # look-ups that few transactions need
            named = self._digests([match.key for match in matches])
            hinted = [key for key, digest in named if digest in self._hinted]
        chosen = shortlist(matches, predict_standalone_ratio(sketch), hinted=hinted)
        return self._digests([match.key for match in chosen])

    def _same_shape(self, segment: ParsedSegment, read: ReadPiece) -> list[tuple[int, Digest]]:
        """Compare a small tensor with others of its shape, bit by bit; gives the nearest few."""
        if segment.tensor is None:
            return []
        width, nrows, row_nelems = sketch_geometry(segment.tensor)
        known = dict(self._catalog.small_candidates(width, row_nelems, nrows, 4 * SMALL_CANDIDATES))
        known.update(self._small.get((width, row_nelems, nrows), ())[-4 * SMALL_CANDIDATES :])
        ordered = [
            candidate.key
            for candidate in order_small_candidates(
                [SmallCandidate(key, is_hinted=digest in self._hinted) for key, digest in known.items()]
            )
        ]
        target = read(0, segment.nbytes)
        base = bytearray(segment.nbytes)
        distances: list[tuple[int, int]] = []
        for key in ordered:
            try:
                self._reader.read_into(known[key], 0, base, depth=1)
            except IntegrityError:
                continue  # a damaged base must not be leaned on; verify will name it
            distances.append((xor_popcount(target, base), len(distances)))
        nearest = [ordered[position] for _, position in sorted(distances)[:SMALL_TRIALS]]
        return [(key, known[key]) for key in nearest]

    def _group(self, group: tuple[int, int]) -> SketchIndex:
        index = self._groups.get(group)
        if index is None:
            index = self._groups[group] = SketchIndex()
            for key, value in self._catalog.sketches(*group, self_contained_only=True):
                index.add(key, parse_sketch(value))
        return index

    def _digests(self, keys: list[int]) -> list[tuple[int, Digest]]:
        known = {key: digest for key in keys if key < _FIRST_KEY and (digest := self._catalog.digest_of(key))}
        return [
            (key, self._keys[key] if key >= _FIRST_KEY else known[key])
            for key in keys
            if key >= _FIRST_KEY or key in known
        ]

    def _base_nbytes(self, digest: Digest) -> int:
        nbytes = self._nbytes.get(digest)
        return self._reader.record(digest).nbytes if nbytes is None else nbytes

    def _predicted(self, base: Digest, pieces: list[tuple[int, int]], nbytes: int) -> bytearray | None:
        """Read a base where the trial pieces lie, zeros past its end; None where it cannot be read."""
        prediction = bytearray(nbytes)
        view, at = memoryview(prediction), 0
        try:
            base_nbytes = self._base_nbytes(base)
        except IntegrityError:
            return None
        for offset, length in pieces:
            available = min(length, base_nbytes - offset)
            if available > 0:
                try:
                    self._reader.read_into(base, offset, view[at : at + available], depth=1)
                except IntegrityError:
                    return None  # a damaged base must not be leaned on; verify will name it
            at += length
        return prediction


def _join(pieces: list[memoryview]) -> memoryview:
    return pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))
