"""Native codecs: every SIMD path writes the same bytes and reads them back, as the plain twins define."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub import _native
from tensorhub.codecs.reference_streams import StreamMode

from ..codec_cases import (
    JOINT,
    KERNELS,
    KINDS,
    PLANES,
    PREDICTIONS,
    ULP_DELTA,
    ULP_DELTA_FAST,
    Kernel,
    chunk,
    decode_on_every_path,
    encode_on_every_path,
    prediction_of,
)

# Element counts around what a kernel takes at once: a step, a segment, a tile.
counts = st.one_of(
    st.integers(0, 200), st.sampled_from([c + d for c in (256, 512, 4096, 8192) for d in (-1, 0, 1)])
)
kinds = st.sampled_from(sorted(KINDS))
seeds = st.integers(0, 1 << 20)
efforts = st.integers(0, 2)
how = st.sampled_from(PREDICTIONS)
F16, BF16, F32 = 2, 0, 1


@pytest.fixture(autouse=True, scope="module")
def path_is_restored() -> Iterator[None]:
    """Leave the SIMD path as it was."""
    used = _native.simd_level()
    yield
    assert _native.simd_level() == used


def check(kernel: Kernel, target: bytes, width: int, setting: int = 0, prediction: bytes = b"") -> bytes:
    """Assert the property; gives the coded bytes."""
    coded = encode_on_every_path(kernel, target, width, setting, prediction)
    assert decode_on_every_path(kernel, coded, width, len(target), prediction) == target
    assert kernel.define(coded, width, len(target), prediction) == target
    return coded


def modes_of(coded: bytes, width: int) -> set[int]:
    return {coded[5 + 5 * plane] for plane in range(width)}


@given(kinds, counts, st.integers(1, 16), seeds, efforts, st.integers(0, 15))
@settings(max_examples=60, deadline=None)
def test_planes(kind, count, width, seed, effort, tail):
    check(PLANES, chunk(kind, count, width, seed, tail % width), width, effort)


@given(kinds, counts, st.sampled_from([F16, BF16, F32]), seeds, st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_joint(kind, count, float_kind, seed, tail):
    width = 4 if float_kind == F32 else 2
    check(JOINT, chunk(kind, count, width, seed, tail % width), width, float_kind)


@pytest.mark.parametrize("kernel", [ULP_DELTA, ULP_DELTA_FAST], ids=lambda kernel: kernel.name)
@given(kinds, counts, st.sampled_from([1, 2, 4, 8]), seeds, how, st.integers(0, 7))
@settings(max_examples=60, deadline=None)
def test_deltas(kernel, kind, count, width, seed, how, tail):
    target = chunk(kind, count, width, seed, tail % width)
    check(kernel, target, width, prediction=prediction_of(target, how, width, seed + 3))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
@given(st.binary(max_size=600), st.sampled_from([2, 4]), st.data())
@settings(max_examples=40, deadline=None)
def test_any_bytes(kernel, target, width, data):
    """Whatever the bit patterns are."""
    prediction = b""
    if kernel.needs_prediction:
        prediction = data.draw(st.binary(min_size=len(target), max_size=len(target)))
    check(kernel, target, width, F32 if kernel is JOINT and width == 4 else 0, prediction)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.parametrize("how", PREDICTIONS)
def test_all_patterns_of_16_bits(how, width):
    """Each pair of bytes once, NaNs, infinities and zeros of both signs among them."""
    target = np.arange(65536, dtype="<u2").tobytes()[:: -1 if width == 8 else 1]
    if width == 8:
        target = target[: 1 << 15]
    for kernel in (ULP_DELTA, ULP_DELTA_FAST):
        coded = encode_on_every_path(kernel, target, width, prediction=prediction_of(target, how, width))
        prediction = prediction_of(target, how, width)
        assert decode_on_every_path(kernel, coded, width, len(target), prediction) == target
    if how == "equal" and width > 1:
        check(PLANES, target, width, 2)
        if width < 8:
            check(JOINT, target, width, F32 if width == 4 else BF16)


# Where tables switch (131,072 values), two groups of lanes begin (131,072), and blocks of a cascade end (65,536).
LARGE = (65535, 65536, 65537, 131071, 131072, 131073, 131072 + 65536 + 65)


@pytest.mark.parametrize("count", LARGE)
def test_large_planes(count):
    """A cascade, small rANS and wide rANS over a table's and a block's end; the histogram moves on the way."""
    still = chunk("narrow bell", count, 2, 3)[1::2]
    moving = still[: count // 2] + bytes(byte + 4 for byte in still[count // 2 :])
    assert modes_of(check(PLANES, moving, 1, 0), 1) == {StreamMode.CASCADE}
    assert modes_of(check(PLANES, moving, 1, 1), 1) == {StreamMode.SMALL_RANS}
    assert modes_of(check(PLANES, moving, 1, 2), 1) == {StreamMode.WIDE_RANS}


@pytest.mark.parametrize("count", LARGE[2:])
@pytest.mark.parametrize("kernel", [ULP_DELTA, ULP_DELTA_FAST], ids=lambda kernel: kernel.name)
def test_large_deltas(kernel, count):
    target = chunk("weights", count, 2, 5, 1)
    check(kernel, target, 2, prediction=prediction_of(target, "small steps", 2))


def test_large_joint():
    """Several classes: rows of two scales."""
    rows = np.frombuffer(chunk("weights", 140_000, 2, 5), "<u2").copy().reshape(-1, 500)
    rows[::3] -= 5 << 7
    coded = check(JOINT, rows.tobytes() + b"\1", 2, BF16)
    assert coded[1] > 1


def test_every_stream_mode_is_met():
    """The cases above reach every coder of a plane."""
    met = set()
    for kind in ("noise", "one symbol", "trimmed rows", "bell", "narrow bell", "wide bell"):
        for effort in (0, 1, 2):
            met |= modes_of(check(PLANES, chunk(kind, 70_000, 2, 9)[1::2], 1, effort), 1)
    assert met == set(StreamMode)


def test_every_shape_of_a_delta_is_met():
    """Both kinds of elements, one and many contexts, low bytes kept, short and long escapes."""
    contexts, kinds, lows, shorts, longs = set(), set(), set(), set(), set()
    for how in PREDICTIONS:
        for width in (1, 2, 4, 8):
            target = chunk("weights", 6000, width, 2)
            coded = check(ULP_DELTA_FAST, target, width, prediction=prediction_of(target, how, width))
            kinds.add(coded[0])
            contexts.add(coded[2])
            shorts.add(int.from_bytes(coded[15:19], "little") > 0)
            longs.add(int.from_bytes(coded[19:23], "little") > 0)
            lows.add(coded[24])
    assert kinds == shorts == longs == {0, 1}
    assert {1, 8} <= contexts
    assert len(lows) > 2


@pytest.mark.slow
@given(kinds, st.integers(0, 30_000), st.integers(1, 16), seeds, efforts, st.integers(0, 15))
@settings(max_examples=400, deadline=None)
def test_more_planes(kind, count, width, seed, effort, tail):
    check(PLANES, chunk(kind, count // width, width, seed, tail % width), width, effort)


@pytest.mark.slow
@given(kinds, st.integers(0, 20_000), st.sampled_from([F16, BF16, F32]), seeds, st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_more_joint(kind, count, float_kind, seed, tail):
    width = 4 if float_kind == F32 else 2
    check(JOINT, chunk(kind, count, width, seed, tail % width), width, float_kind)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [ULP_DELTA, ULP_DELTA_FAST], ids=lambda kernel: kernel.name)
@given(kinds, st.integers(0, 20_000), st.sampled_from([1, 2, 4, 8]), seeds, how, st.integers(0, 7))
@settings(max_examples=500, deadline=None)
def test_more_deltas(kernel, kind, count, width, seed, how, tail):
    target = chunk(kind, count, width, seed, tail % width)
    check(kernel, target, width, prediction=prediction_of(target, how, width, seed + 3))
