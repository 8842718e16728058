"""The table of a pack: the records that stand at its end.

Duty: the value and its wire form. Not its duty: where it lies in the file, or its compression (``pack``).
Invariants: parsing accepts exactly what ``to_bytes`` writes, but for facts of later kinds, which are skipped.
Specified in ``docs/format.md``, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tensorhub.errors import InvalidRecordError, UnsupportedVersionError
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, parse_fact
from tensorhub.schema.records import BlobRecord, parse_blob_record
from tensorhub.schema.wire import RecordReader, RecordWriter
from tensorhub.store.hashing import ObjectKind


@dataclass(slots=True)
class PackTable:
    """The records of a pack.

    Attributes
    ----------
    references
        Ids of other packs that blob records here point into.
    blobs
        Blob records; a stored range without a pack lies in this one.
    objects
        Commits, trees and file records: kind and payload.
    facts
        Derived truths.
    sealed_at_ns
        When the pack was sealed, nanoseconds since 1970 UTC.
    """

    references: tuple[Digest, ...] = ()
    blobs: list[BlobRecord] = field(default_factory=list)
    objects: list[tuple[ObjectKind, bytes]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    sealed_at_ns: int = 0

    def to_bytes(self) -> bytes:
        """Serialise; sets ``references`` to what the blob records need."""
        references: dict[Digest, int] = {}
        blobs = [record.to_bytes(references) for record in self.blobs]
        self.references = tuple(references)
        writer = RecordWriter()
        writer.varint(len(references))
        for pack in references:
            writer.raw(pack.value)
        writer.varint(len(blobs))
        for blob in blobs:
            writer.sized(blob)
        writer.varint(len(self.objects))
        for kind, payload in self.objects:
            writer.varint(kind)
            writer.sized(payload)
        writer.varint(len(self.facts))
        for fact in self.facts:
            writer.sized(fact.to_bytes())
        return writer.getvalue()


def parse_table(data: bytes, sealed_at_ns: int) -> PackTable:
    """Parse a pack table.

    Raises
    ------
    FormatError
        The bytes break the layout.
    """
    reader = RecordReader(data, "pack table")
    references = tuple(
        Digest(reader.raw(DIGEST_NBYTES)) for _ in range(reader.count(item_nbytes=DIGEST_NBYTES))
    )
    blobs = [parse_blob_record(reader.sized(), references) for _ in range(reader.count(item_nbytes=38))]
    objects: list[tuple[ObjectKind, bytes]] = []
    for _ in range(reader.count(item_nbytes=2)):
        kind = reader.varint()
        if kind not in tuple(ObjectKind):
            raise UnsupportedVersionError(
                "pack table",
                expected="object kinds 1 to 3",
                found=str(kind),
                action="Upgrade TensorHub to read this store.",
            )
        objects.append((ObjectKind(kind), reader.sized()))
    facts = [parse_fact(reader.sized()) for _ in range(reader.count(item_nbytes=35))]
    reader.finish()
    used = dict.fromkeys(
        stored.pack
        for blob in blobs
        for stored in (blob.model, *(chunk.stored for chunk in blob.chunks))
        if stored is not None and stored.pack is not None
    )
    if tuple(used) != references:
        raise InvalidRecordError(
            "pack table",
            expected="the packs that its records point into, each once, in order of first use",
            found="another list",
            action="The bytes are damaged; run `tensorhub verify`.",
        )
    return PackTable(references, blobs, objects, [fact for fact in facts if fact is not None], sealed_at_ns)
