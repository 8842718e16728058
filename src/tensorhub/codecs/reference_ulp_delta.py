"""Plain twins of the native decoders of *ulp_delta* and *ulp_delta_fast*: the definition of their layouts.

Duty: say in plain Python what contexts, tokens, extra bits, escapes and low bytes mean, and how a difference
becomes an element again.
Not its duty: speed (nothing but tests and readers of the format calls this), encoding, the WIDE_RANS stream
(``reference_streams``).
Invariants: gives what ``native/src/ulp_delta.cpp`` and ``ulp_delta_fast.cpp`` give, and refuses what those
refuse. Specified in ``docs/format.md``, section 10.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tensorhub.codecs.damage import require_prediction
from tensorhub.codecs.reference_planes import MAX_NBYTES
from tensorhub.codecs.reference_streams import (
    GROUP,
    BitCursor,
    Bytes,
    Cursor,
    decode_wide_rans,
    fill_slots,
    read_small_states,
    step_small_rans,
)

WIDTHS = (1, 2, 4, 8)
Numbers = npt.NDArray[np.unsignedinteger[npt.NBitBase]]

_MODEL = struct.Struct("<BBBQ")  # kind, shift, contexts, top
_DIRECT_TOKENS = 16  # tokens below are the folded difference itself
_FAST_HEAD = struct.Struct("<IIIBB")  # nbytes, short escapes, long escapes, groups of lanes, low bytes
_FAST_CONTEXTS, _FAST_TOKENS = 8, 16
_SHORT, _LONG = 14, 15


@dataclass(frozen=True)
class UlpModel:
    """How elements are compared.

    Attributes
    ----------
    is_float
        Whether elements are sign and magnitude, else two's complement.
    shift, top, contexts
        The context of a prediction, see ``contexts_of``.
    """

    is_float: bool
    shift: int
    top: int
    contexts: int

    def contexts_of(self, prediction: Numbers) -> Bytes:
        """Give each prediction's context: 0 from magnitude ``top`` on, one more for each one less, to the last."""
        bits = 8 * prediction.dtype.itemsize
        magnitude = (prediction & prediction.dtype.type((1 << bits - 1) - 1)) >> prediction.dtype.type(
            self.shift
        )
        top, last = prediction.dtype.type(self.top), prediction.dtype.type(self.contexts - 1)
        below = np.where(magnitude < top, top - np.minimum(magnitude, top), prediction.dtype.type(0))
        return np.minimum(below, last).astype(np.uint8)


def order(elements: Numbers, is_float: bool) -> Numbers:
    """Give integers in the order of the elements' values; its own inverse.

    Parameters
    ----------
    elements : shape (count,), unsigned
        Bit patterns.
    is_float
        Whether to complement the magnitude of those whose sign is set.

    Returns
    -------
    ndarray, shape (count,), unsigned
        Of the same width.
    """
    if not is_float:
        return elements
    bits = 8 * elements.dtype.itemsize
    magnitude = elements.dtype.type((1 << bits - 1) - 1)
    return np.where(elements >> elements.dtype.type(bits - 1), elements ^ magnitude, elements)


def unfold(folded: Numbers) -> Numbers:
    """Give the differences 0, -1, 1, -2, ... of the numbers 0, 1, 2, 3, ..., modulo 2 to the number of bits."""
    one = folded.dtype.type(1)
    unfolded: Numbers = (folded >> one) ^ (~(folded & one) + one)
    return unfolded


def decode_ulp_delta(coded: bytes, prediction: bytes, width: int, nbytes: int) -> bytes:
    """Decode a chunk of *ulp_delta*.

    Parameters
    ----------
    coded
        The coded bytes.
    prediction
        Of length ``nbytes``.
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
    cursor = Cursor("a chunk of ULP differences", coded)
    model, base = _read_model(cursor, prediction, width, nbytes, 16)
    stated, extra_nbytes = struct.unpack("<II", cursor.take(8))
    cursor.require(stated == nbytes, f"{nbytes} bytes", stated)
    tail = cursor.take_end(nbytes % width)
    coded_extra = cursor.take(extra_nbytes)
    tokens = decode_wide_rans(cursor.take(len(cursor.left)), model.contexts_of(base), model.contexts)
    extra = BitCursor(coded_extra)
    folded = [_join_token(cursor, token, extra, width) for token in tokens.tolist()]
    cursor.require(
        extra.used_nbytes() == extra_nbytes, f"{extra.used_nbytes()} bytes of extra bits", extra_nbytes
    )
    cursor.require(extra.is_rest_zero(), "zeros after the extra bits", 1)
    return _apply(model, base, unfold(np.array(folded, base.dtype))) + tail


def _join_token(cursor: Cursor, token: int, extra: BitCursor, width: int) -> int:
    """Give the folded difference of a token: a leading one, two bits of the token, and extra bits."""
    if token < _DIRECT_TOKENS:
        return token
    octave, quarter = divmod(token - _DIRECT_TOKENS, 4)
    nbits = octave + 2
    cursor.require(nbits + 3 <= 8 * width, "differences that an element can hold", token)
    return (4 + quarter) << nbits | extra.get(nbits)


def decode_ulp_delta_fast(coded: bytes, prediction: bytes, width: int, nbytes: int) -> bytes:
    """Decode a chunk of *ulp_delta_fast*; parameters, result and errors as of ``decode_ulp_delta``."""
    cursor = Cursor("a chunk of fast ULP differences", coded)
    model, base = _read_model(cursor, prediction, width, nbytes, _FAST_CONTEXTS)
    stated, nshorts, nlongs, groups, low = _FAST_HEAD.unpack(cursor.take(_FAST_HEAD.size))
    count = len(base)
    cursor.require(stated == nbytes, f"{nbytes} bytes", stated)
    cursor.require(max(nshorts, nlongs) <= count, "no more escapes than values", max(nshorts, nlongs))
    cursor.require(groups in (1, 2), "1 or 2 groups of lanes", groups)
    cursor.require(low < width, "fewer low bytes than an element has", low)
    tail = cursor.take_end(nbytes % width)
    slots = [fill_slots(_read_fast_table(cursor)) for _ in range(model.contexts)]
    shorts = cursor.take(nshorts)
    longs = [cursor.take(width - low) for _ in range(nlongs)]
    lows = cursor.array(count * low).reshape(low, count)  # low bytes in planes
    states = read_small_states(cursor, groups * GROUP)
    spilled = bytearray(cursor.take(len(cursor.left)))

    lanes = groups * GROUP
    contexts = [
        *model.contexts_of(base).tolist(),
        *[0] * (-count % lanes),
    ]  # lanes past the end are in context 0
    tokens: list[int] = []
    for step in range(0, count, lanes):
        tables = [slots[context] for context in contexts[step : step + lanes]]
        tokens += step_small_rans(cursor, states, tables, spilled)
    cursor.require(not spilled, "no bytes left over", len(spilled))
    cursor.require(set(states) == {256}, "states that end at 256", states)
    rest = _join_escapes(cursor, tokens[:count], shorts, longs, width - low)
    differences = unfold(np.array(rest, base.dtype)) << base.dtype.type(8 * low)
    for k in range(low):
        differences |= lows[k].astype(base.dtype) << base.dtype.type(8 * k)
    return _apply(model, base, differences) + tail


def _read_fast_table(cursor: Cursor) -> list[int]:
    (last,) = cursor.take(1)
    cursor.require(last < _FAST_TOKENS, "a table of at most 16 tokens", last)
    frequencies = list(cursor.take(last + 1))
    cursor.require(sum(frequencies) == 256, "frequencies that add up to 256", sum(frequencies))
    return frequencies


def _join_escapes(
    cursor: Cursor, tokens: list[int], shorts: bytes, longs: list[bytes], nbytes: int
) -> list[int]:
    """Give the folded number of each token; ``nbytes`` is how many bytes of a difference are folded."""
    left_shorts, left_longs = iter(shorts), iter(longs)
    cursor.require(tokens.count(_SHORT) == len(shorts), f"{tokens.count(_SHORT)} short escapes", len(shorts))
    cursor.require(tokens.count(_LONG) == len(longs), f"{tokens.count(_LONG)} long escapes", len(longs))
    folded = []
    for token in tokens:
        if token == _LONG:
            folded.append(int.from_bytes(next(left_longs), "little"))
        elif token == _SHORT:
            number = _SHORT + next(left_shorts)
            cursor.require(number < 1 << 8 * nbytes, "differences that an element can hold", number)
            folded.append(number)
        else:
            folded.append(token)
    return folded


def _read_model(
    cursor: Cursor, prediction: bytes, width: int, nbytes: int, max_contexts: int
) -> tuple[UlpModel, Numbers]:
    """Read the head that both codecs share; give the model, and the prediction as numbers."""
    cursor.require(width in WIDTHS, "elements of 1, 2, 4 or 8 bytes", width)
    cursor.require(nbytes <= MAX_NBYTES, "at most 4 MiB", nbytes)
    kind, shift, contexts, top = _MODEL.unpack(cursor.take(_MODEL.size))
    cursor.require(kind <= 1, "elements of kind 0 or 1", kind)
    cursor.require(shift < 8 * width, "a shift below the element's bits", shift)
    cursor.require(1 <= contexts <= max_contexts, f"1 to {max_contexts} contexts", contexts)
    cursor.require(top < 1 << 8 * width, "a highest magnitude that an element can have", top)
    require_prediction(cursor.name, prediction, nbytes)
    base: Numbers = np.frombuffer(prediction[: nbytes // width * width], f"<u{width}")
    return UlpModel(kind == 0, shift, top, contexts), base


def _apply(model: UlpModel, base: Numbers, differences: Numbers) -> bytes:
    """Add differences to predictions in the order of their values."""
    return order(order(base, model.is_float) + differences, model.is_float).tobytes()
