"""Digests: the identity of blobs, records and packs.

Duty: the value type and how it is printed and parsed. Not its duty: hashing strategy of a store.
Invariants: a digest is 32 bytes; it names decoded bytes, never coded ones (design decision 2).
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorhub.errors import InvalidRecordError

DIGEST_NBYTES = 32  # BLAKE3-256; fixed by format version 1


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """BLAKE3-256 of some bytes, printed as ``blake3:<64 hex>``.

    Attributes
    ----------
    value
        The 32 raw bytes.
    """

    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != DIGEST_NBYTES:
            raise InvalidRecordError(
                "digest",
                expected=f"{DIGEST_NBYTES} bytes",
                found=f"{len(self.value)} bytes",
                action="The record is damaged or of another format.",
            )

    @property
    def hex(self) -> str:
        """The 64 hexadecimal digits."""
        return self.value.hex()

    def __str__(self) -> str:
        return f"blake3:{self.value.hex()}"

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Parse ``blake3:<hex>`` or bare hex.

        Raises
        ------
        InvalidRecordError
            The text is not a digest.
        """
        hex_part = text.removeprefix("blake3:")
        try:
            return cls(bytes.fromhex(hex_part))
        except ValueError:
            raise InvalidRecordError(
                f"digest {text!r}",
                expected="blake3:<64 hexadecimal digits>",
                found=text,
                action="Copy the digest as a command printed it.",
            ) from None
