"""Zstandard frames: made with settings for what they hold, and read without trusting them.

Duty: one frame from bytes, and bytes from exactly one frame.
Not its duty: choosing what to compress.
Invariants: a frame holds its content size, no checksum and no dictionary id; nothing is allocated by a number
in a frame; compressors are kept per thread, because they are not thread safe. Frame layout: RFC 8878,
section 3.1.1.
"""

from __future__ import annotations

import threading
from enum import Enum

import zstandard

from tensorhub.codecs.base import Buffer
from tensorhub.codecs.damage import corrupt_chunk

# A reader's window is allocated before content is seen. 8 MiB is twice the largest chunk and what RFC 8878
# recommends decoders to support; a frame that asks for more is not ours.
_MAX_WINDOW_NBYTES = 8 << 20
_BLOCK_HEADER_NBYTES = 3
_RAW_BLOCK, _RLE_BLOCK, _COMPRESSED_BLOCK = 0, 1, 2


class ZstdSettings(Enum):
    """Compression settings by what the bytes are like.

    ``GENERIC`` is level 3, for text and plain bytes; ``GENERIC_FAST`` level 1, for bytes of wide elements;
    ``GENERIC_SMALL`` level 19, for mode ``max``.

    ``LITERALS`` is for planes of floats, which have a skewed histogram and nothing that repeats: strategy
    *fast* with the longest minimal match and the smallest hash table finds almost no matches, so that blocks
    become Huffman-coded literals. On the high bytes of BF16 weights that gave 0.344 of the size at 0.9 GB/s,
    where level 1 gave 0.365 at 0.35 GB/s and level 3 gave 0.414 at 0.16 GB/s (one core, small language model,
    planes of 1 MiB chunks). ``target_length`` must stay 0: any other value makes zstd store literals raw.
    """

    GENERIC = zstandard.ZstdCompressionParameters.from_level(3)
    GENERIC_FAST = zstandard.ZstdCompressionParameters.from_level(1)
    GENERIC_SMALL = zstandard.ZstdCompressionParameters.from_level(19)
    LITERALS = zstandard.ZstdCompressionParameters(
        window_log=17, hash_log=6, min_match=7, target_length=0, strategy=zstandard.STRATEGY_FAST
    )


class _ThreadCodecs(threading.local):
    def __init__(self) -> None:
        self.compressors: dict[ZstdSettings, zstandard.ZstdCompressor] = {}
        self.decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_NBYTES)


_CODECS = _ThreadCodecs()


def compress_frame(data: Buffer, settings: ZstdSettings) -> bytes:
    """Compress bytes to one frame.

    Parameters
    ----------
    data : shape (nbytes,), uint8, borrowed
        What to compress; may be empty.
    settings
        What the bytes are like.

    Returns
    -------
    bytes
        One frame; at worst a little longer than ``data``.

    Notes
    -----
    Releases the GIL.
    """
    compressor = _CODECS.compressors.get(settings)
    if compressor is None:
        compressor = zstandard.ZstdCompressor(compression_params=settings.value)
        _CODECS.compressors[settings] = compressor
    return compressor.compress(data)


def _frame_nbytes(name: str, frame: memoryview) -> int:
    # Walks the block headers: the library does not tell where a frame ended, and bytes after it may not pass.
    offset = zstandard.frame_header_size(frame)
    is_last = False
    while not is_last:
        header = frame[offset : offset + _BLOCK_HEADER_NBYTES]
        if len(header) < _BLOCK_HEADER_NBYTES:
            raise corrupt_chunk(name, "a zstd frame that is complete", f"{len(frame)} bytes of one")
        fields = int.from_bytes(header, "little")
        is_last = bool(fields & 1)
        kind, nbytes = fields >> 1 & 3, fields >> 3
        if kind not in (_RAW_BLOCK, _RLE_BLOCK, _COMPRESSED_BLOCK):
            raise corrupt_chunk(name, "a zstd block of a known type", f"type {kind}")
        offset += _BLOCK_HEADER_NBYTES + (1 if kind == _RLE_BLOCK else nbytes)
    return offset


def decompress_frame(name: str, frame: Buffer, out: memoryview) -> None:
    """Decompress exactly one frame into exactly ``out``.

    Parameters
    ----------
    name
        Name of the codec, for error messages.
    frame : shape (stored_nbytes,), uint8, borrowed
        One frame; may be hostile.
    out : shape (nbytes,), uint8, writable
        Filled completely.

    Raises
    ------
    CorruptPackError
        The frame is damaged or cut, says another content size, has bytes after it, or uses a dictionary
        or checksum.

    Notes
    -----
    Releases the GIL. Memory beyond ``out`` is bounded by the window limit.
    """
    view = memoryview(frame)
    try:
        header = zstandard.get_frame_parameters(view)
        if header.content_size != len(out) or header.dict_id or header.has_checksum:
            raise corrupt_chunk(
                name,
                f"a zstd frame of {len(out)} bytes without dictionary or checksum",
                f"{header.content_size} bytes, dictionary {header.dict_id}, checksum {header.has_checksum}",
            )
        frame_nbytes = _frame_nbytes(name, view)
        if frame_nbytes != len(view):
            raise corrupt_chunk(name, f"a zstd frame of {len(view)} bytes", f"one of {frame_nbytes} bytes")
        if len(out):
            _fill(name, view, out)
    except zstandard.ZstdError as error:
        raise corrupt_chunk(name, "a valid zstd frame", str(error)) from error


def _fill(name: str, frame: memoryview, out: memoryview) -> None:
    with _CODECS.decompressor.stream_reader(frame) as reader:
        filled = reader.readinto(out)
        if filled == len(out) and not reader.read(1):
            return
    raise corrupt_chunk(name, f"{len(out)} decoded bytes", f"{filled} bytes, or more than were asked for")
