"""Blob records: immutable bytes named by the digest of what they decode to.

Duty: the value and its wire form. Not its duty: single chunks (``chunk_record``) or where records lie.
Invariants: parsing accepts exactly what ``to_bytes`` writes; equal values have equal bytes. Specified in
``docs/format.md``, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tensorhub.schema.chunk_record import (
    MAX_CHUNK_NBYTES,
    ChunkRecord,
    StoredRange,
    read_stored,
    reject,
    write_stored,
)
from tensorhub.schema.chunk_table import ChunkTable, write_chunk_table
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.wire import RecordReader, RecordWriter


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A blob: immutable bytes named by the digest of what they decode to.

    Attributes
    ----------
    digest
        Name: BLAKE3-256 of the decoded bytes.
    nbytes
        Decoded length.
    element_width
        Bytes per element; what byte planes are split by.
    chunk_nbytes
        Raw bytes per chunk; the last chunk may be shorter.
    generation
        Starts at 0; a re-coded or moved blob gets a higher one, and the highest readable one counts.
    standalone_nbytes
        Predicted stored size without any base; 0 where no chunk has one.
    model
        Shared model block that chunks may use, or None.
    chunks
        ``ceil(nbytes / chunk_nbytes)`` chunk records: a tuple, or a table that parses them when asked.
    """

    digest: Digest
    nbytes: int
    element_width: int
    chunk_nbytes: int
    generation: int
    standalone_nbytes: int
    model: StoredRange | None
    chunks: Sequence[ChunkRecord]

    def source_digests(self) -> tuple[Digest, ...]:
        """Give each source once, in order of first use."""
        return tuple(dict.fromkeys(source.digest for chunk in self.chunks for source in chunk.sources))

    @property
    def stored_nbytes(self) -> int:
        """Coded bytes of all chunks and the model block."""
        return sum(chunk.stored.nbytes for chunk in self.chunks) + (self.model.nbytes if self.model else 0)

    def to_bytes(self, pack_references: dict[Digest, int]) -> bytes:
        """Serialise the record.

        Parameters
        ----------
        pack_references
            Pack id -> index (from 1) in the reference list of the pack that will hold the record;
            missing ids are added.
        """
        writer = RecordWriter()
        writer.raw(self.digest.value)
        for value in (
            self.nbytes,
            self.element_width,
            self.chunk_nbytes,
            self.generation,
            self.standalone_nbytes,
        ):
            writer.varint(value)
        source_index = {digest: index for index, digest in enumerate(self.source_digests())}
        writer.varint(len(source_index))
        for digest in source_index:
            writer.raw(digest.value)
        writer.varint(1 if self.model else 0)
        if self.model:
            write_stored(writer, self.model, pack_references)
        write_chunk_table(writer, self.chunks, source_index, pack_references)
        return writer.getvalue()


def chunk_count(nbytes: int, chunk_nbytes: int) -> int:
    """Say how many chunks a blob of ``nbytes`` has."""
    return -(-nbytes // chunk_nbytes)


def parse_blob_record(
    data: bytes | memoryview,
    packs: tuple[Digest, ...],
    *,
    own: Digest | None = None,
    is_trusted: bool = False,
) -> BlobRecord:
    """Parse a blob record.

    Parameters
    ----------
    data
        Record bytes.
    packs
        The reference list of the pack that holds the record.
    own
        Id of that pack, to be put into ranges that lie in it; None leaves None there.
    is_trusted
        The bytes were checked when they were kept: chunk records are parsed only when they are asked for, so
        that one range of a very large blob does not cost a parse of all its chunks.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout or its limits.
    """
    reader = RecordReader(data, "blob record")
    digest = Digest(reader.raw(DIGEST_NBYTES))
    nbytes, element_width, chunk_nbytes, generation, standalone_nbytes = (reader.varint() for _ in range(5))
    if not 0 < chunk_nbytes <= MAX_CHUNK_NBYTES or element_width < 1 or chunk_nbytes % element_width:
        raise reject(
            f"blob record {digest}",
            "a chunk size within the limits, a multiple of the element",
            f"{chunk_nbytes} bytes of {element_width}-byte elements",
        )
    sources = tuple(Digest(reader.raw(DIGEST_NBYTES)) for _ in range(reader.count(item_nbytes=DIGEST_NBYTES)))
    if digest in sources:
        raise reject(f"blob record {digest}", "sources other than itself", "itself")
    has_model = reader.varint()
    if has_model > 1:
        raise reject(f"blob record {digest}", "a model flag of 0 or 1", has_model)
    meaning = (own, *packs)
    model = read_stored(reader, meaning) if has_model else None
    table = ChunkTable.parse(reader, chunk_count(nbytes, chunk_nbytes), sources, meaning)
    reader.finish()
    values = (digest, nbytes, element_width, chunk_nbytes, generation, standalone_nbytes, model)
    if is_trusted:
        return BlobRecord(*values, table)
    record = BlobRecord(*values, tuple(table))
    if model is None and any(chunk.uses_model for chunk in record.chunks):
        raise reject(f"blob record {digest}", "a model block, which chunks use", "none")
    if record.source_digests() != sources:
        raise reject(f"blob record {digest}", "each source once, in order of first use", "another list")
    return record
