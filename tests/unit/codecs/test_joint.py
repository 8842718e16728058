"""The codec joint: kinds of floats, classes of scale, what is declined."""

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.joint import JointCodec
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planes import PlanesCodec
from tensorhub.codecs.reference_joint import FloatKind
from tensorhub.testing.weights import weight_samples

codec = JointCodec()
WEIGHTS = {sample.name: sample for sample in weight_samples(100_000)}


def encode(data, width):
    coded = codec.encode(data, CodecContext(width))
    if coded is not None:
        out = bytearray(len(data))
        codec.decode(coded.data, CodecContext(width), 1, b"", out)
        assert out == data
    return coded


@pytest.mark.parametrize(
    ("name", "kind", "share"),
    [("bf16", FloatKind.BF16, 0.996), ("f32", FloatKind.F32, 0.999), ("f16", FloatKind.F16, 1.001)],
)
def test_kind_is_found_and_floats_are_as_small_as_they_get(name, kind, share):
    sample = WEIGHTS[name]
    coded = encode(sample.data, sample.element_width)
    assert coded.data[0] == kind
    planes = PlanesCodec().encode(sample.data, CodecContext(sample.element_width, mode=Mode.MAX))
    assert coded.nbytes < share * planes.nbytes


def test_rows_of_other_scales_get_tables_of_their_own():
    rows = np.frombuffer(WEIGHTS["bf16"].data, "<u2")[: 195 * 512].reshape(-1, 512).copy()
    one = encode(rows.tobytes(), 2)
    rows[::3] += 6 << 7
    two = encode(rows.tobytes(), 2)
    assert (one.data[1], two.data[1] > 1) == (1, True)
    assert two.nbytes < 1.01 * one.nbytes
    planes = PlanesCodec().encode(rows.tobytes(), CodecContext(2, mode=Mode.MAX))
    assert two.nbytes < 0.97 * planes.nbytes


def test_what_is_no_float_costs_size_and_nothing_else():
    """Integers, NaNs and text are lossless, by escapes; noise is declined."""
    for name in ("bf16 NaN payloads", "constant elements", "zeros", "text"):
        assert encode(WEIGHTS[name].data, 2) is not None or name == "text"
    encode(np.arange(60_000, dtype="<u4").tobytes(), 4)
    assert encode(WEIGHTS["noise"].data, 2) is None


@pytest.mark.parametrize("width", [1, 3, 8, 16])
def test_other_widths_are_declined(width):
    assert codec.encode(bytes(1000), CodecContext(width)) is None
