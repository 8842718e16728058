"""The plain twins of the ULP deltas: order, folding, contexts and tokens, on examples made by hand."""

import struct

import numpy as np
import pytest

from tensorhub.codecs.reference_ulp_delta import (
    UlpModel,
    decode_ulp_delta,
    decode_ulp_delta_fast,
    order,
    unfold,
)
from tensorhub.errors import CorruptPackError

STATES = struct.pack("<4I", *[1 << 16] * 4)


@pytest.mark.parametrize("width", [2, 4, 8])
def test_order_is_that_of_the_values(width):
    """Of all finite floats, from the least to the greatest; and back."""
    rng = np.random.default_rng(3)
    floats = np.sort((rng.standard_normal(1000) * 100).astype(f"<f{width}"))
    numbers = order(floats.view(f"<u{width}"), True)
    assert (np.diff(numbers.view(f"<i{width}")) >= 0).all()
    assert (order(numbers, True) == floats.view(f"<u{width}")).all()
    assert order(numbers, False) is numbers


def test_unfold():
    numbers = np.array([0, 1, 2, 3, 4, 254, 255], np.uint8)
    assert unfold(numbers).view(np.int8).tolist() == [0, -1, 1, -2, 2, 127, -128]


def test_contexts():
    """From the top down, one for each step of the shifted magnitude; the sign does not count."""
    model = UlpModel(True, 7, 130, 4)
    exponents = np.array([200, 131, 130, 129, 128, 127, 126, 0], np.uint16) << np.uint16(7)
    for sign in (0, 0x8000):
        numbers = exponents | np.uint16(sign) | np.uint16(0x55)
        assert model.contexts_of(numbers).tolist() == [0, 0, 0, 1, 2, 3, 3, 3]
    assert UlpModel(False, 0, 0, 1).contexts_of(numbers).tolist() == [0] * 8


def one_token(token, extra, width, kind=1):
    tokens = b"\x04" + bytes([token, token]) + bytes((4 * token + 7) // 8) + STATES
    return struct.pack("<BBBQII", kind, 0, 1, 0, width, len(extra)) + extra + tokens


@pytest.mark.parametrize(
    ("token", "extra", "folded"),
    [
        (0, b"", 0),
        (15, b"", 15),
        (16, b"\x00", 16),
        (16, b"\x03", 19),
        (17, b"\x00", 20),
        (19, b"\x03", 31),
        (20, b"\x00", 32),
        (20, b"\x07", 39),
        (63, b"\xff\x1f", 65535),
    ],
)
def test_tokens(token, extra, folded):
    decoded = decode_ulp_delta(one_token(token, extra, 2), b"\0\0", 2, 2)
    assert decoded == unfold(np.array([folded], "<u2")).tobytes()


def test_extra_bits_are_all_used():
    for extra in (b"", b"\x04", b"\0\0"):
        with pytest.raises(CorruptPackError):
            decode_ulp_delta(one_token(16, extra, 2), b"\0\0", 2, 2)
    with pytest.raises(CorruptPackError):
        decode_ulp_delta(one_token(64, b"\0\0", 2), b"\0\0", 2, 2)


def test_steps_from_zero_are_those_of_floats():
    """One unit below zero is the least negative number."""
    assert decode_ulp_delta(one_token(3, b"", 2, kind=0), b"\0\0", 2, 2) == struct.pack("<H", 0x8001)
    assert decode_ulp_delta(one_token(3, b"", 2, kind=1), b"\0\0", 2, 2) == struct.pack("<H", 0xFFFE)


def test_fast_with_low_bytes():
    """Two elements of four bytes, of which two are kept as they are: a direct token and a long escape."""
    frequencies = [128, 0, 0, 64, *[0] * 11, 64]
    tokens = [3, 15] + [0] * 62
    starts = {0: 0, 3: 128, 15: 192}
    states, spilled = [256] * 64, b""
    for lane, token in enumerate(tokens):
        whole, rest = divmod(states[lane], frequencies[token])
        states[lane] = whole * 256 + rest + starts[token]
    head = struct.pack("<BBBQIIIBB", 1, 0, 1, 0, 8, 0, 1, 1, 2)
    table = bytes([15, *frequencies])
    longs, lows = b"\x34\x12", b"\xaa\xbb" + b"\xcc\xdd"
    coded = head + table + longs + lows + struct.pack("<64H", *states) + spilled
    first = (-2 << 16 | 0xCCAA) & 0xFFFFFFFF
    second = 0x091A << 16 | 0xDDBB  # 0x1234 unfolded
    base = struct.pack("<II", 5, 0xFFFFFFFF)
    decoded = decode_ulp_delta_fast(coded, base, 4, 8)
    assert decoded == struct.pack("<II", (5 + first) & 0xFFFFFFFF, second - 1)
