"""Virtual xorbs: a stored file, cut as if it had been uploaded in plain chunks.

Duty: pure functions from a file and a range to the answer of the reconstruction endpoint, and from bytes of the
file to bytes of its xorbs. Not its duty: reading, or HTTP.
Invariants: the cut depends on the length of a file only, and the names of its xorbs on the file record, so that
what a client keeps of one stays true. Nothing of this is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from tensorhub.hub.xet.hashes import to_text
from tensorhub.hub.xet.xorb import HEADER_NBYTES, MAX_CHUNK_NBYTES, MAX_XORB_NBYTES, plain_header
from tensorhub.schema.digest import Digest

CHUNK_NBYTES = MAX_CHUNK_NBYTES  # the largest that clients take: the fewest headers
XORB_CHUNKS = MAX_XORB_NBYTES // CHUNK_NBYTES  # a client asks for a xorb at a time, and holds it in memory
_FRAME_NBYTES = HEADER_NBYTES + CHUNK_NBYTES


@dataclass(frozen=True, slots=True)
class Term:
    """A run of chunks of one virtual xorb.

    Attributes
    ----------
    index
        Which xorb of the file.
    first, stop
        Chunks, counted in the xorb.
    offset, nbytes
        The same range in the file.
    """

    index: int
    first: int
    stop: int
    offset: int
    nbytes: int

    @property
    def stored_start(self) -> int:
        """Where the run begins in the xorb, with the header of its first chunk."""
        return self.first * _FRAME_NBYTES

    @property
    def stored_nbytes(self) -> int:
        """Length of the run in the xorb, with the headers of its chunks."""
        return self.nbytes + (self.stop - self.first) * HEADER_NBYTES


def plan_terms(file_nbytes: int, start: int, stop: int) -> tuple[int, list[Term]]:
    """Find the runs of chunks that hold a range of a file.

    Parameters
    ----------
    file_nbytes
        Length of the file.
    start, stop
        The range; ``0 <= start < stop <= file_nbytes``.

    Returns
    -------
    tuple
        How many bytes of the first run come before the range; the runs, one for each xorb.
    """
    chunk, end = start // CHUNK_NBYTES, -(-stop // CHUNK_NBYTES)
    skipped = start - chunk * CHUNK_NBYTES
    terms = []
    while chunk < end:
        index, first = divmod(chunk, XORB_CHUNKS)
        count = min(end - chunk, XORB_CHUNKS - first)
        terms.append(make_term(file_nbytes, index, first, first + count))
        chunk += count
    return skipped, terms


def make_term(file_nbytes: int, index: int, first: int, stop: int) -> Term:
    """Give a run of chunks of a virtual xorb; the last chunk of a file is as long as the file lets it be."""
    offset = (index * XORB_CHUNKS + first) * CHUNK_NBYTES
    nbytes = min((stop - first) * CHUNK_NBYTES, file_nbytes - offset)
    return Term(index, first, stop, offset, nbytes)


def xorb_name(file: Digest, index: int) -> str:
    """Name a virtual xorb; clients take the name as it is."""
    return to_text(blake3(file.value + index.to_bytes(8, "little")).digest())


def frame(data: bytearray, offset: int, file_nbytes: int) -> bytearray:
    """Put headers before the chunks that begin in a piece of a file.

    Parameters
    ----------
    data
        The piece.
    offset
        Where it begins in the file.
    file_nbytes
        Length of the file.

    Returns
    -------
    bytearray
        The piece as it lies in the xorb, without the header of a chunk that began before it.
    """
    first, end = -(-offset // CHUNK_NBYTES), -(-(offset + len(data)) // CHUNK_NBYTES)
    out = bytearray(len(data) + (end - first) * HEADER_NBYTES)
    source, target = memoryview(data), memoryview(out)
    done = at = 0
    while done < len(data):
        begin, inside = divmod(offset + done, CHUNK_NBYTES)
        if inside == 0:
            target[at : at + HEADER_NBYTES] = plain_header(
                min(CHUNK_NBYTES, file_nbytes - begin * CHUNK_NBYTES)
            )
            at += HEADER_NBYTES
        nbytes = min(CHUNK_NBYTES - inside, len(data) - done)
        target[at : at + nbytes] = source[done : done + nbytes]
        done += nbytes
        at += nbytes
    return out
