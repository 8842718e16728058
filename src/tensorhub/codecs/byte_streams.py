"""A byte stream: one plane, coded by whichever of four simple modes is smallest.

Duty: code a run of similar bytes as raw, constant, zstd or sparse, and decode it without trust.
Not its duty: how streams lie in a chunk (``plane_streams``).
Invariants: a coded stream is never longer than its bytes; the mode and both lengths are the caller's to keep;
decoding writes all of ``out`` or raises. Specified in ``docs/format.md``, section 10.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np

from tensorhub._native import byte_statistics, merge_nonzero, split_nonzero
from tensorhub.codecs.base import Buffer
from tensorhub.codecs.byte_statistics import sample_pieces
from tensorhub.codecs.damage import corrupt_chunk
from tensorhub.codecs.scratch import lend_scratch
from tensorhub.codecs.zstd_frames import ZstdSettings, compress_frame, decompress_frame
from tensorhub.errors import CorruptPackError

STREAM_HEAD = struct.Struct("<BI")  # mode, coded nbytes
_SPARSE_HEAD = struct.Struct("<IBIBI")  # non-zero bytes; mode and coded nbytes of bitmap, then of values

# 8 KiB spread over the plane: on exponent planes the estimate was 0.03 bit off (root mean square; at most
# 0.11), at 2 % of the cost of coding.
_SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES = 8, 1024
# zstd itself keeps literals raw unless Huffman saves a 64th (ZSTD_minGain), that is 7.875 bits per byte.
# Mantissa planes lie at 7.99; not calling zstd on them saves 6 % of the encoding time of BF16, 20 % of F32.
_INCOMPRESSIBLE_BITS = 7.875
# Huffman needs a whole bit for a zero, however common. Between these shares of zeros a bitmap beside the
# non-zero bytes is smaller: XOR planes of fine-tuned BF16 weights with 28 / 5 / 0.5 % non-zero bytes came to
# 0.87 / 0.62 / 1.03 of plain zstd; with 72 % it was 1.006. Inside the window a sample is coded both ways.
_SPARSE_ZERO_SHARE = (0.4, 0.999)
_CLEARLY_SMALLER = 0.95  # on the 8 KiB sample; a closer call is settled by making both


class StreamMode(IntEnum):
    """How a stream is coded; the value is on disk."""

    RAW = 0
    CONSTANT = 1
    ZSTD = 2
    SPARSE = 3


def encode_stream(data: memoryview, *, may_be_sparse: bool = True) -> tuple[StreamMode, Buffer]:
    """Code a stream.

    Parameters
    ----------
    data : shape (nbytes,), uint8, borrowed
        The bytes.
    may_be_sparse
        Whether mode ``SPARSE`` is allowed; False inside a sparse stream.

    Returns
    -------
    StreamMode
        The mode.
    bytes or memoryview
        The coded bytes; ``data`` itself in mode ``RAW``, so borrowed as long.
    """
    nbytes = len(data)
    if nbytes <= 1:
        return StreamMode.RAW, data
    total, zeros, distinct, bits = byte_statistics(data, _SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES)
    if distinct == 1 and _is_constant(data):
        return StreamMode.CONSTANT, bytes(data[:1])
    if bits > _INCOMPRESSIBLE_BITS:
        return StreamMode.RAW, data
    modes = [StreamMode.ZSTD]
    if may_be_sparse and _SPARSE_ZERO_SHARE[0] <= zeros / total <= _SPARSE_ZERO_SHARE[1]:
        sample = memoryview(sample_pieces(data, _SAMPLE_PIECES, _SAMPLE_PIECE_NBYTES))
        modes = [StreamMode.ZSTD, StreamMode.SPARSE] if total == nbytes else _likely_modes(sample)
    size, mode, coded = min((len(coded), mode, coded) for mode in modes for coded in [_ENCODERS[mode](data)])
    return (mode, coded) if size < nbytes else (StreamMode.RAW, data)


def decode_stream(
    name: str, mode: int, coded: memoryview, out: memoryview, *, may_be_sparse: bool = True
) -> None:
    """Decode a stream into exactly ``out``.

    Parameters
    ----------
    name
        Name of the codec, for error messages.
    mode
        A ``StreamMode``; any other number is damage.
    coded : shape (stored_nbytes,), uint8, borrowed
        The coded bytes; may be hostile.
    out : shape (nbytes,), uint8, writable
        Filled completely.
    may_be_sparse
        Whether mode ``SPARSE`` is allowed; False inside a sparse stream, so that nothing recurses.

    Raises
    ------
    CorruptPackError
        The stream is damaged.
    """
    if mode == StreamMode.RAW:
        if len(coded) != len(out):
            raise corrupt_chunk(name, f"a raw stream of {len(out)} bytes", f"{len(coded)} bytes")
        out[:] = coded
    elif mode == StreamMode.CONSTANT:
        if len(coded) != 1:
            raise corrupt_chunk(name, "a constant stream of 1 byte", f"{len(coded)} bytes")
        np.frombuffer(out, np.uint8)[:] = coded[0]
    elif mode == StreamMode.ZSTD:
        decompress_frame(name, coded, out)
    elif mode == StreamMode.SPARSE and may_be_sparse:
        _decode_sparse(name, coded, out)
    else:
        raise corrupt_chunk(name, "a stream mode that is allowed here", str(mode))


def _is_constant(data: memoryview) -> bool:
    values = np.frombuffer(data, np.uint8)
    return bool((values == values[0]).all())


def _likely_modes(sample: memoryview) -> list[StreamMode]:
    # Both where the sample's answer is close; else only the one that is clearly smaller on it.
    zstd, sparse = len(_encode_zstd(sample)), len(_encode_sparse(sample))
    if sparse < _CLEARLY_SMALLER * zstd:
        return [StreamMode.SPARSE]
    if zstd < _CLEARLY_SMALLER * sparse:
        return [StreamMode.ZSTD]
    return [StreamMode.ZSTD, StreamMode.SPARSE]


def _encode_zstd(data: memoryview) -> bytes:
    return compress_frame(data, ZstdSettings.LITERALS)


def _encode_sparse(data: memoryview) -> bytes:
    bitmap = lend_scratch("sparse bitmap", (len(data) + 7) // 8)
    values = lend_scratch("sparse values", len(data))
    count = split_nonzero(data, bitmap, values)
    bitmap_mode, bitmap_coded = encode_stream(bitmap, may_be_sparse=False)
    values_mode, values_coded = encode_stream(values[:count], may_be_sparse=False)
    head = _SPARSE_HEAD.pack(count, bitmap_mode, len(bitmap_coded), values_mode, len(values_coded))
    return b"".join([head, bitmap_coded, values_coded])


def _decode_sparse(name: str, coded: memoryview, out: memoryview) -> None:
    offset = _SPARSE_HEAD.size
    if len(coded) < offset:
        raise corrupt_chunk(name, f"a sparse stream of at least {offset} bytes", f"{len(coded)} bytes")
    count, bitmap_mode, bitmap_nbytes, values_mode, values_nbytes = _SPARSE_HEAD.unpack_from(coded)
    if count > len(out):
        raise corrupt_chunk(name, f"at most {len(out)} non-zero bytes", str(count))
    total = offset + bitmap_nbytes + values_nbytes
    if total != len(coded):
        raise corrupt_chunk(name, f"a sparse stream of {total} bytes by its head", f"{len(coded)} bytes")
    bitmap = lend_scratch("sparse bitmap", (len(out) + 7) // 8)
    values = lend_scratch("sparse values", count)
    values_offset = offset + bitmap_nbytes
    decode_stream(name, bitmap_mode, coded[offset:values_offset], bitmap, may_be_sparse=False)
    decode_stream(name, values_mode, coded[values_offset:], values, may_be_sparse=False)
    try:
        merge_nonzero(bitmap, values, out)
    except CorruptPackError as error:  # the bitmap does not have `count` bits
        raise corrupt_chunk(name, error.expected or "", error.found or "") from error


_ENCODERS = {StreamMode.ZSTD: _encode_zstd, StreamMode.SPARSE: _encode_sparse}
