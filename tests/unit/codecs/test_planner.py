"""The planner keeps the smallest of its mode, never more than raw, and estimates well."""

import os

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk, encode_chunk, encode_smallest, estimate_nbytes
from tensorhub.codecs.registry import CODECS, codec_for_record
from tensorhub.errors import ShapeMismatchError, UnsupportedVersionError
from tensorhub.testing.weights import near_copy, weight_samples

LARGE = {sample.name: sample for sample in weight_samples(100_000) if len(sample.data) > 1000}
WRITTEN = [codec for codec in CODECS if codec.name != "xor_planes_zstd"]
FLOATS = ["bf16", "f16", "f32", "f8_e4m3"]


def name_of(coded):
    return codec_for_record(coded.codec_id, coded.codec_version).name


def decode(coded, context, nbytes):
    out = np.zeros(nbytes, np.uint8)
    decode_chunk(coded.codec_id, coded.codec_version, coded.parameters, coded.data, context, memoryview(out))
    return out.tobytes()


def tuned(data, width, share, size=4):
    """Move a share of the elements by some units of the last place, as fine-tuning does."""
    rng = np.random.default_rng(8)
    values = np.frombuffer(data[: len(data) // width * width], f"<i{width}").copy()
    moved = rng.random(len(values)) < share
    values[moved] += rng.integers(-size, size + 1, int(moved.sum())).astype(values.dtype)
    return values.tobytes() + data[len(values) * width :]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    "sample", [*weight_samples(), *LARGE.values()], ids=lambda s: f"{s.name} {len(s.data)}"
)
def test_smallest_round_trips(sample, mode):
    data, width = sample.data, sample.element_width
    for prediction in (None, near_copy(data), bytes(len(data))):
        context = CodecContext(width, prediction)
        coded, is_delta = encode_smallest(data, width, prediction, mode)
        assert coded.nbytes <= len(data)
        assert is_delta == codec_for_record(coded.codec_id, coded.codec_version).needs_prediction
        assert not (is_delta and prediction is None)
        assert decode(coded, context if is_delta else CodecContext(width), len(data)) == data


# Of what is mostly zero, zstd makes 15 % less than entropy coding, which the planner does not take for repeating.
SPARSE = "f32 mostly zero"


@pytest.mark.parametrize("sample", [s for s in LARGE.values() if s.name != SPARSE], ids=lambda s: s.name)
def test_max_is_the_smallest_within_two_percent(sample):
    """Of all codecs that are written, whatever samples said; deltas of what repeats are not compared with zstd."""
    width = sample.element_width
    predictions = [None]
    if width in (1, 2, 4, 8) and sample.name != "text":
        predictions += [tuned(sample.data, width, 0.05), tuned(sample.data, width, 0.9, 30)]
    for prediction in predictions:
        context = CodecContext(width, prediction, mode=Mode.MAX)
        sizes = [
            coded.nbytes
            for codec in WRITTEN
            if (prediction is not None or not codec.needs_prediction)
            and (coded := codec.encode(sample.data, context)) is not None
        ]
        assert encode_chunk(sample.data, context, Mode.MAX).nbytes <= 1.02 * min(sizes) + 16


@pytest.mark.parametrize(
    ("name", "fast", "balanced", "most"),
    [
        ("bf16", "planes", "planes", "joint"),
        ("f32", "planes", "planes", "joint"),
        ("f64", "planes", "planes", "planes"),
        ("i64 range", "planes", "planes", "planes"),
        ("text", "zstd", "zstd", "zstd"),
        ("noise", "raw", "raw", "raw"),
        ("width 32", "raw", "raw", "raw"),
    ],
)
def test_codecs_without_a_base(name, fast, balanced, most):
    sample = LARGE[name]
    for mode, expected in zip(Mode, (fast, balanced, most), strict=True):
        assert name_of(encode_chunk(sample.data, CodecContext(sample.element_width), mode)) == expected


def test_codecs_with_a_base():
    """Fast takes the delta that decodes fast; balanced the other one only where it saves much; max the smaller."""
    data = LARGE["bf16"].data
    few, many = (CodecContext(2, tuned(data, 2, 0.3, size)) for size in (2, 200))
    names = [name_of(encode_chunk(data, few, mode)) for mode in Mode]
    assert names[:2] == ["ulp_delta_fast", "ulp_delta_fast"]
    names = [name_of(encode_chunk(data, many, mode)) for mode in Mode]
    assert names == ["ulp_delta_fast", "ulp_delta", "ulp_delta"]


def test_modes_do_not_get_larger():
    """Where sizes differ at all, the slower mode is the smaller one, within a percent."""
    for name in FLOATS:
        sample = LARGE[name]
        for prediction in (None, tuned(sample.data, sample.element_width, 0.3)):
            context = CodecContext(sample.element_width, prediction)
            fast, balanced, most = (encode_chunk(sample.data, context, mode).nbytes for mode in Mode)
            assert most <= 1.01 * balanced <= 1.01 * 1.01 * fast


def test_no_mode_writes_a_codec_of_the_past():
    for sample in LARGE.values():
        for prediction in (None, near_copy(sample.data)):
            for mode in Mode:
                coded = encode_chunk(sample.data, CodecContext(sample.element_width, prediction), mode)
                assert name_of(coded) != "xor_planes_zstd"


@pytest.mark.parametrize("mode", Mode)
def test_prediction_is_used_only_where_it_helps(mode):
    data = LARGE["bf16"].data
    assert encode_smallest(data, 2, tuned(data, 2, 0.1), mode)[1]
    unrelated = np.random.default_rng(8).permutation(np.frombuffer(data, "<u2")).tobytes()
    coded, is_delta = encode_smallest(data, 2, unrelated, mode)
    assert not is_delta
    assert coded == encode_smallest(data, 2, None, mode)[0]


def test_very_small_chunks_are_tried_in_full():
    """Below some size no sample decides; nothing is made larger."""
    for nbytes in (0, 1, 2, 31, 64, 500):
        for sample in LARGE.values():
            data = sample.data[:nbytes]
            for mode in Mode:
                coded, _ = encode_smallest(data, sample.element_width, near_copy(data), mode)
                assert coded.nbytes <= nbytes


@pytest.mark.parametrize("name", [*FLOATS, "noise"])
def test_estimates_are_close(name):
    """Of the smallest coding with a base, and of the balanced one without."""
    sample = LARGE[name]
    width = sample.element_width
    for prediction in (None, *(tuned(sample.data, width, share, 9) for share in (0.3, 0.03))):
        context = CodecContext(width, prediction)
        estimate = estimate_nbytes(sample.data, context)
        mode = Mode.BALANCED if prediction is None else Mode.MAX
        final = encode_chunk(sample.data, context, mode).nbytes
        # Heads and tables weigh more in a sample, the more so the smaller the final size.
        assert 0.95 * final - 0.005 * len(sample.data) <= estimate <= 1.05 * final + 0.01 * len(sample.data)


def test_estimate_with_a_useless_prediction_is_the_delta_size():
    data = LARGE["bf16"].data
    assert 0.9 * len(data) <= estimate_nbytes(data, CodecContext(2, os.urandom(len(data)))) <= len(data)
    assert estimate_nbytes(b"", CodecContext(2, b"")) == 0


def test_estimate_is_at_most_raw():
    for sample in weight_samples(50):
        for prediction in (None, os.urandom(len(sample.data))):
            context = CodecContext(sample.element_width, prediction)
            assert 0 <= estimate_nbytes(sample.data, context) <= len(sample.data)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("nbytes", [100, 100_000])
def test_unequal_prediction_is_refused(nbytes, mode):
    context = CodecContext(2, bytes(nbytes - 1))
    with pytest.raises(ShapeMismatchError):
        encode_chunk(bytes(nbytes), context, mode)
    with pytest.raises(ShapeMismatchError):
        estimate_nbytes(bytes(nbytes), context)


def test_unknown_codec_in_a_record():
    with pytest.raises(UnsupportedVersionError):
        decode_chunk(77, 1, b"", b"", CodecContext(1), bytearray())
