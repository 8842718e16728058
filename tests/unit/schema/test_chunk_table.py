"""Chunk tables: the same records, parsed when they are asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tensorhub.errors import InvalidRecordError
from tensorhub.schema.chunk_record import ChunkRecord, SourceRange, StoredRange
from tensorhub.schema.chunk_table import GROUP, ChunkTable, write_chunk_table
from tensorhub.schema.digest import Digest
from tensorhub.schema.wire import RecordReader, RecordWriter

BASE, PACK = Digest(b"b" * 32), Digest(b"p" * 32)


def make(index: int) -> ChunkRecord:
    sources = (SourceRange(BASE, index << 20, 1 << 20),) if index % 3 == 0 else ()
    stored = StoredRange(PACK if index % 2 else None, index * 16, index, index * 7)
    return ChunkRecord(int(bool(sources)), 1, b"", sources, 2, 1, b"p" * (index % 4), False, stored, index)


def write(chunks: list[ChunkRecord]) -> bytes:
    writer = RecordWriter()
    write_chunk_table(writer, chunks, {BASE: 0}, {PACK: 1})
    return writer.getvalue()


@pytest.mark.parametrize("count", [0, 1, GROUP - 1, GROUP, GROUP + 1, 5 * GROUP])
def test_round_trip(count: int) -> None:
    """Any number of records comes back, by index, by slice and as a whole."""
    chunks = [make(index) for index in range(count)]
    table = ChunkTable.parse(RecordReader(write(chunks), "t"), count, [BASE], [None, PACK])
    assert len(table) == count
    for index in (*range(0, count, 37), *range(-1, -count - 1, -41)):
        assert table[index] == chunks[index]
    assert table[2:5] == tuple(chunks[2:5])
    assert table == tuple(chunks)
    assert hash(table) == hash(tuple(chunks))
    with pytest.raises(IndexError):
        table[count]


def test_only_the_group_that_is_asked_for_is_parsed() -> None:
    """A damaged group is met when one of its records is read, and not before."""
    chunks = [make(index) for index in range(3 * GROUP)]
    groups = [write(chunks[start : start + GROUP]) for start in range(0, 3 * GROUP, GROUP)]
    broken = bytes([groups[1][0], groups[1][1]]) + b"\xff" * (len(groups[1]) - 2)
    data = groups[0] + broken + groups[2]
    table = ChunkTable.parse(RecordReader(data, "t"), 3 * GROUP, [BASE], [None, PACK])
    assert table[0] == chunks[0]
    assert table[2 * GROUP] == chunks[2 * GROUP]
    with pytest.raises(InvalidRecordError):
        table[GROUP]


def test_own_pack_is_filled_in() -> None:
    """What index 0 stands for is the reader's to say."""
    chunks = [make(0), make(1)]
    own = Digest(b"o" * 32)
    table = ChunkTable.parse(RecordReader(write(chunks), "t"), 2, [BASE], [own, PACK])
    assert table[0] == replace(chunks[0], stored=replace(chunks[0].stored, pack=own))
    assert table[1] == chunks[1]


def test_too_short() -> None:
    """A number of chunks that cannot fit is refused before anything is allocated for it."""
    with pytest.raises(InvalidRecordError):
        ChunkTable.parse(RecordReader(b"abc", "t"), 1 << 40, [], [None])
