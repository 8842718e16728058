"""The sketch index: the nearest kept tensors of one element width and row length.

Duty: hold sketches in memory and answer which are nearest, with bit distance and predicted ratio.
Not its duty: persistence (sketches are facts in packs), locking, choosing a base (``choice``).
Invariants: tensors are candidates by element width and row length alone, never by name; 584 bytes per sketch
and at most one unfilled block per row count; answers do not depend on the order in which sketches came,
except among exact ties.
Not thread-safe: callers hold one lock around every call (queries release the GIL, so the GIL does not do).
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from tensorhub._native import sketch_features, sketch_nearest, sketch_signature
from tensorhub.lineage.match import Match
from tensorhub.lineage.placement import SKETCH_NBYTES, shared_sample_mask
from tensorhub.lineage.prediction import predict_bits_per_byte, predict_delta_ratio, predict_standalone_ratio
from tensorhub.lineage.sketch import Sketch

_SIGNATURE_NBYTES = 64  # one cache line per sketch in the coarse scan
_FIRST_BLOCK_ROWS = 16  # most shapes have few tensors; a block then takes 9 KiB
_MAX_BLOCK_ROWS = 4096  # 2.4 MB: bounds what an unfilled block wastes without copying on growth
# Sketches that are compared whole: recall and time in benchmarks/records/lineage-index.json
COARSE_KEEP = 1024
# Of those, how many get a predicted ratio; bit distance orders nearly as the prediction does
PREDICTED_KEEP = 32
MIN_SHARED_SAMPLES = 32  # below, the error of a bit distance (0.35 bit at BF16) exceeds what bases differ by
# Row counts are compared where more than half of the larger tensor's rows exist in the smaller: the largest
# vocabulary extensions seen in public models keep 0.58. It spares a layer's other matrices of equal row length.
MIN_ROW_SIMILARITY = 0.5
# Row counts looked at per query, most similar first; bounds a hostile collection of shapes
MAX_ROW_COUNTS = 64


class _RowGroup:
    """Sketches of one element width, row length and row count, in blocks that are never copied."""

    def __init__(self) -> None:
        self.count = 0
        self.keys: list[NDArray[np.int64]] = []
        self.signatures: list[NDArray[np.uint8]] = []
        self.values: list[NDArray[np.uint8]] = []
        self._starts: list[int] = []

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for blocks in (self.keys, self.signatures, self.values) for array in blocks)

    def locate(self, slot: int) -> tuple[int, int]:
        block = bisect_right(self._starts, slot) - 1
        return block, slot - self._starts[block]

    def append(self, key: int, sketch: Sketch) -> None:
        capacity = self._starts[-1] + len(self.keys[-1]) if self._starts else 0
        if self.count == capacity:
            nrows = min(_MAX_BLOCK_ROWS, max(_FIRST_BLOCK_ROWS, capacity))
            self._starts.append(capacity)
            self.keys.append(np.empty(nrows, np.int64))
            self.signatures.append(np.empty((nrows, _SIGNATURE_NBYTES), np.uint8))
            self.values.append(np.empty((nrows, SKETCH_NBYTES), np.uint8))
        block, row = len(self.keys) - 1, self.count - self._starts[-1]
        values = np.frombuffer(sketch.values, np.uint8)
        self.keys[block][row] = key
        self.values[block][row] = values
        self.signatures[block][row] = sketch_signature(values, sketch.element_width)
        self.count += 1


class SketchIndex:
    """Finds kept tensors that resemble a given one.

    Lives as long as a writer; filled from the store's facts. See the module for thread safety.
    """

    def __init__(self) -> None:
        self._groups: dict[tuple[int, int, int], dict[int, _RowGroup]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes that the blocks take, unfilled rows included."""
        return sum(group.nbytes for groups in self._groups.values() for group in groups.values())

    def add(self, key: int, sketch: Sketch) -> None:
        """Add a sketch.

        Parameters
        ----------
        key
            Any 64-bit signed integer not in the index; a key added twice is found twice. It is not looked up,
            because a table of keys would take as much memory again as the signatures.
        sketch
            Copied. Sketches of empty tensors are left out silently: nothing can lean on them.
        """
        if not sketch.nbytes:
            return
        groups = self._groups.setdefault((sketch.version, sketch.element_width, sketch.row_nelems), {})
        groups.setdefault(sketch.nrows, _RowGroup()).append(key, sketch)
        self._count += 1

    def query(self, sketch: Sketch, limit: int = 16, *, is_exhaustive: bool = False) -> list[Match]:
        """List the nearest sketches, best predicted ratio first.

        Parameters
        ----------
        sketch
            The tensor asked about; if it is in the index itself, it is found too.
        limit
            Longest answer, at least 1.
        is_exhaustive
            Compare every sketch whole instead of a shortlist by signature; for measuring.

        Returns
        -------
        list of Match
            By falling predicted ratio, then rising bit distance, then key. Row counts that share fewer than
            ``MIN_SHARED_SAMPLES`` samples with the asked tensor are not considered.

        Notes
        -----
        O(sketches of the group), one coarse pass over 64 bytes each; about 2 bytes of scratch per sketch.
        """
        groups = self._groups.get((sketch.version, sketch.element_width, sketch.row_nelems), {})
        similarity = {nrows: min(nrows, sketch.nrows) / max(nrows, sketch.nrows) for nrows in groups}
        alike = [nrows for nrows in groups if similarity[nrows] > MIN_ROW_SIMILARITY]
        nearest = sorted(alike, key=lambda nrows: (-similarity[nrows], nrows))[:MAX_ROW_COUNTS]
        if not nearest or not sketch.nbytes:
            return []
        values = np.frombuffer(sketch.values, np.uint8)
        signature = sketch_signature(values, sketch.element_width)
        standalone_ratio = predict_standalone_ratio(sketch)
        matches: list[Match] = []
        for nrows in nearest:
            group, coarse_keep = groups[nrows], groups[nrows].count if is_exhaustive else COARSE_KEEP
            matches += _query_group(
                group,
                nrows,
                sketch,
                (values, signature),
                standalone_ratio,
                coarse_keep,
                max(limit, PREDICTED_KEEP),
            )
        matches.sort(key=lambda match: (-match.predicted_ratio, match.bit_distance, match.key))
        return matches[:limit]


def _query_group(
    group: _RowGroup,
    nrows: int,
    sketch: Sketch,
    query: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    standalone_ratio: float,
    coarse_keep: int,
    keep: int,
) -> list[Match]:
    """Give the matches of one row count, unordered."""
    values, signature = query
    width = sketch.element_width
    mask = shared_sample_mask(sketch.nrows, nrows, sketch.row_nelems, width)
    nsamples = int(np.count_nonzero(mask)) // width
    if nsamples < MIN_SHARED_SAMPLES:
        return []
    slots, distances = sketch_nearest(
        group.signatures,
        group.values,
        group.count,
        values,
        mask,
        signature,
        sketch_signature(mask, width),
        coarse_keep,
        keep,
    )
    places = [group.locate(int(slot)) for slot in slots]
    samples = np.stack([group.values[block][row] for block, row in places])
    overlap = min(1.0, nrows / sketch.nrows)
    bits = predict_bits_per_byte(sketch_features(samples, values, mask, width))
    ratios = predict_delta_ratio(bits, overlap, standalone_ratio).tolist()
    bit_distances = (distances / nsamples).tolist()
    return [
        Match(int(group.keys[block][row]), bit_distance, ratio, overlap, nsamples)
        for (block, row), bit_distance, ratio in zip(places, bit_distances, ratios, strict=True)
    ]
