"""Byte planes of the XOR with a prediction."""

import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.xor_planes_zstd import XorPlanesZstdCodec
from tensorhub.errors import CorruptPackError
from tensorhub.testing.weights import near_copy, weight_samples

codec = XorPlanesZstdCodec()
SAMPLE = next(sample for sample in weight_samples(100_000) if sample.name == "bf16")


def test_equal_chunks_cost_only_the_table():
    coded = codec.encode(SAMPLE.data, CodecContext(2, SAMPLE.data))
    assert coded.nbytes == 5 + 2 * 5 + 2


def test_near_copies_are_small():
    coded = codec.encode(SAMPLE.data, CodecContext(2, near_copy(SAMPLE.data, 0.02)))
    assert len(SAMPLE.data) / coded.nbytes > 15


def test_unrelated_prediction_is_declined():
    noise = next(sample for sample in weight_samples(100_000) if sample.name == "noise").data
    assert codec.encode(SAMPLE.data[: len(noise)], CodecContext(2, noise)) is None


def test_very_wide_elements_are_declined():
    assert codec.encode(bytes(1000), CodecContext(17, bytes(1000))) is None


def test_flags_are_refused():
    data = bytearray(codec.encode(SAMPLE.data, CodecContext(2, SAMPLE.data)).data)
    data[0] = 1
    with pytest.raises(CorruptPackError, match="flags"):
        codec.decode(data, CodecContext(2, SAMPLE.data), 1, b"", bytearray(len(SAMPLE.data)))
