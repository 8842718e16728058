"""Where a sketch samples a tensor: the definition, and the fast way to it.

Duty: the sampled element of each bucket for a number of rows and a row length.
Not its duty: reading the samples (``sketch``) or comparing them (``index``).
Invariants: placement is a pure function of ``(nrows, row_nelems, nbuckets)``, equal on every machine; a
bucket keeps its (row, column) between tensors of ``a <= b`` rows with probability ``a / b``, so a resized
vocabulary keeps nearly all of its samples. Specified in ``docs/format.md``, section 11; the row is the jump
consistent hash of J. Lamping and E. Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm", 2014,
arXiv:1406.2294, figure 1 (ours draws with splitmix64 and divides integers instead of floats).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tensorhub._native import sketch_positions

SKETCH_NBYTES = 512  # sample bytes: 100,000 sketches with index stay below 64 MiB; error 0.12 bit at BF16
SKETCHED_WIDTHS = (1, 2, 4, 8)  # element widths that have sketches; 512 is a multiple of each
NO_POSITION = (1 << 64) - 1  # position of every bucket of an empty tensor

_MASK64 = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: the increment of splitmix64
_CACHED_GEOMETRIES = 256  # a model has tens of distinct shapes; 4 KiB each at most


def _mix64(value: int) -> int:
    """Finish splitmix64: a bijection of 64-bit integers."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK64
    return value ^ (value >> 31)


def _jump_row(state: int, nrows: int) -> int:
    row, following = 0, 0
    while following < nrows:
        row = following
        state = state + _GOLDEN & _MASK64
        draw = (_mix64(state) >> 33) + 1
        following = ((row + 1) << 31) // draw
    return row


def reference_positions(nrows: int, row_nelems: int, nbuckets: int) -> list[int]:
    """Choose the sampled element of each bucket; slow, this is the definition.

    Parameters
    ----------
    nrows, row_nelems
        Rows of the tensor and elements per row; the product is below 2**63.
    nbuckets
        Number of samples, 1 to 512.

    Returns
    -------
    list of int, length nbuckets
        Flat element index ``row * row_nelems + column``, or ``NO_POSITION`` if the tensor is empty.
    """
    if nrows == 0 or row_nelems == 0:
        return [NO_POSITION] * nbuckets
    positions = []
    for bucket in range(nbuckets):
        row = _jump_row(_mix64((2 * bucket + 1) * _GOLDEN & _MASK64), nrows)
        jitter = _mix64((2 * bucket + 2) * _GOLDEN & _MASK64)
        column = (bucket * row_nelems + (jitter * row_nelems >> 64)) // nbuckets
        positions.append(row * row_nelems + column)
    return positions


@lru_cache(maxsize=_CACHED_GEOMETRIES)
def sample_positions(nrows: int, row_nelems: int, element_width: int) -> NDArray[np.uint64]:
    """Give the sampled element of each bucket, as ``reference_positions`` defines it.

    Parameters
    ----------
    nrows, row_nelems
        Rows of the tensor and elements per row.
    element_width
        One of ``SKETCHED_WIDTHS``; there are ``SKETCH_NBYTES // element_width`` buckets.

    Returns
    -------
    ndarray, shape (nbuckets,), uint64, read-only
        Flat element indices; shared with later callers.

    Notes
    -----
    O(nbuckets · log nrows): microseconds whatever the tensor's size. Thread-safe.
    """
    positions = sketch_positions(nrows, row_nelems, SKETCH_NBYTES // element_width)
    positions.flags.writeable = False
    return positions


@lru_cache(maxsize=_CACHED_GEOMETRIES)
def shared_sample_mask(
    nrows: int, other_nrows: int, row_nelems: int, element_width: int
) -> NDArray[np.uint8]:
    """Mark the sample bytes that lie at the same (row, column) in two tensors of equal row length.

    Returns
    -------
    ndarray, shape (512,), uint8, read-only
        255 where both sample the same element, else 0.
    """
    own = sample_positions(nrows, row_nelems, element_width)
    other = sample_positions(other_nrows, row_nelems, element_width)
    is_shared = (own == other) & (own != np.uint64(NO_POSITION))
    mask = np.repeat(is_shared, element_width).astype(np.uint8) * np.uint8(255)
    mask.flags.writeable = False
    return mask
