"""How big a pack's table is going to be, while it grows.

Duty: a cheap upper bound, so that a pack can be sealed before its table is too large to be read.
Not its duty: the table itself (``pack``). Invariants: never below what the table takes before compression.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorhub.schema.facts import Fact
from tensorhub.schema.records import BlobRecord
from tensorhub.store.hashing import ObjectKind

# Bounds of one record's size in a table, parameters and payload aside: digests, checksums and varints of section 4.
_BLOB_NBYTES, _CHUNK_NBYTES, _SOURCE_NBYTES, _OBJECT_NBYTES, _FACT_NBYTES = 112, 96, 64, 16, 64

# Many tiny tensors: a pack is also sealed when its table has grown to this, far below what readers accept.
TARGET_TABLE_NBYTES = 64 << 20


class TableEstimate:
    """Bounds a growing table from above: each record is looked at once."""

    def __init__(self) -> None:
        self._counted = [0, 0, 0]  # blobs, objects, facts
        self._nbytes = 64

    def update(
        self, blobs: Sequence[BlobRecord], objects: Sequence[tuple[ObjectKind, bytes]], facts: Sequence[Fact]
    ) -> int:
        """Count the records that came since the last call; gives the sum of all."""
        counted = self._counted
        for blob in blobs[counted[0] :]:
            self._nbytes += _BLOB_NBYTES + sum(
                _CHUNK_NBYTES
                + _SOURCE_NBYTES * len(chunk.sources)
                + len(chunk.predictor_parameters)
                + len(chunk.codec_parameters)
                for chunk in blob.chunks
            )
        self._nbytes += sum(_OBJECT_NBYTES + len(payload) for _, payload in objects[counted[1] :])
        self._nbytes += sum(_FACT_NBYTES + len(fact.value) for fact in facts[counted[2] :])
        self._counted = [len(blobs), len(objects), len(facts)]
        return self._nbytes
