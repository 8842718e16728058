"""Chunks coded by every past generation decode to the same bytes for ever; what is written is pinned."""

import json
from pathlib import Path

import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk
from tensorhub.codecs.reference_streams import StreamMode
from tensorhub.codecs.registry import codec_for_record

from ...codec_cases import KERNELS, LEVELS, simd_level
from .make_vectors import make_vectors

FILES = sorted(Path(__file__).parent.glob("generation-*.json"))
GENERATIONS = [json.loads(path.read_text(encoding="utf-8")) for path in FILES]
VECTORS = [vector for vectors in GENERATIONS for vector in vectors]
WRITTEN = GENERATIONS[-1]


def buffers(vector):
    """Give the coded bytes, the decoded bytes and the prediction of a vector."""
    prediction = None if vector["prediction"] is None else bytes.fromhex(vector["prediction"])
    return bytes.fromhex(vector["coded"]), bytes.fromhex(vector["decoded"]), prediction


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_decodes(vector):
    """On every SIMD path."""
    coded, decoded, prediction = buffers(vector)
    for level in LEVELS:
        out = bytearray(len(decoded))
        with simd_level(level):
            decode_chunk(
                vector["codec_id"],
                vector["codec_version"],
                bytes.fromhex(vector["parameters"]),
                coded,
                CodecContext(vector["element_width"], prediction),
                out,
            )
        assert out == decoded


@pytest.mark.parametrize("vector", WRITTEN, ids=lambda vector: vector["name"])
def test_the_plain_twin_decodes(vector):
    coded, decoded, prediction = buffers(vector)
    kernel = KERNELS[vector["codec_id"] - 4]
    assert kernel.define(coded, vector["element_width"], len(decoded), prediction or b"") == decoded


@pytest.mark.parametrize("vector", WRITTEN, ids=lambda vector: vector["name"])
def test_is_written_today(vector):
    """Encoders decide as they did: equal input has equal coded bytes in all stores of a generation."""
    coded, decoded, prediction = buffers(vector)
    codec = codec_for_record(vector["codec_id"], vector["codec_version"])
    context = CodecContext(vector["element_width"], prediction, mode=Mode[vector["mode"]])
    for level in LEVELS:
        with simd_level(level):
            again = codec.encode(decoded, context)
        assert again is not None
        assert again.data == coded


def test_the_newest_file_is_what_its_script_makes():
    """Nothing was changed by hand, and no case is missing."""
    assert make_vectors() == WRITTEN


def test_all_stream_modes_are_covered():
    planes = [bytes.fromhex(vector["coded"]) for vector in VECTORS if vector["codec_id"] in (2, 3)]
    modes = {coded[5] for coded in planes} | {coded[10] for coded in planes if len(coded) > 15}
    assert {0, 1, 2, 3} <= modes
    planes = [vector for vector in WRITTEN if vector["codec_id"] == 4]
    modes = {
        buffers(vector)[0][5 + 5 * plane] for vector in planes for plane in range(vector["element_width"])
    }
    assert modes == set(StreamMode)
    assert {buffers(vector)[0][0] for vector in planes} == {0, 1, 2}  # transforms


def test_all_codecs_and_modes_are_covered():
    assert {vector["codec_id"] for vector in VECTORS} == set(range(8))
    assert {vector["mode"] for vector in WRITTEN} == {mode.name for mode in Mode}
