"""Plain twins of the native plane kernels: the definition of what those do.

Duty: say in a few lines of NumPy what each kernel of ``native/include/tensorhub/planes.hpp`` answers.
Not its duty: speed; nothing but tests and readers of the format calls this.
Invariant: bit-identical to the kernels for every input (property test).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]


def split_planes(data: Bytes, width: int) -> Bytes:
    """Split elements into byte planes.

    Parameters
    ----------
    data : shape (nbytes,), uint8
        Little-endian elements, then a tail.
    width
        Bytes per element, at least 1.

    Returns
    -------
    ndarray, shape (nbytes,), uint8
        Byte 0 of every element, byte 1 of every element, ..., the ``nbytes % width`` bytes of the tail.
    """
    body = len(data) // width * width
    return np.concatenate([data[:body].reshape(-1, width).T.reshape(-1), data[body:]])


def merge_planes(planes: Bytes, width: int) -> Bytes:
    """Undo ``split_planes``.

    Parameters
    ----------
    planes : shape (nbytes,), uint8
        What ``split_planes`` gave.
    width
        Bytes per element, at least 1.

    Returns
    -------
    ndarray, shape (nbytes,), uint8
        The elements and the tail.
    """
    count = len(planes) // width
    body = count * width
    return np.concatenate([planes[:body].reshape(width, count).T.reshape(-1), planes[body:]])


def xor_split_planes(target: Bytes, prediction: Bytes, width: int) -> Bytes:
    """Split the XOR of two buffers into byte planes.

    Parameters
    ----------
    target, prediction : shape (nbytes,), uint8
        What to combine.
    width
        Bytes per element, at least 1.

    Returns
    -------
    ndarray, shape (nbytes,), uint8
        ``split_planes(target XOR prediction)``.
    """
    return split_planes(target ^ prediction, width)


def merge_planes_xor(planes: Bytes, prediction: Bytes, width: int) -> Bytes:
    """Undo ``xor_split_planes``.

    Parameters
    ----------
    planes, prediction : shape (nbytes,), uint8
        What ``xor_split_planes`` gave, and what it was given.
    width
        Bytes per element, at least 1.

    Returns
    -------
    ndarray, shape (nbytes,), uint8
        The target.
    """
    return merge_planes(planes, width) ^ prediction


def xor_popcount(a: Bytes, b: Bytes) -> int:
    """Count the bits in which two buffers differ.

    Parameters
    ----------
    a, b : shape (nbytes,), uint8
        What to compare.

    Returns
    -------
    int
        From 0 to ``8 * nbytes``.
    """
    return int(np.unpackbits(a ^ b).sum(dtype=np.int64))


def byte_statistics(data: Bytes, pieces: int, piece_nbytes: int) -> tuple[int, int, int, float]:
    """Look at evenly spread runs of a buffer; at all of it where it is not longer than they are together.

    Parameters
    ----------
    data : shape (nbytes,), uint8
        What to sample.
    pieces, piece_nbytes
        How many runs, and their length.

    Returns
    -------
    total, zeros, distinct, entropy_bits
        Bytes sampled, zeros and different values among them, and their order-0 entropy in bits per byte,
        from 0 to 8, corrected for the size of the sample.

    References
    ----------
    G. A. Miller, Note on the bias of information estimates, 1955.
    """
    sample = data
    if len(data) > pieces * piece_nbytes:
        last = len(data) - piece_nbytes
        starts = [last * piece // (pieces - 1) for piece in range(pieces)]
        sample = np.concatenate([data[start : start + piece_nbytes] for start in starts])
    counts = np.bincount(sample, minlength=256)
    present = counts[counts > 0].astype(np.float64)
    total, distinct = len(sample), len(present)
    if not total:
        return 0, 0, 0, 0.0
    plain = math.log2(total) - float(np.dot(present, np.log2(present))) / total
    bits = min(8.0, plain + (distinct - 1) / (2 * total * math.log(2)))
    return total, int(counts[0]), distinct, bits


def move_sign_down(high: Bytes, low: Bytes) -> tuple[Bytes, Bytes]:
    """Exchange the top bits of two planes and rotate the high one.

    Parameters
    ----------
    high, low : shape (count,), uint8
        The highest and the second highest plane.

    Returns
    -------
    ndarray, shape (count,), uint8
        High plane: its low seven bits, then the low plane's top bit.
    ndarray, shape (count,), uint8
        Low plane: the high plane's top bit, then its own low seven bits.
    """
    one, seven, top, rest = np.array([1, 7, 0x80, 0x7F], np.uint8)
    return (high << one) | (low >> seven), (high & top) | (low & rest)


def move_sign_up(high: Bytes, low: Bytes) -> tuple[Bytes, Bytes]:
    """Undo ``move_sign_down``.

    Parameters
    ----------
    high, low : shape (count,), uint8
        What ``move_sign_down`` gave.

    Returns
    -------
    tuple of ndarray
        The planes before.
    """
    one, seven, top, rest = np.array([1, 7, 0x80, 0x7F], np.uint8)
    return (low & top) | (high >> one), (high << seven) | (low & rest)


def split_nonzero(data: Bytes) -> tuple[Bytes, Bytes]:
    """Split into a bitmap and the non-zero bytes.

    Parameters
    ----------
    data : shape (nbytes,), uint8
        What to split.

    Returns
    -------
    ndarray, shape ((nbytes + 7) // 8,), uint8
        Bit ``i % 8`` (lowest first) of byte ``i // 8`` is set where ``data[i]`` is not zero; others are 0.
    ndarray, shape (count,), uint8
        The non-zero bytes in order.
    """
    return np.packbits(data != 0, bitorder="little"), data[data != 0]


def merge_nonzero(bitmap: Bytes, values: Bytes, nbytes: int) -> Bytes:
    """Undo ``split_nonzero``.

    Parameters
    ----------
    bitmap, values
        What ``split_nonzero`` gave.
    nbytes
        Length of the result.

    Returns
    -------
    ndarray, shape (nbytes,), uint8
        The bytes before.
    """
    out = np.zeros(nbytes, np.uint8)
    out[np.unpackbits(bitmap, count=nbytes, bitorder="little").astype(bool)] = values
    return out
