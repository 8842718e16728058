"""Records: equal values have equal bytes, and only what was written parses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.errors import InvalidRecordError, TensorHubError
from tensorhub.schema.digest import Digest
from tensorhub.schema.dtype import DType
from tensorhub.schema.facts import Fact, FactKind, parse_fact
from tensorhub.schema.records import (
    MAX_STORED_NBYTES,
    BlobRecord,
    ChunkRecord,
    Commit,
    CommitReference,
    FileMode,
    FileRecord,
    SourceRange,
    StoredRange,
    Tree,
    TreeEntry,
    chunk_count,
    parse_blob_record,
    parse_commit,
    parse_file_record,
    parse_tree,
)
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.schema.wire import RecordWriter

digests = st.binary(min_size=32, max_size=32).map(Digest)
sizes = st.integers(0, 1 << 40)
checksums = st.integers(0, (1 << 64) - 1)
PACKS = tuple(Digest(bytes([n]) * 32) for n in range(1, 4))
stored_ranges = st.builds(
    StoredRange,
    st.sampled_from([None, *PACKS]),
    st.integers(0, 1 << 30).map(lambda n: 16 * n),
    st.integers(0, MAX_STORED_NBYTES),
    checksums,
)
chunks = st.builds(
    ChunkRecord,
    st.integers(0, 9),
    st.integers(0, 9),
    st.binary(max_size=4),
    st.lists(st.builds(SourceRange, digests, sizes, sizes), max_size=2).map(tuple),
    st.integers(0, 9),
    st.integers(0, 9),
    st.binary(max_size=4),
    st.booleans(),
    stored_ranges,
    checksums,
)


@st.composite
def blobs(draw: st.DrawFn) -> BlobRecord:
    width = draw(st.sampled_from([1, 2, 3, 8]))
    chunk_nbytes = width * draw(st.integers(1, 1000))
    parts = draw(st.lists(chunks, max_size=4))
    nbytes = max(0, len(parts) * chunk_nbytes - draw(st.integers(0, chunk_nbytes - 1))) if parts else 0
    model = draw(stored_ranges if any(part.uses_model for part in parts) else st.none() | stored_ranges)
    name = draw(
        digests.filter(lambda found: all(found != run.digest for part in parts for run in part.sources))
    )
    generation = draw(st.integers(0, 99))
    return BlobRecord(name, nbytes, width, chunk_nbytes, generation, draw(sizes), model, tuple(parts))


tensors = st.builds(
    TensorSpec, st.text(), st.sampled_from(DType), st.lists(st.integers(0, 1 << 12), max_size=4).map(tuple)
)
segments = st.builds(Segment, sizes, digests) | st.builds(
    lambda spec, digest: Segment(spec.nbytes, digest, spec),
    tensors.filter(lambda spec: spec.nelems * spec.dtype.bits % 8 == 0),
    digests,
)
files = st.builds(
    lambda name, parts: FileRecord(name, sum(part.nbytes for part in parts), tuple(parts)),
    st.text(max_size=9),
    st.lists(segments, max_size=4),
)
trees = st.dictionaries(
    st.text(min_size=1, max_size=8), st.tuples(st.sampled_from(FileMode), digests), max_size=5
).map(lambda found: Tree(tuple(TreeEntry(path, *found[path]) for path in sorted(found, key=str.encode))))
commit_ids = st.binary(min_size=20, max_size=20).map(bytes.hex)
commits = st.builds(
    Commit,
    digests,
    st.lists(st.builds(CommitReference, commit_ids, digests), max_size=2).map(tuple),
    st.text(),
    sizes,
    st.text(),
    st.text(),
    st.booleans(),
    st.text(),
    st.just("") | commit_ids,
)
facts = st.sampled_from(
    [(FactKind.FILE_SHA256, 32), (FactKind.FILE_GIT_SHA1, 20), (FactKind.SKETCH, 40)]
).flatmap(
    lambda kind: st.builds(
        Fact, st.just(kind[0]), digests, st.binary(min_size=kind[1], max_size=kind[1]), st.booleans()
    )
)


def blob_bytes(record: BlobRecord) -> bytes:
    return record.to_bytes({pack: number + 1 for number, pack in enumerate(PACKS)})


KINDS: list[tuple[Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
    (blobs(), blob_bytes, lambda data: parse_blob_record(data, PACKS)),
    (files, lambda record: record.to_bytes(), parse_file_record),
    (trees, lambda record: record.to_bytes(), parse_tree),
    (commits, lambda record: record.to_bytes(), parse_commit),
    (facts, lambda record: record.to_bytes(), parse_fact),
]


@pytest.mark.parametrize(("values", "write", "parse"), KINDS, ids=["blob", "file", "tree", "commit", "fact"])
def test_round_trip(values: Any, write: Any, parse: Any) -> None:
    """What is written is read; cut short or with a byte more it is refused."""

    @given(values, st.data())
    def check(record: Any, data: st.DataObject) -> None:
        if isinstance(record, BlobRecord) and record.digest in record.source_digests():
            return
        raw = write(record)
        assert parse(raw) == record
        with pytest.raises(TensorHubError):
            parse(raw + b"\0")
        with pytest.raises(TensorHubError):
            parse(raw[: data.draw(st.integers(0, len(raw) - 1))])

    check()


@pytest.mark.parametrize(("values", "write", "parse"), KINDS, ids=["blob", "file", "tree", "commit", "fact"])
def test_any_bytes(values: Any, write: Any, parse: Any) -> None:
    """Hostile bytes give a value that would be written the same, or an error of the tree."""

    @given(values, st.integers(0, 10_000), st.integers(1, 255))
    def check(record: Any, position: int, flip: int) -> None:
        raw = bytearray(write(record))
        raw[position % len(raw)] ^= flip
        try:
            found = parse(bytes(raw))
        except TensorHubError:
            return
        if found is not None and not isinstance(found, BlobRecord):
            assert write(found) == raw

    check()


DIGEST = Digest(b"d" * 32)
STORED = StoredRange(None, 32, 5, 1)
CHUNK = ChunkRecord(0, 1, b"", (), 0, 1, b"", False, STORED, 2)
BLOB = BlobRecord(DIGEST, 5, 1, 16, 0, 0, None, (CHUNK,))


@pytest.mark.parametrize(
    "record",
    [
        replace(BLOB, chunk_nbytes=0),
        replace(BLOB, chunk_nbytes=(4 << 20) + 1),
        replace(BLOB, element_width=0),
        replace(BLOB, element_width=3),
        replace(BLOB, nbytes=17),
        replace(BLOB, nbytes=1 << 60),
        replace(BLOB, nbytes=0),
        replace(BLOB, chunks=(replace(CHUNK, sources=(SourceRange(DIGEST, 0, 1),)),)),
        replace(BLOB, chunks=(replace(CHUNK, stored=replace(STORED, pack=PACKS[2])),)),
    ],
)
def test_blobs_that_break_the_rules(record: BlobRecord) -> None:
    """Sizes out of bounds, a chunk too many or too few, a blob that leans on itself, an unknown pack."""
    with pytest.raises((InvalidRecordError, ZeroDivisionError)) as caught:
        parse_blob_record(record.to_bytes({PACKS[2]: 9}), PACKS)
    assert caught.type is InvalidRecordError


def test_offsets_are_aligned() -> None:
    """A coded chunk that is not aligned cannot be written down."""
    with pytest.raises(InvalidRecordError):
        replace(BLOB, chunks=(replace(CHUNK, stored=replace(STORED, offset=33)),)).to_bytes({})


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (
            parse_tree,
            Tree((TreeEntry("b", FileMode.FILE, DIGEST), TreeEntry("a", FileMode.FILE, DIGEST))).to_bytes(),
        ),
        (parse_tree, Tree((TreeEntry("a", FileMode.FILE, DIGEST),) * 2).to_bytes()),
        (parse_tree, b"\x01\x01a\x03" + bytes(32)),
        (parse_tree, b"\x01\x00\x00" + bytes(32)),
        (parse_file_record, FileRecord("x", 9, (Segment(8, DIGEST),)).to_bytes()),
        (parse_file_record, b"\x00\x01\x01\x02\x01" + bytes(32)),
        (parse_commit, b"\x02" + bytes(40)),
        (parse_fact, b"\x01\x02" + bytes(32) + b"\0"),
    ],
)
def test_other_records_that_break_the_rules(parse: Callable[[bytes], object], data: bytes) -> None:
    """Wrong order, twins, unknown modes, kinds and flags, segments that do not add up."""
    with pytest.raises(InvalidRecordError):
        parse(data)


def test_unknown_facts_are_left_out() -> None:
    """A fact of a later version is no error: it can be derived again."""
    writer = RecordWriter()
    writer.varint(99)
    writer.varint(0)
    writer.raw(bytes(32))
    writer.sized(b"?")
    assert parse_fact(writer.getvalue()) is None


def test_too_many_dimensions() -> None:
    """No tensor has more than 64 dimensions."""
    spec = TensorSpec("w", DType.U8, (1,) * 65)
    with pytest.raises(InvalidRecordError):
        parse_file_record(FileRecord("x", 1, (Segment(1, DIGEST, spec),)).to_bytes())


def test_commit_ids() -> None:
    """An upstream id is the commit's id verbatim; else the start of the digest."""
    commit = Commit(DIGEST, (), "a", 0, "t")
    assert commit.commit_id(Digest(bytes(range(32)))) == bytes(range(20)).hex()
    assert replace(commit, upstream_id="ab" * 20).commit_id(DIGEST) == "ab" * 20


@given(st.integers(0, 10_000), st.integers(1, 100))
def test_chunk_count(nbytes: int, chunk_nbytes: int) -> None:
    """Chunks cover the blob, and none is empty."""
    count = chunk_count(nbytes, chunk_nbytes)
    assert count * chunk_nbytes >= nbytes > (count - 1) * chunk_nbytes


def test_blob_sums() -> None:
    """Stored bytes count the model block; sources are named once, in order of use."""
    other, third = Digest(b"o" * 32), Digest(b"t" * 32)
    first = replace(CHUNK, sources=(SourceRange(other, 0, 1), SourceRange(third, 0, 1)))
    record = replace(
        BLOB,
        model=replace(STORED, nbytes=7),
        nbytes=32,
        chunks=(first, replace(CHUNK, sources=first.sources[:1])),
    )
    assert record.stored_nbytes == 17
    assert record.source_digests() == (other, third)
    assert first.is_delta
    assert not CHUNK.is_delta
