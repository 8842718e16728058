"""Byte planes of a chunk as coded streams, one after another behind a small table.

Duty: the layout that the plane codecs share. Not its duty: making planes out of elements.
Invariants: the lengths in the table and the tail account for every coded byte; decoding writes all of
``planes`` or raises. Specified in ``docs/format.md``, section 10.
"""

from __future__ import annotations

import struct

from tensorhub.codecs.base import Buffer
from tensorhub.codecs.byte_streams import STREAM_HEAD, decode_stream, encode_stream
from tensorhub.codecs.damage import corrupt_chunk

# The widest element that anyone stores is a complex number of two doubles; more planes only cost table bytes.
MAX_PLANES = 16

_HEAD = struct.Struct("<BI")  # flags, decoded nbytes: a constant plane would not know its length


def encode_planes(planes: memoryview, width: int, flags: int) -> bytes:
    """Code the planes of a chunk.

    Parameters
    ----------
    planes : shape (nbytes,), uint8, borrowed
        ``width`` planes of ``nbytes // width`` bytes, then the tail of ``nbytes % width`` bytes.
    width
        Bytes per element, from 1 to ``MAX_PLANES``.
    flags
        One byte for the codec's own use.

    Returns
    -------
    bytes
        The head, a stream head per plane, the streams, the tail. At most ``nbytes + 5 + 5 * width`` bytes.
    """
    count = len(planes) // width
    heads: list[Buffer] = [_HEAD.pack(flags, len(planes))]
    bodies: list[Buffer] = []
    for plane in range(width):
        mode, body = encode_stream(planes[plane * count : (plane + 1) * count])
        heads.append(STREAM_HEAD.pack(mode, len(body)))
        bodies.append(body)
    return b"".join([*heads, *bodies, planes[width * count :]])


def decode_planes(name: str, coded: Buffer, width: int, planes: memoryview) -> int:
    """Decode the planes of a chunk into exactly ``planes``.

    Parameters
    ----------
    name
        Name of the codec, for error messages.
    coded : shape (stored_nbytes,), uint8, borrowed
        What ``encode_planes`` gave; may be hostile.
    width
        Bytes per element.
    planes : shape (nbytes,), uint8, writable
        Filled completely, in the layout that ``encode_planes`` takes.

    Returns
    -------
    int
        The flags, from 0 to 255; not checked.

    Raises
    ------
    CorruptPackError
        The layout is broken, or ``width`` cannot have been coded.
    """
    if not 1 <= width <= MAX_PLANES:
        raise corrupt_chunk(name, f"an element width from 1 to {MAX_PLANES}", str(width))
    view = memoryview(coded)
    count, tail_nbytes = divmod(len(planes), width)
    offset = _HEAD.size + width * STREAM_HEAD.size
    if len(view) < offset + tail_nbytes:
        raise corrupt_chunk(name, f"at least {offset + tail_nbytes} coded bytes", f"{len(view)} bytes")
    flags, nbytes = _HEAD.unpack_from(view)
    if nbytes != len(planes):
        raise corrupt_chunk(name, f"a chunk of {len(planes)} bytes", f"{nbytes} bytes by its head")
    heads = list(STREAM_HEAD.iter_unpack(view[_HEAD.size : offset]))
    total = offset + sum(stored_nbytes for _, stored_nbytes in heads) + tail_nbytes
    if total != len(view):
        raise corrupt_chunk(name, f"{total} coded bytes by the plane table", f"{len(view)} bytes")
    for plane, (mode, stored_nbytes) in enumerate(heads):
        stream = view[offset : offset + stored_nbytes]
        decode_stream(name, mode, stream, planes[plane * count : (plane + 1) * count])
        offset += stored_nbytes
    planes[width * count :] = view[offset:]
    return int(flags)
