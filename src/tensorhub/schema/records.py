"""Records: the layouts that fix bytes on disk.

Duty: frozen values for file, tree and commit records, and their wire forms; blob and chunk records, which stand
in modules of their own, are named here too.
Not its duty: where records lie (packs) or how they are found (the catalogue).
Invariants: ``parse_*`` accepts exactly what ``to_bytes`` writes; equal values have equal bytes; unknown
flags are refused. Specified in ``docs/format.md``, sections 5 to 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tensorhub.errors import UnsupportedDTypeError, UnsupportedVersionError
from tensorhub.schema.blob_record import BlobRecord, chunk_count, parse_blob_record
from tensorhub.schema.chunk_record import (
    CHUNK_ALIGNMENT,
    CHUNK_NBYTES,
    MAX_CHUNK_NBYTES,
    MAX_STORED_NBYTES,
    ChunkRecord,
    SourceRange,
    StoredRange,
    reject,
)
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.schema.wire import RecordReader, RecordWriter

__all__ = [
    "CHUNK_ALIGNMENT",
    "CHUNK_NBYTES",
    "COMMIT_ID_NBYTES",
    "MAX_CHUNK_NBYTES",
    "MAX_RANK",
    "MAX_STORED_NBYTES",
    "BlobRecord",
    "ChunkRecord",
    "Commit",
    "CommitReference",
    "FileMode",
    "FileRecord",
    "SourceRange",
    "StoredRange",
    "Tree",
    "TreeEntry",
    "chunk_count",
    "parse_blob_record",
    "parse_commit",
    "parse_file_record",
    "parse_tree",
]

COMMIT_ID_NBYTES = 20  # 40 hexadecimal digits, because Hugging Face clients insist
MAX_RANK = 64  # no framework has more; bounds a hostile record


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
                raise reject("file record", f"a rank of at most {MAX_RANK}", rank)
            tensor = TensorSpec(name, dtype, tuple(reader.varint() for _ in range(rank)))
            if tensor.nbytes != segment_nbytes:
                raise reject(f"tensor {name!r}", f"{tensor.nbytes} bytes by its shape", segment_nbytes)
        elif kind:
            raise reject("file record", "a segment kind of 0 or 1", kind)
        segments.append(Segment(segment_nbytes, digest, tensor))
    reader.finish()
    if (covered := sum(segment.nbytes for segment in segments)) != nbytes:
        raise reject("file record", f"segments that cover {nbytes} bytes", covered)
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
            raise reject(f"tree entry {path!r}", "mode 0, 1 or 2", mode)
        if path.encode() <= previous:
            raise reject(f"tree entry {path!r}", "paths in strictly rising order", "another order")
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
        raise reject("commit", "flags of this format version", flags)
    tree = Digest(reader.raw(DIGEST_NBYTES))
    parents = tuple(
        CommitReference(reader.raw(COMMIT_ID_NBYTES).hex(), Digest(reader.raw(DIGEST_NBYTES)))
        for _ in range(reader.count(item_nbytes=COMMIT_ID_NBYTES + DIGEST_NBYTES))
    )
    author, date_ms = reader.text(), reader.varint()
    title, message, origin = reader.text(), reader.text(), reader.text()
    upstream = reader.sized()
    if len(upstream) not in (0, COMMIT_ID_NBYTES):
        raise reject("commit", f"an upstream id of 0 or {COMMIT_ID_NBYTES} bytes", len(upstream))
    reader.finish()
    return Commit(tree, parents, author, date_ms, title, message, bool(flags), origin, upstream.hex())
