"""Byte planes of a chunk as coded streams, one after another behind a small table.

Duty: the layout that the plane codecs share. Not its duty: making planes out of elements.
Invariants: the lengths in the table and the tail account for every coded byte; decoding writes all of
``planes`` or raises. Specified in ``docs/format.md``, "Codecs".
"""

from __future__ import annotations

from tensorhub.codecs.base import Buffer
from tensorhub.codecs.byte_streams import STREAM_HEAD, decode_stream, encode_stream
from tensorhub.codecs.damage import corrupt_chunk

# The widest element that anyone stores is a complex number of two doubles; more planes only cost table bytes.
MAX_PLANES = 16


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
        ``flags``, a stream head per plane, the streams, the tail. At most ``nbytes + 1 + 5 * width`` bytes.
    """
    count = len(planes) // width
    heads: list[Buffer] = [bytes([flags])]
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
    offset = 1 + width * STREAM_HEAD.size
    if len(view) < offset + tail_nbytes:
        raise corrupt_chunk(name, f"at least {offset + tail_nbytes} coded bytes", f"{len(view)} bytes")
    heads = list(STREAM_HEAD.iter_unpack(view[1:offset]))
    total = offset + sum(nbytes for _, nbytes in heads) + tail_nbytes
    if total != len(view):
        raise corrupt_chunk(name, f"{total} coded bytes by the plane table", f"{len(view)} bytes")
    for plane, (mode, nbytes) in enumerate(heads):
        decode_stream(name, mode, view[offset : offset + nbytes], planes[plane * count : (plane + 1) * count])
        offset += nbytes
    planes[width * count :] = view[offset:]
    return view[0]
