"""The plain twin of planes: transforms, on examples made by hand."""

import struct

import numpy as np
import pytest

from tensorhub.codecs.reference_planes import Transform, add_neighbours, decode_planes
from tensorhub.errors import CorruptPackError


def raw_planes(transform, planes, tail=b""):
    width, count = len(planes), len(planes[0])
    head = struct.pack("<BI", transform, width * count + len(tail))
    return head + struct.pack("<BI", 0, count) * width + b"".join(planes) + tail


def test_plain():
    coded = raw_planes(Transform.PLAIN, [b"ad", b"be", b"cf"], b"xy")
    assert decode_planes(coded, 3, 8) == b"abcdefxy"


def test_sign_moved():
    """The highest plane is the exponent, the one below the sign and the rest of the mantissa."""
    coded = raw_planes(Transform.SIGN_MOVED, [b"\x11", b"\xd5", b"\x7f"])
    assert decode_planes(coded, 3, 3) == bytes([0x11, 0x80 | 0x55, 0x80 | 0x3F])


@pytest.mark.parametrize("width", [2, 4, 8])
def test_differences(width):
    """0, -1, 1, -2 and a step over the end, folded."""
    numbers = np.array([0, 1, 2, 3, 2**64 - 2], np.uint64).astype(f"<u{width}")
    elements = np.frombuffer(add_neighbours(numbers.view(np.uint8), width), f"<i{width}")
    half = 2 ** (8 * width - 1) - 1
    assert elements.tolist() == [0, -1, 0, -2, half - 2]
    planes = [plane.tobytes() for plane in numbers.view(np.uint8).reshape(-1, width).T]
    assert decode_planes(raw_planes(Transform.DIFFERENCES, planes), width, 5 * width) == elements.tobytes()


@pytest.mark.parametrize(("transform", "width"), [(1, 1), (2, 1), (2, 3), (2, 16), (3, 2), (0, 17)], ids=str)
def test_what_a_width_does_not_have(transform, width):
    with pytest.raises(CorruptPackError):
        decode_planes(raw_planes(transform, [b"a"] * width), width, width)
