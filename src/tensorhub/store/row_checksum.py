"""Row checksums: the catalogue's copies of blob records prove themselves.

Duty: join a checksum to a record as it goes into the catalogue, check it on the way out.
Not its duty: objects, whose digest proves them.
Invariants: the checksum covers the record, its blob and pack, and the packs that it points into,
so that no changed byte of a row can send a reader to other bytes. Nothing here is part of the store's format.
"""

from __future__ import annotations

from tensorhub.schema.digest import Digest
from tensorhub.store.hashing import checksum

_NBYTES = 8


def seal_row(record: bytes, blob: Digest, pack: Digest, references: bytes) -> bytes:
    """Give the value of a blob row's ``record`` column.

    Parameters
    ----------
    record
        Record bytes as in the pack.
    blob, pack
        What the row is about and where its record lies.
    references
        The pack's joined references.
    """
    return record + _checksum(record, blob, pack, references).to_bytes(_NBYTES, "little")


def open_row(value: object, blob: Digest, pack: object, references: object) -> bytes | None:
    """Give the record out of a row; None where the row is not the one that was written."""
    if not isinstance(value, bytes) or not isinstance(pack, bytes) or not isinstance(references, bytes):
        return None
    record, found = value[:-_NBYTES], value[-_NBYTES:]
    if len(pack) != len(blob.value) or len(found) != _NBYTES:
        return None
    expected = _checksum(record, blob, Digest(pack), references).to_bytes(_NBYTES, "little")
    return record if found == expected else None


def _checksum(record: bytes, blob: Digest, pack: Digest, references: bytes) -> int:
    return checksum(b"".join((blob.value, pack.value, references, record)))
