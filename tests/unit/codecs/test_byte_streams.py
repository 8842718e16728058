"""Streams: the mode fits the bytes, and hostile streams are refused."""

import struct

import numpy as np
import pytest

from tensorhub.codecs.byte_streams import StreamMode, decode_stream, encode_stream
from tensorhub.errors import CorruptPackError

rng = np.random.default_rng(3)
NOISE = rng.integers(0, 256, 50_000, np.uint8)
SKEWED = np.minimum(rng.geometric(0.35, 50_000), 200).astype(np.uint8)


def sparse(share):
    return np.where(rng.random(50_000) < share, NOISE, 0).astype(np.uint8)


CASES = [
    (b"", StreamMode.RAW),
    (b"a", StreamMode.RAW),
    (b"aa", StreamMode.CONSTANT),
    (bytes(30_000), StreamMode.CONSTANT),
    (bytes(29_999) + b"\1", StreamMode.ZSTD),
    (NOISE, StreamMode.RAW),
    (NOISE[:40], StreamMode.RAW),
    (SKEWED, StreamMode.ZSTD),
    (sparse(0.3), StreamMode.SPARSE),
    (sparse(0.3)[:9001], StreamMode.SPARSE),
    (sparse(0.02), StreamMode.SPARSE),
    (sparse(0.9), StreamMode.ZSTD),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_mode_and_round_trip(data, expected):
    data = bytes(data)
    mode, coded = encode_stream(memoryview(data))
    assert mode == expected
    assert len(coded) <= len(data)
    out = bytearray(len(data))
    decode_stream("test", mode, memoryview(bytes(coded)), memoryview(out))
    assert out == data


def test_sparse_is_smaller_than_zstd_where_it_is_chosen():
    data = memoryview(sparse(0.05).tobytes())
    _, dense = encode_stream(data, may_be_sparse=False)
    _, coded = encode_stream(data)
    assert len(coded) < 0.9 * len(dense)


@pytest.mark.parametrize(
    ("mode", "coded"),
    [
        (StreamMode.RAW, b"123"),
        (StreamMode.CONSTANT, b""),
        (StreamMode.CONSTANT, b"12"),
        (StreamMode.ZSTD, b""),
        (StreamMode.ZSTD, b"no frame"),
        (StreamMode.SPARSE, b""),
        (StreamMode.SPARSE, struct.pack("<IBIBI", 5, 0, 0, 0, 0)),
        (StreamMode.SPARSE, struct.pack("<IBIBI", 1, 0, 2**32 - 1, 0, 2)),
        (StreamMode.SPARSE, struct.pack("<IBIBI", 1, 0, 1, 0, 1) + b"\x03a"),
        (StreamMode.SPARSE, struct.pack("<IBIBI", 1, 0, 1, 0, 1) + b"\x10a"),
        (StreamMode.SPARSE, struct.pack("<IBIBI", 1, 3, 1, 0, 1) + b"\x01a"),
        (StreamMode.SPARSE, struct.pack("<IBIBI", 1, 0, 1, 3, 1) + b"\x01a"),
        (4, b"1234"),
        (255, b"1234"),
    ],
)
def test_hostile_streams_are_refused(mode, coded):
    with pytest.raises(CorruptPackError, match="chunk coded with test"):
        decode_stream("test", mode, memoryview(coded), memoryview(bytearray(4)))


def test_handmade_sparse_stream():
    out = bytearray(4)
    coded = struct.pack("<IBIBI", 2, 0, 1, 0, 2) + b"\x0aXY"
    decode_stream("test", StreamMode.SPARSE, memoryview(coded), memoryview(out))
    assert out == b"\0X\0Y"
