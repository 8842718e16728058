"""The native plane kernels answer exactly what their plain twins define."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub import _native
from tensorhub.codecs import reference

widths = st.integers(1, 16)
# Long enough for whole vector steps of every width, with every kind of rest.
sizes = st.one_of(st.integers(0, 80), st.integers(200, 1300))
seeds = st.integers(0, 2**32 - 1)


def make(nbytes, seed, zeros=0.0):
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, nbytes, np.uint8)
    data[rng.random(nbytes) < zeros] = 0
    return data


def shifted(nbytes):
    """Writable memory that is not aligned."""
    return np.zeros(nbytes + 1, np.uint8)[1:]


@given(sizes, widths, seeds)
@settings(max_examples=200, deadline=None)
def test_planes(nbytes, width, seed):
    data, out, back = make(nbytes + 3, seed)[3:], shifted(nbytes), shifted(nbytes)
    _native.split_planes(data, width, out)
    assert np.array_equal(out, reference.split_planes(data, width))
    _native.merge_planes(out, width, back)
    assert np.array_equal(back, reference.merge_planes(out, width))
    assert np.array_equal(back, data)


@given(sizes, widths, seeds)
@settings(max_examples=200, deadline=None)
def test_xor_planes(nbytes, width, seed):
    target, prediction = make(nbytes, seed), make(nbytes + 1, seed + 1)[1:]
    out, back = shifted(nbytes), shifted(nbytes)
    _native.xor_split_planes(target, prediction, width, out)
    assert np.array_equal(out, reference.xor_split_planes(target, prediction, width))
    _native.merge_planes_xor(out, prediction, width, back)
    assert np.array_equal(back, reference.merge_planes_xor(out, prediction, width))
    assert np.array_equal(back, target)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8, 16])
@pytest.mark.parametrize("steps", [31, 32, 33, 64, 95, 1000])
def test_planes_around_vector_steps(width, steps):
    for tail in {0, width - 1}:
        data = make(steps * width + tail, steps)
        out = shifted(len(data))
        _native.split_planes(data, width, out)
        assert np.array_equal(out, reference.split_planes(data, width))


@given(sizes, seeds)
@settings(deadline=None)
def test_xor_and_popcount(nbytes, seed):
    a, b, out = make(nbytes, seed), make(nbytes, seed + 1), shifted(nbytes)
    _native.xor_bytes(a, b, out)
    assert np.array_equal(out, a ^ b)
    assert _native.xor_popcount(a, b) == reference.xor_popcount(a, b)


@given(sizes, seeds, st.sampled_from([0.0, 0.5, 1.0]))
@settings(deadline=None)
def test_byte_statistics(nbytes, seed, zeros):
    data = make(nbytes, seed, zeros)
    for pieces, piece_nbytes in ((1, nbytes + 1), (2, 7), (8, 16), (4, max(1, nbytes // 4))):
        if pieces == 1 or nbytes:
            *counts, bits = _native.byte_statistics(data, pieces, piece_nbytes)
            *expected, expected_bits = reference.byte_statistics(data, pieces, piece_nbytes)
            assert counts == expected
            assert abs(bits - expected_bits) < 1e-9


@given(sizes, seeds)
@settings(deadline=None)
def test_moved_sign(nbytes, seed):
    high, low = make(nbytes, seed), make(nbytes, seed + 1)
    moved_high, moved_low = high.copy(), low.copy()
    _native.move_sign_down(moved_high, moved_low)
    expected = reference.move_sign_down(high, low)
    assert np.array_equal(moved_high, expected[0])
    assert np.array_equal(moved_low, expected[1])
    assert np.array_equal(reference.move_sign_up(*expected)[0], high)
    assert np.array_equal(reference.move_sign_up(*expected)[1], low)
    _native.move_sign_up(moved_high, moved_low)
    assert np.array_equal(moved_high, high)
    assert np.array_equal(moved_low, low)


@given(sizes, seeds, st.sampled_from([0.0, 0.3, 0.9, 1.0]))
@settings(deadline=None)
def test_nonzero(nbytes, seed, zeros):
    data = make(nbytes, seed, zeros)
    bitmap, values, back = shifted((nbytes + 7) // 8), shifted(nbytes), np.full(nbytes, 9, np.uint8)
    count = _native.split_nonzero(data, bitmap, values)
    expected_bitmap, expected_values = reference.split_nonzero(data)
    assert np.array_equal(bitmap, expected_bitmap)
    assert np.array_equal(values[:count], expected_values)
    _native.merge_nonzero(bitmap, values[:count].copy(), back)
    assert np.array_equal(back, data)
    assert np.array_equal(reference.merge_nonzero(expected_bitmap, expected_values, nbytes), data)
