"""The zstd codec compresses what repeats and declines what does not."""

import os

import zstandard

from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.zstd import ZstdCodec


def test_coded_bytes_are_one_frame():
    text = b'{"key": "value"}\n' * 100
    for width in (1, 8):
        coded = ZstdCodec().encode(text, CodecContext(width))
        assert zstandard.ZstdDecompressor().decompress(coded.data, allow_extra_data=False) == text


def test_noise_is_declined():
    assert ZstdCodec().encode(os.urandom(1000), CodecContext(1)) is None
