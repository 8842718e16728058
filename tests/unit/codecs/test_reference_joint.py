"""The plain twin of joint: where the bits of an element go, on examples made by hand."""

import struct

import pytest

from tensorhub.codecs.reference_joint import FloatKind, decode_joint
from tensorhub.errors import CorruptPackError

STATES = struct.pack("<4I", *[1 << 16] * 4)


def chunk(kind, width, packed, low, token, first=0, keys=()):
    """Make a chunk of one element, whose only token has all frequencies."""
    tokens = b"\x04" + bytes([token, token]) + bytes((4 * token + 7) // 8) + STATES
    head = struct.pack("<BBHIIII", kind, 1, first, width, 0, len(keys), len(tokens))
    return (
        head
        + struct.pack("<BI", 0, 1) * len(low)
        + struct.pack(f"<{len(keys)}H", *keys)
        + packed
        + low
        + tokens
    )


def packed6(sign, mantissa):
    """Pack the bits of one value out of 64: four low ones, then the fifth and the sign."""
    nibbles, pairs = bytearray(32), bytearray(16)
    nibbles[0], pairs[0] = mantissa & 15, mantissa >> 4 | sign << 1
    return bytes(nibbles + pairs)


# An element by its parts: sign 1, exponent 0x7e (F16: 0x0e), two mantissa bits 10, others.
@pytest.mark.parametrize(
    ("token", "first"), [(0x7E * 4 + 2 - 300, 300), (0, 0x7E * 4 + 2), (254, 0x7E * 4 + 2 - 254)]
)
def test_bf16_and_f32(token, first):
    bits = 1 << 31 | 0x7E << 23 | 0b10 << 21 | 0b10110 << 16 | 0xABCD
    coded = chunk(FloatKind.F32, 4, packed6(1, 0b10110), b"\xcd\xab", token, first)
    assert decode_joint(coded, 4, 4) == struct.pack("<I", bits)
    coded = chunk(FloatKind.BF16, 2, packed6(1, 0b10110), b"", token, first)
    assert decode_joint(coded, 2, 2) == struct.pack("<H", bits >> 16)


@pytest.mark.parametrize(("token", "first"), [(0x0E * 4 + 2, 0), (0, 0x0E * 4 + 2), (10, 0x0E * 4 - 8 + 512)])
def test_f16(token, first):
    bits = 1 << 15 | 0x0E << 10 | 0b10 << 8 | 0x5A
    coded = chunk(FloatKind.F16, 2, b"\1" + bytes(7), b"\x5a", token, first)
    assert decode_joint(coded, 2, 2) == struct.pack("<H", bits)


def test_escapes():
    """Token 255 takes the next key as it is."""
    coded = chunk(FloatKind.BF16, 2, packed6(0, 0), b"", 255, 700, (1023,))
    assert decode_joint(coded, 2, 2) == struct.pack("<H", 1023 << 5)
    for keys in ((), (1024,), (1, 2)):
        with pytest.raises(CorruptPackError):
            decode_joint(chunk(FloatKind.BF16, 2, packed6(0, 0), b"", 255, 0, keys), 2, 2)
