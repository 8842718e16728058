"""The first pass over a segment: digest, checksums and sketch while its bytes go by.

Duty: read once, learn everything that dedup and base search need. Not its duty: the pipeline (``ingest``).
Invariants: memory is one chunk a thread, and what ``KeptBytes`` lends: all of a small segment, of a large one as many
chunks as its budget allows.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from tensorhub._native import xor_popcount
from tensorhub.formats.source import ByteSource
from tensorhub.lineage.sketch import MIN_SKETCHED_NBYTES, Sketch, SketchBuilder, sketch_geometry
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import (
    CHUNK_NBYTES,
)
from tensorhub.schema.tensor import ParsedSegment
from tensorhub.store.hashing import Hasher, checksum
from tensorhub.store.kept_bytes import KeptBytes

# Segments up to this size stay in memory between digest and coding: one read instead of two.
KEEP_NBYTES = 4 << 20
# Share of differing bits below which tensors in flight wait for each other. Unrelated BF16 weights differ in 0.36;
# the most distant fine-tune of the family that was measured in 0.22.
NEAR_COPY_SHARE = 0.28
STAGES = ("read", "digest", "sketch", "search", "code", "read_back", "write")


@dataclass(slots=True)
class Digested:
    """What the first pass over a segment found."""

    digest: Digest
    checksums: list[int]
    sketch: Sketch | None
    kept: list[memoryview | None]  # by chunk
    stage_s: dict[str, float]

    def whole(self) -> memoryview | None:
        """Give all bytes of a segment of one chunk, where they were kept."""
        return self.kept[0] if len(self.kept) == 1 else None

    def release(self, keeper: KeptBytes) -> None:
        """Give back all bytes that are still kept."""
        for index, chunk in enumerate(self.kept):
            self.kept[index] = None
            keeper.give(chunk)


class Scratch(threading.local):
    """One reused chunk buffer a thread, so that fresh pages are not touched again and again."""

    def __init__(self) -> None:
        self.raw = bytearray(CHUNK_NBYTES)
        self.decoded = bytearray(CHUNK_NBYTES)


scratch = Scratch()


def lap(times: dict[str, float], stage: str, since: float) -> float:
    """Add the time since ``since`` to a stage; gives the present time."""
    now = time.perf_counter()
    times[stage] += now - since
    return now


def digest_segment(
    hasher: Hasher,
    source: ByteSource,
    segment: ParsedSegment,
    chunk_nbytes: int,
    keeper: KeptBytes,
) -> Digested:
    """Read a segment once: digest, checksum of each chunk, and sketch where it has one.

    Returns
    -------
    Digested
        With the bytes themselves where they are few enough to be kept; release them when they are not needed.
    """
    times = dict.fromkeys(STAGES, 0.0)
    kept: list[memoryview | None] = []
    is_small = segment.nbytes <= KEEP_NBYTES
    builder = None
    if segment.tensor is not None and segment.nbytes >= MIN_SKETCHED_NBYTES:
        width, nrows, row_nelems = sketch_geometry(segment.tensor)
        if width in (1, 2, 4, 8):
            builder = SketchBuilder(width, nrows, row_nelems)
    state = hasher.start()
    checksums: list[int] = []
    at = time.perf_counter()
    for offset in range(0, segment.nbytes, chunk_nbytes):
        nbytes = min(chunk_nbytes, segment.nbytes - offset)
        lent = keeper.take(nbytes, must=is_small)
        kept.append(lent)
        chunk = memoryview(scratch.raw)[:nbytes] if lent is None else lent
        source.read_into(segment.start + offset, chunk)
        at = lap(times, "read", at)
        state.update(chunk)
        checksums.append(checksum(chunk))
        at = lap(times, "digest", at)
        if builder is not None:
            builder.update(offset, chunk)
            at = lap(times, "sketch", at)
    sketch = builder.finish() if builder is not None else None
    return Digested(hasher.finish(state), checksums, sketch, kept, times)


def is_near_copy(first: Digested, second: Digested, element_width: int) -> bool:
    """Say whether two segments of one size look alike enough for one to be the other's base.

    Sketches are compared where both have one, small segments whole; others do not count as alike.
    """
    a, b = (first.sketch, second.sketch)
    if a is not None and b is not None:
        is_same_shape = (a.element_width, a.row_nelems, a.nrows) == (b.element_width, b.row_nelems, b.nrows)
        return is_same_shape and xor_popcount(a.values, b.values) < NEAR_COPY_SHARE * 8 * len(a.values)
    one, other = first.whole(), second.whole()
    if a is None and b is None and one is not None and other is not None and element_width > 1:
        return xor_popcount(one, other) < NEAR_COPY_SHARE * 8 * len(one)
    return False
