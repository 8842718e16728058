"""Records: the layouts that fix bytes on disk.

Duty: frozen values for blob, chunk, file, tree and commit records, and their wire forms.
Not its duty: where records lie (packs) or how they are found (the catalogue).
Invariants: ``parse_*`` accepts exactly what ``to_bytes`` writes; equal values have equal bytes; unknown
flags are refused. Specified in ``docs/format.md``, sections 5 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tensorhub.errors import InvalidRecordError, UnsupportedDTypeError, UnsupportedVersionError
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.schema.wire import RecordReader, RecordWriter

CHUNK_NBYTES = 1 << 20  # default raw chunk: 1 MiB keeps a chunk and its scratch inside L2 (design, "Objects")
MAX_CHUNK_NBYTES = 4 << 20  # bounds the memory that a reader of any chunk needs
MAX_STORED_NBYTES = 8 << 20  # of one coded chunk or model block: twice the chunk, so that no codec is cramped
CHUNK_ALIGNMENT = 16  # coded chunks start on this boundary so that SIMD and GPU loads are aligned
COMMIT_ID_NBYTES = 20  # 40 hexadecimal digits, because Hugging Face clients insist
MAX_RANK = 64  # no framework has more; bounds a hostile record


def _reject(thing: str, expected: str, found: object) -> InvalidRecordError:
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
        ``ceil(nbytes / chunk_nbytes)`` chunk records.
    """

    digest: Digest
    nbytes: int
    element_width: int
    chunk_nbytes: int
    generation: int
    standalone_nbytes: int
    model: StoredRange | None
    chunks: tuple[ChunkRecord, ...]

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
            _write_stored(writer, self.model, pack_references)
        for chunk in self.chunks:
            _write_chunk(writer, chunk, source_index, pack_references)
        return writer.getvalue()


def chunk_count(nbytes: int, chunk_nbytes: int) -> int:
    """Say how many chunks a blob of ``nbytes`` has."""
    return -(-nbytes // chunk_nbytes)


def _write_stored(writer: RecordWriter, stored: StoredRange, pack_references: dict[Digest, int]) -> None:
    if stored.offset % CHUNK_ALIGNMENT:
        raise _reject("stored range", f"an offset that is a multiple of {CHUNK_ALIGNMENT}", stored.offset)
    index = 0 if stored.pack is None else pack_references.setdefault(stored.pack, len(pack_references) + 1)
    writer.varint(index)
    writer.varint(stored.offset // CHUNK_ALIGNMENT)
    writer.varint(stored.nbytes)
    writer.u64(stored.checksum)


def _read_stored(reader: RecordReader, packs: tuple[Digest, ...]) -> StoredRange:
    index = reader.varint()
    if index > len(packs):
        raise _reject("stored range", f"a pack reference of at most {len(packs)}", index)
    offset, nbytes = reader.varint() * CHUNK_ALIGNMENT, reader.varint()
    if nbytes > MAX_STORED_NBYTES or offset + nbytes >= 1 << 63:
        found = f"{nbytes} bytes at {offset}"
        raise _reject("stored range", f"at most {MAX_STORED_NBYTES} bytes below 2**63", found)
    return StoredRange(packs[index - 1] if index else None, offset, nbytes, reader.u64())


def _write_chunk(
    writer: RecordWriter,
    chunk: ChunkRecord,
    source_index: dict[Digest, int],
    pack_references: dict[Digest, int],
) -> None:
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
    _write_stored(writer, chunk.stored, pack_references)
    writer.u64(chunk.decoded_checksum)


def _read_parameters(reader: RecordReader) -> bytes:
    parameters = reader.sized()
    if not parameters:
        raise _reject("chunk record", "parameters where the flag says so", "none")
    return parameters


def _read_chunk(reader: RecordReader, sources: tuple[Digest, ...], packs: tuple[Digest, ...]) -> ChunkRecord:
    flags = reader.varint()
    if flags > 15:
        raise _reject("chunk record", "flags of this format version", flags)
    predictor_id, predictor_version = reader.varint(), reader.varint()
    predictor_parameters = _read_parameters(reader) if flags & _HAS_PREDICTOR_PARAMETERS else b""
    ranges: list[SourceRange] = []
    nsources = reader.count(item_nbytes=3) if flags & _HAS_SOURCES else 0
    if flags & _HAS_SOURCES and not nsources:
        raise _reject("chunk record", "at least one source where the flag says so", "none")
    for _ in range(nsources):
        index = reader.varint()
        if index >= len(sources):
            raise _reject("chunk record", f"a source index below {len(sources)}", index)
        ranges.append(SourceRange(sources[index], reader.varint(), reader.varint()))
    codec_id, codec_version = reader.varint(), reader.varint()
    codec_parameters = _read_parameters(reader) if flags & _HAS_CODEC_PARAMETERS else b""
    stored = _read_stored(reader, packs)
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


def parse_blob_record(data: bytes | memoryview, packs: tuple[Digest, ...]) -> BlobRecord:
    """Parse a blob record.

    Parameters
    ----------
    data
        Record bytes.
    packs
        The reference list of the pack that holds the record.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout or its limits.
    """
    reader = RecordReader(data, "blob record")
    digest = Digest(reader.raw(DIGEST_NBYTES))
    nbytes, element_width, chunk_nbytes, generation, standalone_nbytes = (reader.varint() for _ in range(5))
    if not 0 < chunk_nbytes <= MAX_CHUNK_NBYTES or element_width < 1 or chunk_nbytes % element_width:
        raise _reject(
            f"blob record {digest}",
            "a chunk size within the limits, a multiple of the element",
            f"{chunk_nbytes} bytes of {element_width}-byte elements",
        )
    sources = tuple(Digest(reader.raw(DIGEST_NBYTES)) for _ in range(reader.count(item_nbytes=DIGEST_NBYTES)))
    if digest in sources:
        raise _reject(f"blob record {digest}", "sources other than itself", "itself")
    has_model = reader.varint()
    if has_model > 1:
        raise _reject(f"blob record {digest}", "a model flag of 0 or 1", has_model)
    model = _read_stored(reader, packs) if has_model else None
    nchunks = chunk_count(nbytes, chunk_nbytes)
    if nchunks * 20 > reader.remaining:  # the smallest chunk record has 23 bytes
        raise _reject(f"blob record {digest}", f"{nchunks} chunk records", f"{reader.remaining} bytes")
    chunks = tuple(_read_chunk(reader, sources, packs) for _ in range(nchunks))
    reader.finish()
    if model is None and any(chunk.uses_model for chunk in chunks):
        raise _reject(f"blob record {digest}", "a model block, which chunks use", "none")
    record = BlobRecord(
        digest, nbytes, element_width, chunk_nbytes, generation, standalone_nbytes, model, chunks
    )
    if record.source_digests() != sources:
        raise _reject(f"blob record {digest}", "each source once, in order of first use", "another list")
    return record


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file: its size and the segments that cover it.

    Attributes
    ----------
    format_name
        The format that cut it: ``safetensors`` or ``bytes``.
    nbytes
        Size of the file.
    segments
        In file order, covering it exactly.
    """

    format_name: str
    nbytes: int
    segments: tuple[Segment, ...]

    def to_bytes(self) -> bytes:
        """Serialise the record; its digest is the file record's name."""
        writer = RecordWriter()
        writer.text(self.format_name)
        writer.varint(self.nbytes)
        writer.varint(len(self.segments))
        for segment in self.segments:
            writer.varint(1 if segment.tensor else 0)
            writer.varint(segment.nbytes)
            writer.raw(segment.digest.value)
            if segment.tensor:
                writer.text(segment.tensor.name)
                writer.varint(segment.tensor.dtype.record_id)
                writer.varint(len(segment.tensor.shape))
                for dimension in segment.tensor.shape:
                    writer.varint(dimension)
        return writer.getvalue()


def _read_dtype(reader: RecordReader) -> DType:
    try:
        return DType.from_record_id(reader.varint())
    except UnsupportedDTypeError as error:
        raise UnsupportedVersionError(
            "file record", expected=error.expected, found=error.found, action=error.action
        ) from error


def parse_file_record(data: bytes | memoryview) -> FileRecord:
    """Parse a file record and check that its segments cover it.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout, or the segments do not add up.
    UnsupportedVersionError
        A tensor has a dtype that is not known here.
    """
    reader = RecordReader(data, "file record")
    format_name, nbytes = reader.text(), reader.varint()
    segments: list[Segment] = []
    for _ in range(reader.count(item_nbytes=34)):
        kind, segment_nbytes, digest = reader.varint(), reader.varint(), Digest(reader.raw(DIGEST_NBYTES))
        tensor = None
        if kind == 1:
            name, dtype = reader.text(), _read_dtype(reader)
            rank = reader.count()
            if rank > MAX_RANK:
                raise _reject("file record", f"a rank of at most {MAX_RANK}", rank)
            tensor = TensorSpec(name, dtype, tuple(reader.varint() for _ in range(rank)))
            if tensor.nbytes != segment_nbytes:
                raise _reject(f"tensor {name!r}", f"{tensor.nbytes} bytes by its shape", segment_nbytes)
        elif kind:
            raise _reject("file record", "a segment kind of 0 or 1", kind)
        segments.append(Segment(segment_nbytes, digest, tensor))
    reader.finish()
    if (covered := sum(segment.nbytes for segment in segments)) != nbytes:
        raise _reject("file record", f"segments that cover {nbytes} bytes", covered)
    return FileRecord(format_name, nbytes, tuple(segments))


class FileMode(IntEnum):
    """What kind of entry a path is."""

    FILE = 0
    EXECUTABLE = 1
    SYMLINK = 2


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One path of a snapshot.

    Attributes
    ----------
    path
        Path in the repository, ``/`` between parts.
    mode
        File, executable or symlink; a symlink's content is its target.
    file
        Digest of the file record.
    """

    path: str
    mode: FileMode
    file: Digest


@dataclass(frozen=True, slots=True)
class Tree:
    """All files of a snapshot, ordered by the UTF-8 bytes of their paths."""

    entries: tuple[TreeEntry, ...]

    def to_bytes(self) -> bytes:
        """Serialise the record; its digest is the tree's name."""
        writer = RecordWriter()
        writer.varint(len(self.entries))
        for entry in self.entries:
            writer.text(entry.path)
            writer.varint(entry.mode)
            writer.raw(entry.file.value)
        return writer.getvalue()


def parse_tree(data: bytes | memoryview) -> Tree:
    """Parse a tree and check its order.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout, or the paths are not in strictly rising order.
    """
    reader = RecordReader(data, "tree")
    entries: list[TreeEntry] = []
    previous = b""
    for _ in range(reader.count(item_nbytes=35)):
        path, mode = reader.text(), reader.varint()
        if mode not in (0, 1, 2):
            raise _reject(f"tree entry {path!r}", "mode 0, 1 or 2", mode)
        if path.encode() <= previous:
            raise _reject(f"tree entry {path!r}", "paths in strictly rising order", "another order")
        previous = path.encode()
        entries.append(TreeEntry(path, FileMode(mode), Digest(reader.raw(DIGEST_NBYTES))))
    reader.finish()
    return Tree(tuple(entries))


@dataclass(frozen=True, slots=True)
class CommitReference:
    """Points at a commit: by the id people see, and by the digest that proves it.

    Attributes
    ----------
    commit_id
        40 hexadecimal digits.
    digest
        Digest of the commit object.
    """

    commit_id: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Commit:
    """A history entry.

    Attributes
    ----------
    tree
        Digest of the tree.
    parents
        Earlier commits; empty for a first one.
    author
        Free text.
    date_ms
        Milliseconds since 1970-01-01 UTC.
    title, message
        First line and the rest.
    is_partial
        Imported without all of its files; what is missing is not absent upstream.
    origin
        Where it was imported from, or empty for our own commits.
    upstream_id
        The upstream's commit id, verbatim; empty for our own commits.
    """

    tree: Digest
    parents: tuple[CommitReference, ...]
    author: str
    date_ms: int
    title: str
    message: str = ""
    is_partial: bool = False
    origin: str = ""
    upstream_id: str = ""

    def to_bytes(self) -> bytes:
        """Serialise the record."""
        writer = RecordWriter()
        writer.varint(1 if self.is_partial else 0)
        writer.raw(self.tree.value)
        writer.varint(len(self.parents))
        for parent in self.parents:
            writer.raw(bytes.fromhex(parent.commit_id))
            writer.raw(parent.digest.value)
        writer.text(self.author)
        writer.varint(self.date_ms)
        for text in (self.title, self.message, self.origin):
            writer.text(text)
        writer.sized(bytes.fromhex(self.upstream_id))
        return writer.getvalue()

    def commit_id(self, digest: Digest) -> str:
        """Give the id that people see: the upstream's, else the start of ``digest``, the object's own."""
        return self.upstream_id or digest.value[:COMMIT_ID_NBYTES].hex()


def parse_commit(data: bytes | memoryview) -> Commit:
    """Parse a commit.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout.
    """
    reader = RecordReader(data, "commit")
    flags = reader.varint()
    if flags > 1:
        raise _reject("commit", "flags of this format version", flags)
    tree = Digest(reader.raw(DIGEST_NBYTES))
    parents = tuple(
        CommitReference(reader.raw(COMMIT_ID_NBYTES).hex(), Digest(reader.raw(DIGEST_NBYTES)))
        for _ in range(reader.count(item_nbytes=COMMIT_ID_NBYTES + DIGEST_NBYTES))
    )
    author, date_ms = reader.text(), reader.varint()
    title, message, origin = reader.text(), reader.text(), reader.text()
    upstream = reader.sized()
    if len(upstream) not in (0, COMMIT_ID_NBYTES):
        raise _reject("commit", f"an upstream id of 0 or {COMMIT_ID_NBYTES} bytes", len(upstream))
    reader.finish()
    return Commit(tree, parents, author, date_ms, title, message, bool(flags), origin, upstream.hex())
