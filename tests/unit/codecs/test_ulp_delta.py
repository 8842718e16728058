"""The codec ulp_delta: differences of every size and kind, and what is declined."""

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.ulp_delta import UlpDeltaCodec
from tensorhub.testing.weights import weight_samples

codec = UlpDeltaCodec()
WEIGHTS = {sample.name: sample for sample in weight_samples(100_000)}
rng = np.random.default_rng(11)


def encode(data, base, width):
    coded = codec.encode(data, CodecContext(width, base))
    if coded is not None:
        out = bytearray(len(data))
        codec.decode(coded.data, CodecContext(width, base), 1, b"", out)
        assert out == data
    return coded


def step(data, width, share, size):
    """Move some elements by a few units of the last place."""
    values = np.frombuffer(data, f"<i{width}").copy()
    moved = rng.random(len(values)) < share
    values[moved] += rng.integers(-size, size + 1, int(moved.sum())).astype(values.dtype)
    return values.tobytes()


@pytest.mark.parametrize("name", ["bf16", "f32", "f64", "f8_e4m3", "i64 range"])
def test_equal_chunks_cost_their_head(name):
    sample = WEIGHTS[name]
    assert encode(sample.data, sample.data, sample.element_width).nbytes == 19 + 3 + 16


@pytest.mark.parametrize(
    ("share", "size", "bits"), [(0.01, 2, 0.12), (0.2, 3, 1.4), (1.0, 3, 2.9), (1.0, 40, 6.5)]
)
def test_size_is_near_the_entropy_of_the_steps(share, size, bits):
    sample = WEIGHTS["bf16"]
    coded = encode(sample.data, step(sample.data, 2, share, size), 2)
    assert 8 * coded.nbytes / 100_000 < bits


def test_steps_that_grow_with_the_exponent_have_contexts():
    """The same change is many units of a small number and few of a large one."""
    weights = np.frombuffer(WEIGHTS["f32"].data, "<f4")
    moved = (weights + rng.standard_normal(len(weights)).astype("<f4") * np.float32(1e-7)).tobytes()
    coded = encode(moved, weights.tobytes(), 4)
    assert coded.data[0] == 0
    assert coded.data[2] > 4
    assert coded.nbytes < 0.3 * len(moved)


def test_integers_that_pass_zero_are_no_floats():
    numbers = rng.integers(-3, 4, 50_000).astype(np.int8)
    other = (numbers + rng.integers(-1, 2, 50_000)).astype(np.int8)
    coded = encode(numbers.tobytes(), other.tobytes(), 1)
    assert coded.data[0] == 1
    assert 8 * coded.nbytes / 50_000 < 1.7


def test_signs_of_floats_that_change_are_small_steps():
    """From the least positive number to zero to the least negative one is a step each."""
    tiny = np.array([0x0002, 0x0001, 0x0000, 0x8000, 0x8001, 0x8002], "<u2")
    target, base = np.tile(tiny, 5000), np.tile(np.roll(tiny, 1), 5000)
    target[::6], base[::6] = 1, 0
    coded = encode(target.tobytes(), base.tobytes(), 2)
    assert coded.data[15:19] == bytes(4)  # no extra bits


def test_unrelated_predictions_and_other_widths_are_declined():
    noise = rng.bytes(200_000)
    assert encode(noise, rng.bytes(200_000), 2) is None
    for width in (3, 16, 17):
        assert codec.encode(bytes(1000), CodecContext(width, bytes(1000))) is None
