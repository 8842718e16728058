"""Cheap statistics of bytes, from a sample, by which encoders decide.

Duty: spread samples and order-0 entropy. Not its duty: decisions; the thresholds stand where they are used.
Invariant: deterministic, so that equal input has equal coded bytes.
"""

from __future__ import annotations

from tensorhub._native import byte_statistics
from tensorhub.codecs.base import Buffer


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


def entropy_bits(data: Buffer) -> float:
    """Give the order-0 entropy of some bytes.

    Parameters
    ----------
    data : shape (nbytes,), uint8, borrowed
        What to count.

    Returns
    -------
    float
        Bits per byte, from 0 to 8, with Miller and Madow's correction; 0 for none.
    """
    return byte_statistics(data, 1, len(data) + 1)[3]
