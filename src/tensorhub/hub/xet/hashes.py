"""Xet hashes: of chunks, of xorbs, and how they are written as text.

Duty: the three keyed BLAKE3 hashes of the protocol and their text form.
Not its duty: naming blobs of the store, which have digests of their own.
Invariants: a hash is 32 bytes; its text is those bytes as four little-endian 64-bit numbers, each printed
in 16 hexadecimal digits. SHA-256 values travel in shards under the same transform.

The rules are facts of the format, as written down in the specification of ``huggingface/xet-core``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence

from blake3 import blake3

from tensorhub.errors import InvalidRecordError

HASH_NBYTES = 32

# Keys of the format: one for the content of chunks, one for the nodes above them.
_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")

_MEAN_CHILDREN = 4  # a node ends, on average, after so many children …
_MAX_CHILDREN = 2 * _MEAN_CHILDREN + 1  # … and at the latest here; it has at least two where there are two
_WORDS = struct.Struct("<4Q")
_TEXT = re.compile(r"[0-9a-f]{64}")


def chunk_hash(data: bytes | bytearray | memoryview) -> bytes:
    """Hash the content of a chunk."""
    return blake3(data, key=_CHUNK_KEY).digest()


def xorb_hash(chunks: Sequence[tuple[bytes, int]]) -> bytes:
    """Hash a xorb from the hashes and lengths of its chunks.

    Parameters
    ----------
    chunks
        (hash, decoded bytes) in order; at least one.

    Returns
    -------
    bytes
        The root of the tree whose nodes end where a child's hash divides by four.
    """
    level = list(chunks)
    while len(level) > 1:
        above: list[tuple[bytes, int]] = []
        start = 0
        while start < len(level):
            stop = _end_of_node(level, start)
            above.append(_node(level[start:stop]))
            start = stop
        level = above
    return level[0][0]


def _end_of_node(level: list[tuple[bytes, int]], start: int) -> int:
    end = min(start + _MAX_CHILDREN, len(level))
    for index in range(start + 2, end):
        if level[index][0][24] % _MEAN_CHILDREN == 0:  # the last 64-bit number, of which the low bits count
            return index + 1
    return end


def _node(children: list[tuple[bytes, int]]) -> tuple[bytes, int]:
    text = "".join(f"{to_text(value)} : {nbytes}\n" for value, nbytes in children)
    return blake3(text.encode("ascii"), key=_NODE_KEY).digest(), sum(nbytes for _, nbytes in children)


def to_text(value: bytes) -> str:
    """Write a hash as the protocol does in addresses and JSON: 64 hexadecimal digits."""
    return "{:016x}{:016x}{:016x}{:016x}".format(*_WORDS.unpack(value))


def parse_hash(text: str) -> bytes:
    """Read a hash from its text.

    Raises
    ------
    InvalidRecordError
        It is not 64 hexadecimal digits in lower case.
    """
    if not _TEXT.fullmatch(text):
        raise InvalidRecordError(
            "hash of the Xet protocol",
            expected="64 hexadecimal digits",
            found=f"{len(text)} characters: {text[:80]!r}",
            action="Use the address that the client library makes.",
        )
    return _WORDS.pack(*(int(text[at : at + 16], 16) for at in range(0, 64, 16)))
