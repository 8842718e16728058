"""Plain twin of the native decoder of *planes*: the definition of the codec's layout.

Duty: say in a few lines of NumPy how planes lie in a chunk and become elements again.
Not its duty: speed (nothing but tests and readers of the format calls this), encoding, streams
(``reference_streams``).
Invariants: gives what ``native/src/planes_codec.cpp`` gives, and refuses what that refuses. Specified in
``docs/format.md``, section 10.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np

from tensorhub.codecs.reference import merge_planes, move_sign_up
from tensorhub.codecs.reference_streams import Bytes, Cursor, decode_stream

MAX_WIDTH = 16
MAX_NBYTES = 4 << 20  # the longest chunk
_HEAD = struct.Struct("<BI")  # transform, nbytes
STREAM_HEAD = struct.Struct("<BI")  # mode, coded nbytes


class Transform(IntEnum):
    """What was done to elements before they were split into planes; the value is on disk."""

    PLAIN = 0
    SIGN_MOVED = 1
    DIFFERENCES = 2


def decode_planes(coded: bytes, width: int, nbytes: int) -> bytes:
    """Decode a chunk.

    Parameters
    ----------
    coded
        The coded bytes.
    width
        Bytes of an element, from the blob record.
    nbytes
        Decoded length of the chunk.

    Returns
    -------
    bytes
        Of length ``nbytes``.

    Raises
    ------
    CorruptPackError
        The coded bytes break the layout.
    """
    cursor = Cursor("a chunk of planes", coded)
    cursor.require(1 <= width <= MAX_WIDTH, "elements of 1 to 16 bytes", width)
    cursor.require(nbytes <= MAX_NBYTES, "at most 4 MiB", nbytes)
    count, tail_nbytes = divmod(nbytes, width)
    transform, stated = _HEAD.unpack(cursor.take(_HEAD.size))
    cursor.require(transform in _transforms(width), "a transform that this width has", transform)
    cursor.require(stated == nbytes, f"{nbytes} bytes", stated)
    heads = [STREAM_HEAD.unpack(cursor.take(STREAM_HEAD.size)) for _ in range(width)]
    planes = [decode_stream(mode, cursor.take(stored), count) for mode, stored in heads]
    tail = cursor.array(tail_nbytes)
    cursor.finish()
    if transform == Transform.SIGN_MOVED:
        planes[-1], planes[-2] = move_sign_up(planes[-1], planes[-2])
    elements = merge_planes(np.concatenate(planes), width)
    if transform == Transform.DIFFERENCES:
        elements = add_neighbours(elements, width)
    return elements.tobytes() + tail.tobytes()


def _transforms(width: int) -> set[Transform]:
    if width == 1:
        return {Transform.PLAIN}
    return set(Transform) if width in (2, 4, 8) else {Transform.PLAIN, Transform.SIGN_MOVED}


def add_neighbours(folded: Bytes, width: int) -> Bytes:
    """Undo the transform ``DIFFERENCES``.

    Parameters
    ----------
    folded : shape (width * count,), uint8
        Integers of ``width`` bytes: 0, 1, 2, 3, ... for the differences 0, -1, 1, -2, ...
    width
        2, 4 or 8.

    Returns
    -------
    ndarray, shape (width * count,), uint8
        Each element is the one before it (0 before the first) plus its difference, modulo 2 to the number of bits.
    """
    numbers = folded.view(f"<u{width}")
    one = numbers.dtype.type(1)
    differences = (numbers >> one) ^ (~(numbers & one) + one)  # the low bit says: complement the rest
    elements: Bytes = np.cumsum(differences, dtype=numbers.dtype).view(np.uint8)
    return elements
