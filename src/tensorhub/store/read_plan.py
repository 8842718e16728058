"""Read planning: which pieces of which blobs answer a range of a file.

Duty: a pure function from a file record and a range to reads. Not its duty: reading.
Invariants: the reads cover the range in order, without gap or overlap; nothing outside it is named.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tensorhub.schema.digest import Digest
from tensorhub.schema.tensor import Segment


@dataclass(frozen=True, slots=True)
class BlobRead:
    """One run to read.

    Attributes
    ----------
    digest
        The blob.
    start, stop
        Byte range inside its decoded content.
    position
        Where the run goes, counted from the start of the asked range.
    blob_nbytes
        What the file record says is the blob's size.
    """

    digest: Digest
    start: int
    stop: int
    position: int
    blob_nbytes: int


@dataclass(frozen=True, slots=True)
class ChunkRead:
    """A run inside one chunk: ``index`` of the chunk, ``start:stop`` inside it, ``position`` in the output."""

    index: int
    start: int
    stop: int
    position: int


class FileMap:
    """The segments of a file with their offsets, for repeated planning.

    Parameters
    ----------
    segments
        In file order.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self._starts: list[int] = []
        offset = 0
        for segment in segments:
            self._starts.append(offset)
            offset += segment.nbytes
        self.nbytes = offset

    def start_of(self, ordinal: int) -> int:
        """Offset of a segment in the file."""
        return self._starts[ordinal]

    def plan_range(self, offset: int, length: int) -> Iterator[BlobRead]:
        """Plan the reads for ``[offset, offset + length)``, cut off at the end of the file."""
        stop = min(offset + length, self.nbytes)
        ordinal = max(bisect_right(self._starts, offset) - 1, 0)
        while ordinal < len(self.segments) and (begin := self._starts[ordinal]) < stop:
            segment = self.segments[ordinal]
            first, last = max(offset, begin), min(stop, begin + segment.nbytes)
            if first < last:
                yield BlobRead(segment.digest, first - begin, last - begin, first - offset, segment.nbytes)
            ordinal += 1


def plan_chunks(start: int, stop: int, chunk_nbytes: int) -> Iterator[ChunkRead]:
    """Cut a run of a blob into runs of its chunks."""
    at = start
    while at < stop:
        index = at // chunk_nbytes
        end = min(stop, (index + 1) * chunk_nbytes)
        yield ChunkRead(index, at - index * chunk_nbytes, end - index * chunk_nbytes, at - start)
        at = end
