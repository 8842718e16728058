"""Digests and checksums as a store computes them.

Duty: BLAKE3-256 (plain or keyed, as ``hub.json`` fixes it) for identity, XXH3-64 for checksums.
Not its duty: deciding what is hashed when.
Invariants: identity is always BLAKE3 over decoded bytes; XXH3 only detects accidents and never names anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import xxhash
from blake3 import blake3

from tensorhub.schema.digest import Digest

Buffer = bytes | bytearray | memoryview


class ObjectKind(IntEnum):
    """Kinds of objects in a pack table; the number is on disk and part of the digest."""

    COMMIT = 1
    TREE = 2
    FILE = 3


@dataclass(frozen=True, slots=True)
class Hasher:
    """Makes digests for one store.

    Attributes
    ----------
    key
        32 bytes for keyed BLAKE3, or None for plain.
    """

    key: bytes | None = None

    def start(self) -> blake3:
        """Begin a digest of bytes that arrive in pieces; finish it with :meth:`finish`."""
        return blake3(key=self.key) if self.key is not None else blake3()

    @staticmethod
    def finish(state: blake3) -> Digest:
        """Give the digest of all bytes seen."""
        return Digest(state.digest())

    def digest(self, data: Buffer) -> Digest:
        """Digest bytes at hand."""
        state = self.start()
        state.update(data)
        return Digest(state.digest())

    def object_digest(self, kind: ObjectKind, payload: Buffer) -> Digest:
        """Digest an object; its kind goes in first, so that equal bytes of two kinds never meet."""
        state = self.start()
        state.update(f"tensorhub {kind.name.lower()}\0".encode())
        state.update(payload)
        return Digest(state.digest())


def checksum(data: Buffer) -> int:
    """XXH3-64 with seed 0, as an unsigned integer."""
    return xxhash.xxh3_64_intdigest(data)
