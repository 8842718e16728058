"""Plain twin of the native decoder of *joint*: the definition of the codec's layout.

Duty: say in a few lines of NumPy what tokens, classes, escapes and packed bits mean.
Not its duty: speed (nothing but tests and readers of the format calls this), encoding, streams
(``reference_streams``).
Invariants: gives what ``native/src/joint.cpp`` gives, and refuses what that refuses. Specified in
``docs/format.md``, section 10.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np

from tensorhub.codecs.reference import merge_planes, move_sign_up
from tensorhub.codecs.reference_planes import MAX_NBYTES, STREAM_HEAD
from tensorhub.codecs.reference_streams import Bytes, Cursor, decode_stream, decode_wide_rans

SEGMENT = 256  # values of one class
MAX_CLASSES = 16
ESCAPE = 255  # the token of keys that have none
_HEAD = struct.Struct("<BBHIIII")  # kind, classes, first key, nbytes; lengths of classes, escapes, tokens


class FloatKind(IntEnum):
    """Where the exponent of an element is; the value is on disk."""

    BF16 = 0
    F32 = 1
    F16 = 2


_WIDTHS = {FloatKind.BF16: 2, FloatKind.F32: 4, FloatKind.F16: 2}
_KEYS = {FloatKind.BF16: 1024, FloatKind.F32: 1024, FloatKind.F16: 128}
_LOW_PLANES = {FloatKind.BF16: 0, FloatKind.F32: 2, FloatKind.F16: 1}  # coded as streams


def decode_joint(coded: bytes, width: int, nbytes: int) -> bytes:
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
    cursor = Cursor("a chunk of joint symbols", coded)
    cursor.require(nbytes <= MAX_NBYTES, "at most 4 MiB", nbytes)
    number, nclasses, first_key, stated, classes_nbytes, nescapes, tokens_nbytes = _HEAD.unpack(
        cursor.take(_HEAD.size)
    )
    cursor.require(number in list(FloatKind), "a kind of float from 0 to 2", number)
    kind = FloatKind(number)
    cursor.require(width == _WIDTHS[kind], "elements of the kind's width", width)
    count, tail_nbytes = divmod(nbytes, width)
    cursor.require(1 <= nclasses <= MAX_CLASSES, "1 to 16 classes", nclasses)
    cursor.require(first_key < 1024, "a first key below 1024", first_key)
    cursor.require(stated == nbytes, f"{nbytes} bytes", stated)
    cursor.require(nescapes <= count, "no more escapes than values", nescapes)
    heads = [STREAM_HEAD.unpack(cursor.take(STREAM_HEAD.size)) for _ in range(_LOW_PLANES[kind])]
    contexts = _read_classes(cursor, classes_nbytes, nclasses, count)
    escapes = np.frombuffer(cursor.take(2 * nescapes), "<u2")
    packed = _read_packed(cursor, kind, count)
    planes = [decode_stream(mode, cursor.take(stored), count) for mode, stored in heads]
    tokens = decode_wide_rans(cursor.take(tokens_nbytes), contexts, nclasses)
    tail = cursor.take(tail_nbytes)
    cursor.finish()

    keys = (tokens.astype(np.uint16) + np.uint16(first_key)) % np.uint16(_KEYS[kind])
    is_escape = tokens == ESCAPE
    cursor.require(int(is_escape.sum()) == nescapes, f"{nescapes} escapes", int(is_escape.sum()))
    cursor.require(bool((escapes < _KEYS[kind]).all()), f"keys below {_KEYS[kind]}", escapes.max(initial=0))
    keys[is_escape] = escapes
    planes += _join(kind, keys, packed)
    return merge_planes(np.concatenate(planes), width).tobytes() + tail


def _read_classes(cursor: Cursor, classes_nbytes: int, nclasses: int, count: int) -> Bytes:
    """Give the context of each value."""
    coded = cursor.take(classes_nbytes)
    segments = -(-count // SEGMENT)
    classes = np.zeros(segments, np.uint8)
    if nclasses > 1:
        classes = decode_wide_rans(coded, classes, 1)
    else:
        cursor.require(not coded, "no classes where there is one only", classes_nbytes)
    cursor.require(bool((classes < nclasses).all()), "classes that have a table", classes.max(initial=0))
    return np.repeat(classes, SEGMENT)[:count]


def _read_packed(cursor: Cursor, kind: FloatKind, count: int) -> Bytes:
    """Give for each value the bits that nothing predicts: bit 5 (of F16: bit 0) the sign, below it mantissa bits."""
    steps = -(-count // 64)
    if kind == FloatKind.F16:
        return np.unpackbits(cursor.array(8 * steps), bitorder="little")[:count]
    # In steps of 64 values: value 32 g + i is bits 4 g to 4 g + 3 of byte i, for the low four bits; value 16 g + i
    # is bits 2 g and 2 g + 1 of byte i, for the two above.
    nibbles = cursor.array(32 * steps).reshape(-1, 1, 32)
    pairs = cursor.array(16 * steps).reshape(-1, 1, 16)
    by_four, by_two = np.array([0, 4], np.uint8), np.array([0, 2, 4, 6], np.uint8)
    low = (nibbles >> by_four.reshape(1, 2, 1) & np.uint8(15)).reshape(-1)
    high = (pairs >> by_two.reshape(1, 4, 1) & np.uint8(3)).reshape(-1)
    packed: Bytes = (low | high << np.uint8(4))[:count]
    return packed


def _join(kind: FloatKind, keys: np.typing.NDArray[np.uint16], packed: Bytes) -> list[Bytes]:
    """Give the planes that are not coded as streams, the lower one first."""
    if kind == FloatKind.F16:
        return [packed << np.uint8(7) | keys.astype(np.uint8)]
    exponent = (keys >> np.uint16(2)).astype(np.uint8)
    top_mantissa = (keys & np.uint16(3)).astype(np.uint8)
    sign, mantissa = packed >> np.uint8(5), packed & np.uint8(31)
    low = sign << np.uint8(7) | top_mantissa << np.uint8(5) | mantissa
    high, low = move_sign_up(exponent, low)
    return [low, high]
