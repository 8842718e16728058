"""The plane table accounts for every byte."""

import numpy as np
import pytest

from tensorhub.codecs.plane_streams import MAX_PLANES, decode_planes, encode_planes
from tensorhub.errors import CorruptPackError

PLANES = bytes(100) + np.random.default_rng(2).integers(0, 256, 100, np.uint8).tobytes() + b"t"


def test_layout():
    coded = encode_planes(memoryview(PLANES), 2, 7)
    assert coded == b"\x07\xc9\0\0\0" + b"\x01\x01\0\0\0" + b"\0\x64\0\0\0" + b"\0" + PLANES[100:]
    out = bytearray(201)
    assert decode_planes("test", coded, 2, memoryview(out)) == 7
    assert out == PLANES


@pytest.mark.parametrize("width", [0, MAX_PLANES + 1, 1 << 30])
def test_impossible_widths_are_refused(width):
    with pytest.raises(CorruptPackError, match="element width"):
        decode_planes("test", bytes(100), width, memoryview(bytearray(10)))


@pytest.mark.parametrize("position", range(1, 15))
def test_any_change_of_the_table_is_refused(position):
    coded = bytearray(encode_planes(memoryview(PLANES), 2, 0))
    coded[position] ^= 0x40
    with pytest.raises(CorruptPackError):
        decode_planes("test", coded, 2, memoryview(bytearray(201)))
