"""The codec ulp_delta_fast: escapes, low bytes, two groups of lanes, and what is declined."""

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.ulp_delta import UlpDeltaCodec
from tensorhub.codecs.ulp_delta_fast import UlpDeltaFastCodec
from tensorhub.testing.weights import weight_samples

codec = UlpDeltaFastCodec()
WEIGHTS = {sample.name: sample for sample in weight_samples(150_000)}
rng = np.random.default_rng(12)
SHORTS, LONGS, GROUPS, LOW = slice(15, 19), slice(19, 23), 23, 24  # places in the head


def encode(data, base, width):
    coded = codec.encode(data, CodecContext(width, base))
    if coded is not None:
        out = bytearray(len(data))
        codec.decode(coded.data, CodecContext(width, base), 1, b"", out)
        assert out == data
    return coded


def number(data):
    return int.from_bytes(data, "little")


@pytest.mark.parametrize(("name", "width"), [("bf16", 2), ("f32", 4), ("f64", 8), ("f8_e4m3", 1)])
def test_equal_chunks_cost_nearly_nothing(name, width):
    data = WEIGHTS[name].data
    coded = encode(data, data, width)
    assert coded.nbytes < 0.01 * 150_000
    assert coded.data[GROUPS] == 2
    assert encode(data[: 1000 * width], data[: 1000 * width], width).data[GROUPS] == 1


@pytest.mark.parametrize("size", [1, 2, 6])
def test_small_steps_are_at_most_some_percent_larger_than_by_ulp_delta(size):
    data = WEIGHTS["bf16"].data
    base = (np.frombuffer(data, "<u2") + rng.integers(-size, size + 1, 150_000).astype("<u2")).tobytes()
    small = UlpDeltaCodec().encode(data, CodecContext(2, base))
    assert small.nbytes < encode(data, base, 2).nbytes < 1.12 * small.nbytes


def test_far_steps_escape():
    """Up to 269 by one byte, above in full; how many there are stands in the head."""
    numbers = np.zeros(5000, "<u2")
    numbers[:3], numbers[1000:1002] = 100, 5000
    coded = encode(numbers.tobytes(), bytes(10_000), 2)
    assert (number(coded.data[SHORTS]), number(coded.data[LONGS])) == (3, 2)


def test_noise_in_low_bytes_is_kept_apart():
    """A prediction that was rounded to a shorter float leaves nothing to predict in the bytes that it lacks."""
    weights = np.frombuffer(WEIGHTS["f32"].data, "<u4")
    coded = encode(weights.tobytes(), (weights & 0xFFFF0000).tobytes(), 4)
    assert coded.data[LOW] == 2
    assert coded.nbytes < 0.52 * weights.nbytes


def test_unrelated_predictions_and_other_widths_are_declined():
    noise = rng.bytes(200_000)
    assert encode(noise, rng.bytes(200_000), 2) is None
    for width in (3, 16, 17):
        assert codec.encode(bytes(1000), CodecContext(width, bytes(1000))) is None
