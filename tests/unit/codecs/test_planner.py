"""The planner keeps the smallest, never more than raw, and estimates well."""

import os

import numpy as np
import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import decode_chunk, encode_chunk, encode_smallest, estimate_nbytes
from tensorhub.codecs.registry import CODECS, codec_for_record
from tensorhub.errors import ShapeMismatchError, UnsupportedVersionError
from tensorhub.testing.weights import near_copy, weight_samples

LARGE = {sample.name: sample for sample in weight_samples(100_000) if len(sample.data) > 1000}


def decode(coded, context, nbytes):
    out = np.zeros(nbytes, np.uint8)
    decode_chunk(coded.codec_id, coded.codec_version, coded.parameters, coded.data, context, memoryview(out))
    return out.tobytes()


@pytest.mark.parametrize(
    "sample", [*weight_samples(), *LARGE.values()], ids=lambda s: f"{s.name} {len(s.data)}"
)
def test_smallest_round_trips(sample):
    data, width = sample.data, sample.element_width
    for prediction in (None, near_copy(data), bytes(len(data))):
        context = CodecContext(width, prediction)
        coded, is_delta = encode_smallest(data, width, prediction)
        assert coded.nbytes <= len(data)
        assert is_delta == codec_for_record(coded.codec_id, coded.codec_version).needs_prediction
        assert not (is_delta and prediction is None)
        assert decode(coded, context if is_delta else CodecContext(width), len(data)) == data


@pytest.mark.parametrize("sample", LARGE.values(), ids=lambda s: s.name)
def test_sampled_choice_is_the_best_within_two_percent(sample):
    for prediction in (None, near_copy(sample.data)):
        context = CodecContext(sample.element_width, prediction)
        sizes = [
            coded.nbytes
            for codec in CODECS
            if (prediction is not None or not codec.needs_prediction)
            and (coded := codec.encode(sample.data, context)) is not None
        ]
        assert encode_chunk(sample.data, context).nbytes <= 1.02 * min(sizes) + 16


@pytest.mark.parametrize(
    ("name", "codec"), [("bf16", "planes_zstd"), ("text", "zstd"), ("f64", "planes_zstd"), ("noise", "raw")]
)
def test_expected_codecs(name, codec):
    sample = LARGE[name]
    coded = encode_chunk(sample.data, CodecContext(sample.element_width))
    assert codec_for_record(coded.codec_id, coded.codec_version).name == codec


def test_prediction_is_used_only_where_it_helps():
    data = LARGE["bf16"].data
    assert encode_smallest(data, 2, near_copy(data))[1]
    unrelated = np.random.default_rng(8).permutation(np.frombuffer(data, "<u2")).tobytes()
    coded, is_delta = encode_smallest(data, 2, unrelated)
    assert not is_delta
    assert coded == encode_smallest(data, 2, None)[0]


@pytest.mark.parametrize("name", ["bf16", "f32", "f16", "f8_e4m3", "noise"])
def test_estimates_are_close(name):
    sample = LARGE[name]
    for prediction in (None, near_copy(sample.data, 0.3), near_copy(sample.data, 0.03)):
        context = CodecContext(sample.element_width, prediction)
        estimate = estimate_nbytes(sample.data, context)
        final = encode_chunk(sample.data, context).nbytes
        # Heads and tables weigh more in a sample, the more so the smaller the final size.
        assert 0.95 * final <= estimate <= 1.05 * final + 0.02 * len(sample.data)


def test_estimate_with_a_useless_prediction_is_the_delta_size():
    data = LARGE["bf16"].data
    assert estimate_nbytes(data, CodecContext(2, os.urandom(len(data)))) == len(data)
    assert estimate_nbytes(b"", CodecContext(2, b"")) == 0


@pytest.mark.parametrize("nbytes", [100, 100_000])
def test_unequal_prediction_is_refused(nbytes):
    context = CodecContext(2, bytes(nbytes - 1))
    for call in (encode_chunk, estimate_nbytes):
        with pytest.raises(ShapeMismatchError):
            call(bytes(nbytes), context)


def test_unknown_codec_in_a_record():
    with pytest.raises(UnsupportedVersionError):
        decode_chunk(77, 1, b"", b"", CodecContext(1), bytearray())
