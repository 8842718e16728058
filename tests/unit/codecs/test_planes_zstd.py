"""Byte planes without a prediction."""

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planes_zstd import SIGN_MOVED, PlanesZstdCodec
from tensorhub.errors import CorruptPackError
from tensorhub.testing.weights import weight_samples

codec = PlanesZstdCodec()
WEIGHTS = {sample.name: sample for sample in weight_samples(200_000)}


@pytest.mark.parametrize(
    ("name", "ratio", "flags"),
    [("bf16", 1.49, SIGN_MOVED), ("f32", 1.19, SIGN_MOVED), ("f16", 1.16, 0), ("f8_e4m3", 1.17, 0)],
)
def test_ratio_of_normal_weights(name, ratio, flags):
    sample = WEIGHTS[name]
    coded = codec.encode(sample.data, CodecContext(sample.element_width))
    assert coded.data[0] == flags
    assert len(sample.data) / coded.nbytes > ratio


def test_f32_that_holds_bf16_costs_no_more():
    wide = np.frombuffer(WEIGHTS["bf16"].data, "<u2").astype("<u4") << 16
    narrow = codec.encode(WEIGHTS["bf16"].data, CodecContext(2))
    assert codec.encode(wide.tobytes(), CodecContext(4)).nbytes < narrow.nbytes + 20


@pytest.mark.parametrize(("flags", "width"), [(2, 2), (0x81, 2), (1, 1)])
def test_unknown_flags_are_refused(flags, width):
    data = b"ab" * 50 + bytes(100)
    coded = bytearray(codec.encode(data, CodecContext(width)).data)
    coded[0] = flags
    with pytest.raises(CorruptPackError, match="flags"):
        codec.decode(coded, CodecContext(width), 1, b"", bytearray(200))


def test_very_wide_elements_are_declined():
    assert codec.encode(bytes(1000), CodecContext(17)) is None
