"""The chunk records of a blob, in groups that are parsed when they are asked for.

Duty: the table's wire form and lazy reading. Not its duty: one record's layout (``chunk_record``).
Invariants: every group but the last has ``GROUP`` records; a group's length counts its bytes exactly. The
length before each group lets a reader of one range skip the others. Specified in ``docs/format.md``, section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from tensorhub.schema.chunk_record import ChunkRecord, read_chunk, reject, write_chunk
from tensorhub.schema.digest import Digest
from tensorhub.schema.wire import RecordReader, RecordWriter

GROUP = 64  # records; some 2.5 kB: parsed in a third of a millisecond, and the lengths cost 2 bytes in 2,500


def write_chunk_table(
    writer: RecordWriter,
    chunks: Sequence[ChunkRecord],
    source_index: dict[Digest, int],
    pack_references: dict[Digest, int],
) -> None:
    """Append the records of a blob, group by group."""
    for start in range(0, len(chunks), GROUP):
        group = RecordWriter()
        for index in range(start, min(start + GROUP, len(chunks))):
            write_chunk(group, chunks[index], source_index, pack_references)
        writer.sized(group.getvalue())


class ChunkTable(Sequence[ChunkRecord]):
    """A sequence of chunk records over unparsed groups; safe to read from many threads.

    Parameters
    ----------
    groups
        Bytes of each group.
    count
        Number of records in all.
    sources, packs
        What the records' indexes mean.
    """

    def __init__(
        self, groups: list[bytes], count: int, sources: Sequence[Digest], packs: Sequence[Digest | None]
    ) -> None:
        self._groups: list[bytes | tuple[ChunkRecord, ...]] = list(groups)
        self._count = count
        self._sources = sources
        self._packs = packs

    @classmethod
    def parse(
        cls, reader: RecordReader, count: int, sources: Sequence[Digest], packs: Sequence[Digest | None]
    ) -> ChunkTable:
        """Take the groups out of a record, unparsed.

        Raises
        ------
        InvalidRecordError
            The record is too short for so many chunks.
        """
        if count * 23 > reader.remaining:  # the smallest chunk record has 23 bytes
            raise reject("chunk table", f"{count} chunk records", f"{reader.remaining} bytes")
        return cls([reader.sized() for _ in range(-(-count // GROUP))], count, sources, packs)

    def _group(self, index: int) -> tuple[ChunkRecord, ...]:
        group = self._groups[index]
        if isinstance(group, bytes):
            reader = RecordReader(group, "chunk table")
            count = min(GROUP, self._count - index * GROUP)
            group = tuple(read_chunk(reader, self._sources, self._packs) for _ in range(count))
            reader.finish()
            self._groups[index] = group  # two threads may both parse it; they store equal values
        return group

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> ChunkRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ChunkRecord]: ...

    def __getitem__(self, index: int | slice) -> ChunkRecord | Sequence[ChunkRecord]:
        if isinstance(index, slice):
            return tuple(self)[index]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        index %= self._count
        return self._group(index // GROUP)[index % GROUP]

    def __iter__(self) -> Iterator[ChunkRecord]:
        for index in range(len(self._groups)):
            yield from self._group(index)

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Sequence) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))
