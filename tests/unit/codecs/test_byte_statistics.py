"""Samples and entropy."""

import numpy as np
import pytest

from tensorhub.codecs.byte_statistics import entropy_bits, sample_pieces


def test_short_data_is_its_own_sample():
    data = memoryview(bytes(range(100)))
    assert sample_pieces(data, 4, 25) is data


def test_pieces_are_whole_elements_from_first_to_last():
    data = memoryview(np.arange(1000, dtype="<u4").tobytes())
    values = np.frombuffer(sample_pieces(data, 4, 40, 4), "<u4")
    assert len(values) == 40
    assert values[0] == 0
    assert values[-1] == 999
    assert all(np.diff(values.reshape(4, 10), axis=1).ravel() == 1)


@pytest.mark.parametrize(
    ("data", "bits"), [(b"", 0), (b"aaaa", 0), (b"ab" * 5000, 1), (bytes(range(256)) * 99, 8)]
)
def test_entropy(data, bits):
    assert entropy_bits(data) == pytest.approx(bits, abs=0.01)


def test_small_samples_of_noise_look_like_noise():
    noise = np.random.default_rng(1).integers(0, 256, 4096, np.uint8)
    assert entropy_bits(noise) > 7.97
