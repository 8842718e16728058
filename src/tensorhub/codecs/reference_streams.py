"""Plain twins of the native stream decoders: the definition of each stream mode.

Duty: say in plain Python what the coded bytes of a RAW, CONSTANT, TRIMMED, CASCADE, SMALL_RANS and WIDE_RANS
stream mean, value by value, so that someone can write a decoder from it.
Not its duty: speed (nothing but tests and readers of the format calls this), encoders: which of the many valid
streams an encoder writes is its own affair.
Invariants: gives what ``native/src/stream.cpp`` gives for every stream, damaged ones included; refuses what
that refuses; writes and allocates nothing by a number in coded bytes. Specified in ``docs/format.md``, section 10.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tensorhub.codecs.damage import corrupt_chunk

Bytes = npt.NDArray[np.uint8]

TRIMMED_BLOCK = 64  # bytes
CASCADE_BLOCK = 1 << 16  # values
_CASCADE_WIDTHS = (2, 1, 2, 2)  # bits of a code, level by level; a level names 3, 1, 3, 3 symbols
_CASCADE_HEAD = struct.Struct("<10sH4I")  # symbols, reserved, escapes of each level
SMALL_TABLE_VALUES = 1 << 17  # one table for so many values
_SMALL_HEAD = struct.Struct("<BIH")  # groups of lanes, escapes, bytes of tables
GROUP = 64  # lanes
ESCAPE_RANK = 15
WIDE_TOTAL = 1 << 12


class StreamMode(IntEnum):
    """How a stream is coded; the value is on disk."""

    RAW = 0
    CONSTANT = 1
    TRIMMED = 2
    CASCADE = 3
    SMALL_RANS = 4
    WIDE_RANS = 5


class Cursor:
    """A place in coded bytes that only moves on, and never past their end.

    Attributes
    ----------
    name
        What is decoded, for error messages.
    left
        Bytes not taken yet.
    """

    def __init__(self, name: str, coded: bytes) -> None:
        self.name = name
        self.left = memoryview(coded)

    def take(self, nbytes: int) -> bytes:
        """Take the next bytes.

        Parameters
        ----------
        nbytes
            How many.

        Returns
        -------
        bytes
            Exactly ``nbytes``.

        Raises
        ------
        CorruptPackError
            There are fewer.
        """
        self.require(nbytes <= len(self.left), f"{nbytes} bytes more", f"{len(self.left)}")
        taken, self.left = bytes(self.left[:nbytes]), self.left[nbytes:]
        return taken

    def take_end(self, nbytes: int) -> bytes:
        """Take the last bytes, as ``take`` does the first; raises CorruptPackError if there are fewer."""
        self.require(nbytes <= len(self.left), f"{nbytes} bytes more", f"{len(self.left)}")
        keep = len(self.left) - nbytes
        taken, self.left = bytes(self.left[keep:]), self.left[:keep]
        return taken

    def array(self, nbytes: int) -> Bytes:
        """Take the next bytes as an array; raises CorruptPackError if there are fewer."""
        return np.frombuffer(self.take(nbytes), np.uint8)

    def require(self, holds: bool, expected: str, found: object) -> None:
        """Raise CorruptPackError unless a rule of the layout holds."""
        if not holds:
            raise corrupt_chunk(self.name, expected, str(found))

    def finish(self) -> None:
        """Raise CorruptPackError if bytes are left over."""
        self.require(not self.left, "no bytes left over", len(self.left))


def decode_stream(mode: int, coded: bytes, count: int) -> Bytes:
    """Decode a stream of any mode.

    Parameters
    ----------
    mode
        A ``StreamMode``; any other number is damage.
    coded
        The coded bytes.
    count
        How many bytes it must hold.

    Returns
    -------
    ndarray, shape (count,), uint8
        The bytes.

    Raises
    ------
    CorruptPackError
        The stream is damaged.
    """
    cursor = Cursor("a stream", coded)
    match mode:
        case StreamMode.RAW:
            decoded = cursor.array(count)
        case StreamMode.CONSTANT:
            decoded = np.repeat(cursor.array(1), count)
        case StreamMode.TRIMMED:
            decoded = _decode_trimmed(cursor, count)
        case StreamMode.CASCADE:
            decoded = _decode_cascade(cursor, count)
        case StreamMode.SMALL_RANS:
            decoded = _decode_small_rans(cursor, count)
        case StreamMode.WIDE_RANS:
            decoded = decode_wide_rans(coded, np.zeros(count, np.uint8), 1)
            cursor.take(len(coded))
        case _:
            raise corrupt_chunk("a stream", "a mode from 0 to 5", str(mode))
    cursor.finish()
    return decoded


def _decode_trimmed(cursor: Cursor, count: int) -> Bytes:
    blocks, rest = divmod(count, TRIMMED_BLOCK)
    flags = np.unpackbits(cursor.array((blocks + 7) // 8), bitorder="little")
    cursor.require(not flags[blocks:].any(), "zeros after the flags", 1)
    is_trimmed = flags[:blocks]
    masks = iter(cursor.take(int(is_trimmed.sum())))
    out = np.zeros((blocks, TRIMMED_BLOCK), np.uint8)
    for block in range(blocks):
        if not is_trimmed[block]:
            out[block] = cursor.array(TRIMMED_BLOCK)
            continue
        mask = next(masks)
        for bit in range(8):
            if mask >> bit & 1:  # 64 bits: bit `bit` of byte 0, of byte 1, ...
                out[block] |= np.unpackbits(cursor.array(8), bitorder="little") << np.uint8(bit)
    return np.concatenate([out.reshape(-1), cursor.array(rest)])


def _decode_cascade(cursor: Cursor, count: int) -> Bytes:
    blocks = -(-count // CASCADE_BLOCK)
    total = len(cursor.left)
    ends = struct.unpack(f"<{blocks}I", cursor.take(4 * blocks))  # counted from the stream's first byte
    decoded = []
    for block in range(blocks):
        values = min(CASCADE_BLOCK, count - block * CASCADE_BLOCK)
        decoded.append(_decode_cascade_block(cursor, values))
        position = total - len(cursor.left)
        cursor.require(position == ends[block], f"a block that ends at byte {ends[block]}", position)
    return np.concatenate([*decoded, np.zeros(0, np.uint8)])


def _decode_cascade_block(cursor: Cursor, values: int) -> Bytes:
    symbols, reserved, *escapes = _CASCADE_HEAD.unpack(cursor.take(_CASCADE_HEAD.size))
    cursor.require(reserved == 0, "reserved bytes of zero", reserved)
    counts = [values, *escapes]
    codes = []
    for level, width in enumerate(_CASCADE_WIDTHS):
        cursor.require(counts[level + 1] <= counts[level], "no more escapes than values", counts[level + 1])
        steps = -(-counts[level] // 64)
        codes.append(_unpack_codes(cursor.array(8 * width * steps), width))
    decoded = cursor.array(counts[-1])  # what no level has a code for
    for level in (3, 2, 1, 0):  # each level fills in what the one above had no code for
        first = (0, 3, 4, 7)[level]
        escape = (1 << _CASCADE_WIDTHS[level]) - 1
        named = np.frombuffer(symbols, np.uint8)[first : first + escape]
        is_escape = codes[level] == escape
        found = int(is_escape.sum())
        cursor.require(found == len(decoded), f"{len(decoded)} escapes", found)
        filled = np.zeros(len(codes[level]), np.uint8)
        filled[is_escape] = decoded
        filled[~is_escape] = named[codes[level][~is_escape]]
        decoded = filled[: counts[level]]
    return decoded


def _unpack_codes(packed: Bytes, width: int) -> Bytes:
    # One bit: code i is bit i % 8 of byte i / 8. Two bits, in steps of 64 codes and 16 bytes: code 16 g + i of a
    # step is bits 2 g and 2 g + 1 of its byte i.
    if width == 1:
        return np.unpackbits(packed, bitorder="little")
    steps = packed.reshape(-1, 1, 16)
    shifts = np.array([0, 2, 4, 6], np.uint8).reshape(1, 4, 1)
    codes: Bytes = (steps >> shifts & np.uint8(3)).reshape(-1)
    return codes


def _decode_small_rans(cursor: Cursor, count: int) -> Bytes:
    groups, nescapes, tables_nbytes = _SMALL_HEAD.unpack(cursor.take(_SMALL_HEAD.size))
    cursor.require(groups in (1, 2), "1 or 2 groups of lanes", groups)
    lanes = groups * GROUP
    tables = Cursor(cursor.name, cursor.take(tables_nbytes))
    states = read_small_states(cursor, lanes)
    escapes = bytearray(cursor.take(nescapes))  # taken from its end
    spilled = bytearray(cursor.take(len(cursor.left)))  # taken from its end
    out = np.zeros(-(-count // lanes) * lanes, np.uint8)
    symbols, slots = b"", fill_slots([])  # of the table in use
    # Escapes are taken group by group, but from the last lane of a group to its first.
    escape_order = sorted(range(lanes), key=lambda lane: (lane // GROUP, -lane))
    for step in range(0, count, lanes):
        if step % SMALL_TABLE_VALUES == 0:
            symbols, slots = _read_small_table(tables)
        ranks = step_small_rans(cursor, states, [slots] * lanes, spilled)
        for lane in escape_order:
            if ranks[lane] == ESCAPE_RANK:
                cursor.require(bool(escapes), "as many escapes as are stored", nescapes)
                out[step + lane] = escapes.pop()
            else:
                out[step + lane] = symbols[ranks[lane]]
    cursor.require(not escapes and not spilled, "no bytes left over", len(escapes) + len(spilled))
    tables.finish()
    cursor.require(set(states) == {256}, "states that end at 256", states)
    return out[:count]


Slots = tuple[tuple[int, int, int], ...]


def read_small_states(cursor: Cursor, lanes: int) -> list[int]:
    """Read the states of a coder of 8-bit frequencies; raises CorruptPackError for one below 256."""
    states = list(struct.unpack(f"<{lanes}H", cursor.take(2 * lanes)))
    cursor.require(min(states) >= 256, "states of at least 256", min(states))
    return states


def step_small_rans(cursor: Cursor, states: list[int], slots: list[Slots], spilled: bytearray) -> list[int]:
    """Decode one symbol a lane with 8-bit frequencies.

    Parameters
    ----------
    cursor
        For its errors.
    states
        One a lane, from 256 to 65535; changed.
    slots
        One a lane: what ``fill_slots`` made of its frequencies.
    spilled
        Bytes that states are refilled from, the last one first; shortened.

    Returns
    -------
    list of int
        One symbol a lane.

    Raises
    ------
    CorruptPackError
        The bytes run dry.
    """
    decoded = [0] * len(states)
    for lane in reversed(range(len(states))):
        symbol, frequency, start = slots[lane][states[lane] % 256]
        state = frequency * (states[lane] // 256) + states[lane] % 256 - start
        if state < 256:
            cursor.require(bool(spilled), "enough coded bytes", 0)
            state = state * 256 + spilled.pop()
        states[lane], decoded[lane] = state, symbol
    return decoded


def fill_slots(frequencies: list[int]) -> Slots:
    """Give for each slot which symbol it belongs to, the symbol's frequency, and its first slot."""
    slots = []
    start = 0
    for symbol, frequency in enumerate(frequencies):
        slots += [(symbol, frequency, start)] * frequency
        start += frequency
    return tuple(slots)


def _read_small_table(tables: Cursor) -> tuple[bytes, Slots]:
    used = tables.take(1)[0]
    tables.require(used <= ESCAPE_RANK, "at most 15 symbols", used)
    symbols = tables.take(used)
    frequencies = [*tables.take(used), *[0] * (ESCAPE_RANK - used), *tables.take(1)]
    tables.require(sum(frequencies) == 256, "frequencies that add up to 256", sum(frequencies))
    tables.require(0 not in (*frequencies[:used], frequencies[-1]), "frequencies of at least 1", 0)
    return symbols, fill_slots(frequencies)


def decode_wide_rans(coded: bytes, contexts: Bytes, ncontexts: int) -> Bytes:
    """Decode a WIDE_RANS stream.

    Parameters
    ----------
    coded
        All of the stream.
    contexts : shape (count,), uint8
        The context of each symbol, below ``ncontexts``.
    ncontexts
        Number of tables, from 1 to 16.

    Returns
    -------
    ndarray, shape (count,), uint8
        The symbols.

    Raises
    ------
    CorruptPackError
        The stream is damaged.
    """
    cursor = Cursor("a stream of wide rANS", coded)
    (lanes,) = cursor.take(1)
    cursor.require(lanes in (4, 32, 64), "4, 32 or 64 lanes", lanes)
    slots = [fill_slots(_read_wide_table(cursor)) for _ in range(ncontexts)]
    states = list(struct.unpack(f"<{lanes}I", cursor.take(4 * lanes)))
    cursor.require(min(states) >= 1 << 16, "states of at least 65536", min(states))
    cursor.require(len(cursor.left) % 2 == 0, "words of two bytes", len(cursor.left))
    words = list(struct.unpack(f"<{len(cursor.left) // 2}H", cursor.left))  # taken from the end
    count = len(contexts)
    out = np.zeros(-(-count // lanes) * lanes, np.uint8)
    padded = [*contexts.tolist(), *[0] * (len(out) - count)]  # lanes past the end are in context 0
    for step in range(0, count, lanes):
        for lane in reversed(range(lanes)):
            state = states[lane]
            symbol, frequency, start = slots[padded[step + lane]][state % WIDE_TOTAL]
            state = frequency * (state // WIDE_TOTAL) + state % WIDE_TOTAL - start
            if state < 1 << 16:
                cursor.require(bool(words), "enough coded words", 0)
                state = state << 16 | words.pop()
            states[lane], out[step + lane] = state, symbol
    cursor.require(not words, "no words left over", len(words))
    cursor.require(set(states) == {1 << 16}, "states that end at 65536", states)
    return out[:count]


def _read_wide_table(cursor: Cursor) -> list[int]:
    last, dominant = cursor.take(2)
    frequencies = [0] * 256
    bits = BitCursor(cursor.left)
    for symbol in range(last + 1):
        if symbol == dominant:
            continue
        length = bits.get(4)  # of the frequency in bits; 0: the symbol has none
        cursor.require(length <= 12, "frequencies below 4096", length)
        if length:
            kept = min(length, 4) - 1  # bits below the leading one that are stored
            frequencies[symbol] = (1 << kept | bits.get(kept)) << (length - 1 - kept)
    cursor.require(bits.is_rest_zero(), "zeros after a table", 1)
    cursor.take(bits.used_nbytes())
    total = sum(frequencies)
    cursor.require(total < WIDE_TOTAL, "frequencies that leave some for the dominant symbol", total)
    frequencies[dominant] = WIDE_TOTAL - total
    return frequencies


class BitCursor:
    """Bits in bytes, the lowest bit of each byte first; zeros past the end, which ``used_nbytes`` shows."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = data
        self._position = 0

    def get(self, nbits: int) -> int:
        """Take a number of so many bits, its lowest bit first."""
        value = self._peek(nbits)
        self._position += nbits
        return value

    def used_nbytes(self) -> int:
        """Count the bytes begun; more than there are where bits ran out."""
        return (self._position + 7) // 8

    def is_rest_zero(self) -> bool:
        """Say whether the bits after the last one taken are zeros up to the end of its byte."""
        return self._peek(-self._position % 8) == 0

    def _peek(self, nbits: int) -> int:
        stop = self._position + nbits
        some = self._data[self._position // 8 : (stop + 7) // 8]
        return int.from_bytes(some, "little") >> self._position % 8 & (1 << nbits) - 1
