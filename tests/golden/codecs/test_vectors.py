"""Chunks coded by every past generation decode to the same bytes for ever."""

import json
from pathlib import Path

import pytest

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import decode_chunk

FILES = sorted(Path(__file__).parent.glob("generation-*.json"))
VECTORS = [vector for path in FILES for vector in json.loads(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_decodes(vector):
    prediction = None if vector["prediction"] is None else bytes.fromhex(vector["prediction"])
    decoded = bytes.fromhex(vector["decoded"])
    out = bytearray(len(decoded))
    decode_chunk(
        vector["codec_id"],
        vector["codec_version"],
        bytes.fromhex(vector["parameters"]),
        bytes.fromhex(vector["coded"]),
        CodecContext(vector["element_width"], prediction),
        out,
    )
    assert out == decoded


def test_all_stream_modes_are_covered():
    planes = [bytes.fromhex(vector["coded"]) for vector in VECTORS if vector["codec_id"] in (2, 3)]
    modes = {coded[5] for coded in planes} | {coded[10] for coded in planes if len(coded) > 15}
    assert {0, 1, 2, 3} <= modes
