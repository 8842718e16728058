"""Cheap statistics of bytes, from a sample, by which encoders decide.

Duty: spread samples and order-0 entropy. Not its duty: decisions; the thresholds stand where they are used.
Invariant: deterministic, so that equal input has equal coded bytes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tensorhub._native import histogram
from tensorhub.codecs.base import Buffer

Counts = npt.NDArray[np.uint64]


def sample_pieces(data: memoryview, pieces: int, piece_nbytes: int, multiple: int = 1) -> bytes | memoryview:
    """Take evenly spread pieces of a buffer.

    Parameters
    ----------
    data : shape (nbytes,), uint8, borrowed
        What to sample.
    pieces
        How many pieces.
    piece_nbytes
        Length of each; a multiple of ``multiple``.
    multiple
        Every piece starts at a multiple of this, say the element width.

    Returns
    -------
    bytes or memoryview
        The pieces joined; ``data`` itself where it is not longer than they would be.
    """
    nbytes = len(data)
    if nbytes <= pieces * piece_nbytes:
        return data
    last = nbytes - piece_nbytes
    starts = [last * i // (pieces - 1) // multiple * multiple for i in range(pieces)]
    return b"".join([data[start : start + piece_nbytes] for start in starts])


def count_bytes(data: Buffer) -> Counts:
    """Count each byte value.

    Parameters
    ----------
    data : shape (nbytes,), uint8, borrowed
        What to count.

    Returns
    -------
    ndarray, shape (256,), uint64
        The counts.
    """
    counts = np.empty(256, np.uint64)
    histogram(data, counts)
    return counts


def entropy_bits(counts: Counts) -> float:
    """Estimate the order-0 entropy of the population that a sample came from.

    Parameters
    ----------
    counts : shape (256,), uint64
        How often each value occurs in the sample.

    Returns
    -------
    float
        Bits per byte, from 0 to 8; 0 for an empty sample.

    Notes
    -----
    With Miller and Madow's correction: a sample of n bytes with k distinct values is
    (k - 1) / (2 n ln 2) bits too low on average, which would let random bytes look compressible.

    References
    ----------
    G. A. Miller, Note on the bias of information estimates, 1955.
    """
    present = counts[counts > 0].astype(np.float64)
    total = float(present.sum())
    if total == 0:
        return 0.0
    plain = math.log2(total) - float(np.dot(present, np.log2(present))) / total
    return min(8.0, plain + (len(present) - 1) / (2 * total * math.log(2)))
