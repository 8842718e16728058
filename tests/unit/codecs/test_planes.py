"""The codec planes: what each kind of chunk becomes, by mode."""

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planes import PlanesCodec
from tensorhub.codecs.reference_planes import Transform
from tensorhub.codecs.reference_streams import StreamMode
from tensorhub.testing.weights import weight_samples

codec = PlanesCodec()
WEIGHTS = {sample.name: sample for sample in weight_samples(200_000)}


def encode(data, width, mode=Mode.BALANCED):
    coded = codec.encode(data, CodecContext(width, mode=mode))
    if coded is not None:
        out = bytearray(len(data))
        codec.decode(coded.data, CodecContext(width), 1, b"", out)
        assert out == data
    return coded


def modes_of(coded, width):
    return [StreamMode(coded.data[5 + 5 * plane]) for plane in range(width)]


@pytest.mark.parametrize(
    ("name", "mode", "ratio", "transform"),
    [
        ("bf16", Mode.FAST, 1.49, Transform.SIGN_MOVED),
        ("bf16", Mode.BALANCED, 1.51, Transform.SIGN_MOVED),
        ("f32", Mode.BALANCED, 1.20, Transform.SIGN_MOVED),
        ("f16", Mode.BALANCED, 1.18, Transform.PLAIN),
        ("f8_e4m3", Mode.BALANCED, 1.22, Transform.PLAIN),
    ],
)
def test_ratio_of_normal_weights(name, mode, ratio, transform):
    sample = WEIGHTS[name]
    coded = encode(sample.data, sample.element_width, mode)
    assert coded.data[0] == transform
    assert len(sample.data) / coded.nbytes > ratio


def test_modes_choose_coders():
    """Fast takes short codes, or wide rANS where they are too long; the others rANS."""
    for mode, allowed in (
        (Mode.FAST, set(StreamMode) - {StreamMode.SMALL_RANS}),
        (Mode.BALANCED, set(StreamMode) - {StreamMode.CASCADE}),
        (Mode.MAX, set(StreamMode) - {StreamMode.CASCADE}),
    ):
        for sample in WEIGHTS.values():
            width = sample.element_width
            coded = encode(sample.data, width, mode)
            if coded is not None:
                assert set(modes_of(coded, width)) <= allowed, sample.name
    assert modes_of(encode(WEIGHTS["bf16"].data, 2, Mode.FAST), 2) == [StreamMode.RAW, StreamMode.CASCADE]
    assert modes_of(encode(WEIGHTS["f8_e4m3"].data, 1, Mode.FAST), 1) == [StreamMode.WIDE_RANS]
    assert modes_of(encode(WEIGHTS["bf16"].data, 2), 2) == [StreamMode.RAW, StreamMode.SMALL_RANS]


def test_f32_that_holds_bf16_costs_no_more():
    wide = np.frombuffer(WEIGHTS["bf16"].data, "<u2").astype("<u4") << 16
    narrow = encode(WEIGHTS["bf16"].data, 2)
    assert encode(wide.tobytes(), 4).nbytes < narrow.nbytes + 20


def test_rows_of_shorter_floats_are_trimmed():
    """Each second row lacks its two lowest bits: they cost nothing there."""
    rows = np.frombuffer(WEIGHTS["f32"].data, "<u4").reshape(-1, 500).copy()
    whole = encode(rows.tobytes(), 4)
    rows[::2] &= 0xFFFFFFFC
    coded = encode(rows.tobytes(), 4)
    assert modes_of(coded, 4)[0] == StreamMode.TRIMMED
    assert coded.nbytes < whole.nbytes - 0.1 * rows.size


@pytest.mark.parametrize("width", [2, 4, 8])
def test_sorted_numbers_are_subtracted(width):
    numbers = np.cumsum(np.random.default_rng(1).integers(0, 9, 50_000)).astype(f"<u{width}")
    coded = encode(numbers.tobytes(), width)
    assert coded.data[0] == Transform.DIFFERENCES
    assert coded.nbytes < 50_000 * 0.45


def test_noise_and_very_wide_elements_are_declined():
    assert encode(WEIGHTS["noise"].data, 2) is None
    assert encode(b"", 2) is None
    assert codec.encode(bytes(1000), CodecContext(17)) is None


def test_constant_chunks_cost_only_their_heads():
    for width in range(1, 17):
        assert encode(bytes(range(width)) * 100, width).nbytes == 5 + 6 * width
