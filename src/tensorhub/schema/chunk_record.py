"""Chunk records: how one raw chunk of a blob is coded, and where its bytes lie.

Duty: the values and their wire form. Not its duty: blobs (``blob_record``).
Invariants: reading accepts exactly what writing makes; unknown flags are refused. Specified in
``docs/format.md``, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tensorhub.errors import InvalidRecordError
from tensorhub.schema.digest import Digest
from tensorhub.schema.wire import RecordReader, RecordWriter

CHUNK_NBYTES = 1 << 20  # default raw chunk: 1 MiB keeps a chunk and its scratch inside L2 (design, "Objects")
MAX_CHUNK_NBYTES = 4 << 20  # bounds the memory that a reader of any chunk needs
MAX_STORED_NBYTES = 8 << 20  # of one coded chunk or model block: twice the chunk, so that no codec is cramped
CHUNK_ALIGNMENT = 16  # coded chunks start on this boundary so that SIMD and GPU loads are aligned


def reject(thing: str, expected: str, found: object) -> InvalidRecordError:
    """Make the error for bytes that break a record's layout."""
    return InvalidRecordError(
        thing, expected=expected, found=str(found), action="The bytes are damaged; run `tensorhub verify`."
    )


@dataclass(frozen=True, slots=True)
class StoredRange:
    """Where coded bytes lie.

    Attributes
    ----------
    pack
        Pack id, or None for the pack that holds the record itself.
    offset
        Byte offset in that pack; a multiple of ``CHUNK_ALIGNMENT``.
    nbytes
        Coded length.
    checksum
        XXH3-64 of the coded bytes; checked before decoding.
    """

    pack: Digest | None
    offset: int
    nbytes: int
    checksum: int


@dataclass(frozen=True, slots=True)
class SourceRange:
    """A run of a base that a predictor reads.

    Attributes
    ----------
    digest
        The source blob.
    offset
        First byte inside its decoded content.
    nbytes
        Length; where the prediction needs more, zeros follow.
    """

    digest: Digest
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """How one raw chunk of a blob is coded (design decision 5: predict, then code the rest).

    Attributes
    ----------
    predictor_id, predictor_version, predictor_parameters
        What makes the prediction.
    sources
        What the predictor reads; empty for the predictor *none*.
    codec_id, codec_version, codec_parameters
        Residual codec.
    uses_model
        Whether the codec also reads the blob's shared model block.
    stored
        Where the coded bytes lie.
    decoded_checksum
        XXH3-64 of the decoded chunk; checked on every read.
    """

    predictor_id: int
    predictor_version: int
    predictor_parameters: bytes
    sources: tuple[SourceRange, ...]
    codec_id: int
    codec_version: int
    codec_parameters: bytes
    uses_model: bool
    stored: StoredRange
    decoded_checksum: int

    @property
    def is_delta(self) -> bool:
        """Whether the chunk leans on another blob."""
        return bool(self.sources)


_HAS_SOURCES, _HAS_PREDICTOR_PARAMETERS, _HAS_CODEC_PARAMETERS, _USES_MODEL = 1, 2, 4, 8


def write_stored(writer: RecordWriter, stored: StoredRange, pack_references: dict[Digest, int]) -> None:
    """Append a stored range; ids of packs that are not in ``pack_references`` yet are added."""
    if stored.offset % CHUNK_ALIGNMENT:
        raise reject("stored range", f"an offset that is a multiple of {CHUNK_ALIGNMENT}", stored.offset)
    index = 0 if stored.pack is None else pack_references.setdefault(stored.pack, len(pack_references) + 1)
    writer.varint(index)
    writer.varint(stored.offset // CHUNK_ALIGNMENT)
    writer.varint(stored.nbytes)
    writer.u64(stored.checksum)


def read_stored(reader: RecordReader, packs: Sequence[Digest | None]) -> StoredRange:
    """Read a stored range; ``packs[0]`` stands for the pack that holds the record, then its references."""
    index = reader.varint()
    if index >= len(packs):
        raise reject("stored range", f"a pack reference below {len(packs)}", index)
    offset, nbytes = reader.varint() * CHUNK_ALIGNMENT, reader.varint()
    if nbytes > MAX_STORED_NBYTES or offset + nbytes >= 1 << 63:
        found = f"{nbytes} bytes at {offset}"
        raise reject("stored range", f"at most {MAX_STORED_NBYTES} bytes below 2**63", found)
    return StoredRange(packs[index], offset, nbytes, reader.u64())


def write_chunk(
    writer: RecordWriter,
    chunk: ChunkRecord,
    source_index: dict[Digest, int],
    pack_references: dict[Digest, int],
) -> None:
    """Append a chunk record."""
    writer.varint(
        (_HAS_SOURCES if chunk.sources else 0)
        | (_HAS_PREDICTOR_PARAMETERS if chunk.predictor_parameters else 0)
        | (_HAS_CODEC_PARAMETERS if chunk.codec_parameters else 0)
        | (_USES_MODEL if chunk.uses_model else 0)
    )
    writer.varint(chunk.predictor_id)
    writer.varint(chunk.predictor_version)
    if chunk.predictor_parameters:
        writer.sized(chunk.predictor_parameters)
    if chunk.sources:
        writer.varint(len(chunk.sources))
        for source in chunk.sources:
            writer.varint(source_index[source.digest])
            writer.varint(source.offset)
            writer.varint(source.nbytes)
    writer.varint(chunk.codec_id)
    writer.varint(chunk.codec_version)
    if chunk.codec_parameters:
        writer.sized(chunk.codec_parameters)
    write_stored(writer, chunk.stored, pack_references)
    writer.u64(chunk.decoded_checksum)


def _read_parameters(reader: RecordReader) -> bytes:
    parameters = reader.sized()
    if not parameters:
        raise reject("chunk record", "parameters where the flag says so", "none")
    return parameters


def read_chunk(
    reader: RecordReader, sources: Sequence[Digest], packs: Sequence[Digest | None]
) -> ChunkRecord:
    """Read a chunk record; ``sources`` and ``packs`` are what its indexes mean."""
    flags = reader.varint()
    if flags > 15:
        raise reject("chunk record", "flags of this format version", flags)
    predictor_id, predictor_version = reader.varint(), reader.varint()
    predictor_parameters = _read_parameters(reader) if flags & _HAS_PREDICTOR_PARAMETERS else b""
    ranges: list[SourceRange] = []
    nsources = reader.count(item_nbytes=3) if flags & _HAS_SOURCES else 0
    if flags & _HAS_SOURCES and not nsources:
        raise reject("chunk record", "at least one source where the flag says so", "none")
    for _ in range(nsources):
        index = reader.varint()
        if index >= len(sources):
            raise reject("chunk record", f"a source index below {len(sources)}", index)
        ranges.append(SourceRange(sources[index], reader.varint(), reader.varint()))
    codec_id, codec_version = reader.varint(), reader.varint()
    codec_parameters = _read_parameters(reader) if flags & _HAS_CODEC_PARAMETERS else b""
    stored = read_stored(reader, packs)
    return ChunkRecord(
        predictor_id,
        predictor_version,
        predictor_parameters,
        tuple(ranges),
        codec_id,
        codec_version,
        codec_parameters,
        bool(flags & _USES_MODEL),
        stored,
        reader.u64(),
    )
