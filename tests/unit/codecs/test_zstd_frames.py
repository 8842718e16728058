"""Frames: settings, strictness, bounded memory."""

import os

import numpy as np
import pytest
import zstandard

from tensorhub.codecs.zstd_frames import ZstdSettings, compress_frame, decompress_frame
from tensorhub.errors import CorruptPackError

TEXT = b"one line of text, " * 20_000


@pytest.mark.parametrize("settings", ZstdSettings)
@pytest.mark.parametrize("data", [b"", b"a", TEXT, os.urandom(300_000), bytes(5 << 20)])
def test_round_trip(settings, data):
    frame = compress_frame(data, settings)
    parameters = zstandard.get_frame_parameters(frame)
    assert (parameters.content_size, parameters.dict_id, parameters.has_checksum) == (len(data), 0, False)
    out = bytearray(len(data))
    decompress_frame("test", frame, memoryview(out))
    assert out == data


def test_literals_beat_level_1_on_skewed_bytes():
    data = np.minimum(np.random.default_rng(5).geometric(0.4, 400_000), 200).astype(np.uint8)
    assert len(compress_frame(data, ZstdSettings.LITERALS)) < 0.99 * len(
        zstandard.ZstdCompressor(1).compress(data)
    )


def compressor(**options):
    return zstandard.ZstdCompressor(**options)


DICTIONARY = zstandard.ZstdCompressionDict(TEXT[:2000], dict_type=zstandard.DICT_TYPE_RAWCONTENT)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x28\xb5\x2f\xfd",
        TEXT[:100],
        compressor().compress(TEXT[:-1]),
        compressor().compress(TEXT + b"."),
        compressor(write_content_size=False).compress(TEXT),
        compressor(write_checksum=True).compress(TEXT),
        compressor().compress(TEXT) + b"\0",
        compressor().compress(TEXT) + compressor().compress(b""),
        compressor().compress(TEXT)[:-1],
        b"\x50\x2a\x4d\x18\x00\x00\x00\x00",  # a skippable frame
        # a window of 128 MiB, so a hostile allocation; content size as expected, one empty last block
        b"\x28\xb5\x2f\xfd\x80\x88" + len(TEXT).to_bytes(4, "little") + b"\x01\0\0",
    ],
)
def test_other_frames_are_refused(frame):
    with pytest.raises(CorruptPackError) as caught:
        decompress_frame("test", frame, memoryview(bytearray(len(TEXT))))
    assert caught.value.expected
    assert caught.value.found


def test_short_content_is_refused():
    frame = b"\x28\xb5\x2f\xfd\x20\x05" + b"\x19\0\0abc"  # says 5 bytes, holds a raw block of 3
    with pytest.raises(CorruptPackError):
        decompress_frame("test", frame, memoryview(bytearray(5)))


def test_long_content_is_refused():
    frame = b"\x28\xb5\x2f\xfd\x20\x02" + b"\x19\0\0abc"
    with pytest.raises(CorruptPackError):
        decompress_frame("test", frame, memoryview(bytearray(2)))


def test_unknown_block_type_is_refused():
    with pytest.raises(CorruptPackError, match="type 3"):
        decompress_frame("test", b"\x28\xb5\x2f\xfd\x20\x02" + b"\x07\0\0", memoryview(bytearray(2)))
