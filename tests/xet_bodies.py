"""Xorbs and shards put together by hand, honest ones and others."""

import hashlib
import struct
from collections.abc import Sequence

import lz4.frame
import numpy as np

from tensorhub.hub.xet.hashes import chunk_hash, xorb_hash

SCHEMES = {"plain": 0, "lz4": 1, "grouped": 2}
TAG = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
BOOKEND = b"\xff" * 32 + bytes(16)


def swap(value: bytes) -> bytes:
    """Reverse every eight bytes, as shards do with SHA-256 values."""
    return b"".join(value[at : at + 8][::-1] for at in range(0, 32, 8))


def header(stored_nbytes: int, scheme: int, nbytes: int, version: int = 0) -> bytes:
    """Write the header of a chunk, whatever it says."""
    return (
        bytes([version])
        + stored_nbytes.to_bytes(3, "little")
        + bytes([scheme])
        + nbytes.to_bytes(3, "little")
    )


def encode_chunk(data: bytes, scheme: str = "plain") -> bytes:
    """Write a chunk with its header."""
    if scheme == "plain":
        stored = data
    else:
        groups = data if scheme == "lz4" else b"".join(data[start::4] for start in range(4))
        stored = lz4.frame.compress(groups)
    return header(len(stored), SCHEMES[scheme], len(data)) + stored


def make_xorb(chunks: Sequence[bytes], scheme: str = "plain") -> tuple[bytes, bytes]:
    """Give the hash and the bytes of a xorb."""
    body = b"".join(encode_chunk(chunk, scheme) for chunk in chunks)
    return xorb_hash([(chunk_hash(chunk), len(chunk)) for chunk in chunks]), body


def make_shard(
    files: Sequence[tuple[bytes | None, Sequence[tuple[bytes, int, int, int]]]],
    *,
    has_verification: bool = True,
    xorbs: Sequence[tuple[bytes, int]] = (),
) -> bytes:
    """Write a shard of files: (SHA-256 or None, runs of (xorb, first, stop, nbytes))."""
    out = [TAG, struct.pack("<QQ", 2, 0)]
    for sha256, runs in files:
        flags = (1 << 31 if has_verification else 0) | (1 << 30 if sha256 is not None else 0)
        out.append(
            struct.pack(
                "<32sIIQ", hashlib.blake2b(repr(runs).encode(), digest_size=32).digest(), flags, len(runs), 0
            )
        )
        out += [struct.pack("<32sIIII", xorb, 0, nbytes, first, stop) for xorb, first, stop, nbytes in runs]
        out += [bytes(48)] * (len(runs) if has_verification else 0)
        if sha256 is not None:
            out.append(swap(sha256) + bytes(16))
    out.append(BOOKEND)
    for xorb, count in xorbs:
        out.append(struct.pack("<32sIIII", xorb, 0, count, 0, 0))
        out += [bytes(48)] * count
    out.append(BOOKEND)
    return b"".join(out)


def some_chunks(count: int, nbytes: int = 3001, seed: int = 1) -> list[bytes]:
    """Make chunks that look like weights, of lengths that differ."""
    values = np.random.default_rng(seed).normal(0, 0.02, count * nbytes).astype(np.float32).tobytes()
    return [values[at * nbytes : at * nbytes + nbytes + at % 5] for at in range(count)]
