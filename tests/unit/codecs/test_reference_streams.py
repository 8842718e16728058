"""The plain twins of streams, on examples made by hand from the format page."""

import struct

import numpy as np
import pytest

from tensorhub.codecs.reference_streams import (
    BitCursor,
    Cursor,
    StreamMode,
    decode_stream,
    decode_wide_rans,
    fill_slots,
)
from tensorhub.errors import CorruptPackError


def test_raw_and_constant():
    assert decode_stream(StreamMode.RAW, b"abc", 3).tobytes() == b"abc"
    assert decode_stream(StreamMode.CONSTANT, b"a", 3).tobytes() == b"aaa"
    for mode, coded in ((0, b"ab"), (0, b"abcd"), (1, b""), (1, b"ab"), (6, b"abc"), (255, b"")):
        with pytest.raises(CorruptPackError):
            decode_stream(mode, coded, 3)


def test_trimmed():
    """Of three blocks the second one is trimmed to bits 1 and 7; five bytes follow."""
    first, last = bytes(range(64)), bytes(range(100, 164))
    low, high = (0x8000000000000001).to_bytes(8, "little"), (0b10).to_bytes(8, "little")
    coded = b"\x02" + b"\x82" + first + low + high + last + b"tail!"
    middle = b"\x02\x80" + bytes(61) + b"\x02"
    assert decode_stream(StreamMode.TRIMMED, coded, 3 * 64 + 5).tobytes() == first + middle + last + b"tail!"


def test_cascade():
    """Values 0 to 11 in turn: symbols 0 to 9 have codes, 10 and 11 have none."""
    values = [k % 12 for k in range(64)]
    levels, escapes = values, []
    block = b""
    for first, named, width in ((0, 3, 2), (3, 1, 1), (4, 3, 2), (7, 3, 2)):
        codes = [value - first if value < first + named else named for value in levels]
        codes += [0] * (-len(codes) % 64)
        if width == 1:
            block += np.packbits(np.array(codes, np.uint8), bitorder="little").tobytes()
        else:
            block += bytes(sum(codes[16 * g + i] << 2 * g for g in range(4)) for i in range(16))
        levels = [value for value in levels if value >= first + named]
        escapes.append(len(levels))
    head = bytes(range(10)) + struct.pack("<H4I", 0, *escapes)
    stream = struct.pack("<I", 4 + len(head + block) + len(levels)) + head + block + bytes(levels)
    assert decode_stream(StreamMode.CASCADE, stream, 64).tolist() == values
    with pytest.raises(CorruptPackError):
        decode_stream(StreamMode.CASCADE, stream, 65)
    assert len(decode_stream(StreamMode.CASCADE, b"", 0)) == 0


def encode_small(values, ranks, frequencies):
    """Code values as the page tells a writer to; escapes are coded by rank 15."""
    starts = [sum(frequencies[:rank]) for rank in range(16)]
    states, spilled = [256] * 64, bytearray()
    escapes = bytearray()
    for step in reversed(range(0, len(values), 64)):
        for lane in range(64):
            rank = ranks.get(values[step + lane], 15)
            if rank == 15:
                escapes.append(values[step + lane])
            if states[lane] // 256 >= frequencies[rank]:
                spilled.append(states[lane] % 256)
                states[lane] //= 256
            whole, rest = divmod(states[lane], frequencies[rank])
            states[lane] = whole * 256 + rest + starts[rank]
    return struct.pack("<64H", *states) + bytes(escapes) + bytes(spilled), len(escapes)


def test_small_rans():
    rng = np.random.default_rng(1)
    values = rng.choice(np.array([5, 9, 200, 77], np.uint8), 640, p=[0.6, 0.3, 0.05, 0.05]).tolist()
    ranks, frequencies = {5: 0, 9: 1}, [150, 80, *[0] * 13, 26]
    body, nescapes = encode_small(values, ranks, frequencies)
    table = bytes([2, 5, 9, 150, 80, 26])
    stream = struct.pack("<BIH", 1, nescapes, len(table)) + table + body
    assert decode_stream(StreamMode.SMALL_RANS, stream, 640).tolist() == values
    assert decode_stream(StreamMode.SMALL_RANS, stream, 639).tolist() == values[:639]
    for count in (576, 641):
        with pytest.raises(CorruptPackError):
            decode_stream(StreamMode.SMALL_RANS, stream, count)


def test_wide_rans_with_contexts():
    """Context 0 has symbol 3 alone; context 1 has 1 and 2, of a half each, and takes a bit a value."""
    states = struct.pack("<4I", *[1 << 16] * 4)
    tables = (
        b"\x03\x03\x00\x00" + b"\x02\x02" + bytes([0xC0, 0x00])
    )  # lengths 0 and 12, three bits of nothing
    contexts = np.array([0, 1, 1, 0, 0, 1], np.uint8)
    coded = b"\x04" + tables + states
    with pytest.raises(CorruptPackError):  # halves take bits, and there are none
        decode_wide_rans(coded, contexts, 2)
    assert decode_wide_rans(coded, np.zeros(9, np.uint8), 2).tolist() == [3] * 9
    # One value of context 1 in lane 1 from state 65536: symbol 1 leads to 2^16 * 2, symbol 2 to that and 2,048.
    for symbol, state in ((1, 1 << 17), (2, (1 << 17) + 2048)):
        lanes = struct.pack("<4I", 1 << 16, state, 1 << 16, 1 << 16)
        decoded = decode_wide_rans(b"\x04" + tables + lanes, np.array([0, 1, 0], np.uint8), 2)
        assert decoded.tolist() == [3, symbol, 3]


def test_slots():
    assert fill_slots([2, 0, 1]) == ((0, 2, 0), (0, 2, 0), (2, 1, 2))


def test_bits():
    bits = BitCursor(b"\xa5\x01")
    assert [bits.get(n) for n in (1, 3, 4)] == [1, 2, 10]
    assert bits.used_nbytes() == 1
    assert bits.is_rest_zero()
    assert bits.get(0) == 0
    assert bits.get(1) == 1
    assert bits.is_rest_zero()
    assert bits.get(61) == 0
    assert bits.used_nbytes() > 2


def test_cursor():
    cursor = Cursor("x", b"abcdef")
    assert (cursor.take(2), cursor.take_end(2), cursor.array(1).tolist()) == (b"ab", b"ef", [ord("c")])
    for call in (cursor.take, cursor.take_end, cursor.array):
        with pytest.raises(CorruptPackError):
            call(2)
    with pytest.raises(CorruptPackError):
        cursor.finish()
    assert cursor.take(1) == b"d"
    cursor.finish()
