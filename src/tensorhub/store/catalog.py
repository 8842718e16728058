"""The catalogue: an SQLite index over packs that answers questions fast.

Duty: open, index a pack, look up blobs, objects and candidates. Not its duty: being the truth; refs are
read from their files, and everything here can be built anew from packs (``sync``).
Invariants: a pack is indexed in one SQL transaction; of several records of one blob the highest generation
counts, then the one indexed first; a record whose packs are not all present, or that would lean on itself
through its sources, is never chosen. Safe for several processes and threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, update

from tensorhub.errors import (
    MissingBlobError,
)
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import BlobRecord, parse_blob_record
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog_file import CatalogFile
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.pack_rows import PackRows
from tensorhub.store.row_checksum import open_row

_BATCH = 500  # SQLite's oldest limit on variables in one statement is 999


_BLOB = (
    "SELECT id, nbytes, stored_nbytes, delta_nbytes, delta_stored_nbytes, standalone_nbytes "
    "FROM blob WHERE digest = ? AND pack IS NOT NULL"
)
_RECORD = "SELECT blob.record, pack.digest, pack.refs FROM blob JOIN pack ON pack.id = blob.pack WHERE blob.digest = ?"
_DIGEST = "SELECT digest FROM blob WHERE id = ?"
_SKETCH = "SELECT sketch.value FROM sketch JOIN blob ON blob.id = sketch.blob WHERE blob.digest = ?"
_OBJECT = "SELECT id, payload FROM object WHERE digest = ? AND kind = ?"
_SMALL = (
    "SELECT id, digest FROM blob WHERE element_width = ? AND row_nelems = ? AND nrows = ? "
    "AND row_nelems IS NOT NULL AND nbytes < 65536 AND delta_nbytes = 0 AND pack IS NOT NULL "
    "ORDER BY id DESC LIMIT ?"
)
_HOLDING = (
    "SELECT pack IS NOT NULL AND NOT EXISTS (SELECT 1 FROM source JOIN blob AS base ON base.id = source.base "
    "WHERE source.blob = blob.id AND base.pack IS NULL), generation FROM blob WHERE digest = ?"
)


@dataclass(frozen=True, slots=True)
class BlobRow:
    """What the catalogue knows of a blob that the store holds."""

    blob_id: int
    digest: Digest
    nbytes: int
    stored_nbytes: int
    delta_nbytes: int
    delta_stored_nbytes: int
    standalone_nbytes: int

    @property
    def is_self_contained(self) -> bool:
        """Whether it can serve as a base: no chunk leans on another blob."""
        return self.delta_nbytes == 0


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A commit, tree or file record as stored."""

    object_id: int
    digest: Digest
    kind: ObjectKind
    payload: bytes


class Catalog(CatalogFile):
    """The answers of one catalogue file; see :class:`CatalogFile` for how it is opened."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._pack_rows = PackRows()

    # -- looking up ---------------------------------------------------------------------------------------

    def packs(self) -> dict[Digest, int]:
        """Give every indexed pack with its size in bytes; only rows that are new since the last time are read."""
        with self.read() as connection:
            return self._pack_rows.read(connection)

    def last_sealed_at_ns(self) -> int:
        """Give the latest sealing time of an indexed pack; 0 without packs."""
        with self.read() as connection:
            return connection.execute(select(func.max(schema.pack.c.sealed_at_ns))).scalar() or 0

    def blob(self, digest: Digest) -> BlobRow | None:
        """Look a blob up; None where the store does not hold it."""
        row = next(iter(self.ask(_BLOB, (digest.value,))), None)
        return None if row is None else BlobRow(row[0], digest, *row[1:])

    def holding(self, digest: Digest) -> tuple[bool, int]:
        """Say whether a blob need not be stored again, and the generation of a record that would replace it.

        A blob is not held where its packs are lost or set aside, or where a base that it leans on is not.
        """
        row = next(iter(self.ask(_HOLDING, (digest.value,))), None)
        if row is None:
            return False, 0
        return bool(row[0]), 0 if row[1] is None else row[1] + 1

    def blobs(self, digests: Iterable[Digest]) -> dict[Digest, BlobRow]:
        """Look many blobs up; those that the store does not hold are left out."""
        found: dict[Digest, BlobRow] = {}
        columns = schema.blob.c
        query = select(
            columns.id,
            columns.digest,
            columns.nbytes,
            columns.stored_nbytes,
            columns.delta_nbytes,
            columns.delta_stored_nbytes,
            columns.standalone_nbytes,
        ).where(columns.pack.is_not(None))
        with self.read() as connection:
            for batch in _batches([digest.value for digest in digests]):
                for row in connection.execute(query.where(columns.digest.in_(batch))):
                    found[Digest(row[1])] = BlobRow(row[0], Digest(row[1]), *row[2:])
        return found

    def _find(self, statement: str, parameters: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Answer a look-up whose row should be there; looks again after catching up with the disk."""
        found = self.ask(statement, parameters)
        if not found and self.catch_up():
            found = self.ask(statement, parameters)
        return found[0] if found else None

    def blob_record(self, digest: Digest) -> BlobRecord:
        """Read a blob's record, every stored range with its pack's id.

        Raises
        ------
        MissingBlobError
            The store does not hold the blob.
        """
        row = self._find(_RECORD, (digest.value,))
        if row is None:
            self.check_whole()
            raise MissingBlobError(
                f"blob {digest}",
                expected="a record in some pack",
                found="none",
                digest=str(digest),
                action="Run `tensorhub verify` to see which files need it; add them again from any copy.",
            )
        record = open_row(row[0], digest, row[1], row[2])
        if record is None:
            raise self.corrupt(f"the record of blob {digest}", "a row with another checksum")
        return parse_blob_record(record, split_references(row[2]), own=Digest(row[1]), is_trusted=True)

    def blob_records(self, digests: Iterable[Digest]) -> dict[Digest, BlobRecord]:
        """Read many blobs' records at once; those that the store does not hold are left out."""
        found: dict[Digest, BlobRecord] = {}
        query = select(
            schema.blob.c.digest, schema.blob.c.record, schema.pack.c.digest, schema.pack.c.refs
        ).join(schema.pack, schema.blob.c.pack == schema.pack.c.id)
        with self.read() as connection:
            for batch in _batches([digest.value for digest in digests]):
                for row in connection.execute(query.where(schema.blob.c.digest.in_(batch))):
                    digest, pack = Digest(row[0]), Digest(row[2])
                    record = open_row(row[1], digest, row[2], row[3])
                    if record is not None:  # a damaged row is named when the blob is asked for by itself
                        found[digest] = parse_blob_record(
                            record, split_references(row[3]), own=pack, is_trusted=True
                        )
        return found

    def object(self, digest: Digest, kind: ObjectKind) -> ObjectRow:
        """Read an object.

        Raises
        ------
        MissingBlobError
            The store does not hold it.
        """
        row = self._find(_OBJECT, (digest.value, int(kind)))
        if row is None:
            self.check_whole()
            raise MissingBlobError(
                f"{kind.name.lower()} object {digest}",
                expected="a record in some pack",
                found="none",
                digest=str(digest),
                action="Run `tensorhub verify` to see what is affected.",
            )
        return ObjectRow(row[0], digest, kind, row[1])

    def payloads(self, digests: Iterable[Digest], kind: ObjectKind) -> dict[Digest, bytes]:
        """Read many objects of one kind at once; those that the store does not hold are left out."""
        columns, found = schema.stored_object.c, {}
        with self.read() as connection:
            for batch in _batches([digest.value for digest in digests]):
                query = select(columns.digest, columns.payload).where(
                    columns.digest.in_(batch), columns.kind == int(kind)
                )
                found.update({Digest(row[0]): row[1] for row in connection.execute(query)})
        return found

    def has_object(self, digest: Digest) -> bool:
        """Say whether a commit, tree or file record is in the store."""
        return bool(self.ask("SELECT 1 FROM object WHERE digest = ?", (digest.value,)))

    def bases(self, blob_ids: Iterable[int]) -> dict[int, Digest]:
        """Give the first base of each blob that has one."""
        found: dict[int, Digest] = {}
        with self.read() as connection:
            for batch in _batches(list(blob_ids)):
                query = (
                    select(schema.source.c.blob, schema.blob.c.digest)
                    .join(schema.blob, schema.blob.c.id == schema.source.c.base)
                    .where(schema.source.c.blob.in_(batch))
                    .order_by(schema.source.c.base.desc())
                )
                found.update({row[0]: Digest(row[1]) for row in connection.execute(query)})
        return found

    def facts(self, subject: Digest) -> list[Fact]:
        """Give what is known about a file record (sketches are apart)."""
        columns = schema.fact.c
        with self.read() as connection:
            rows = connection.execute(
                select(columns.kind, columns.value, columns.is_claimed).where(
                    columns.subject == subject.value
                )
            ).all()
        return [Fact(FactKind(kind), subject, value, bool(is_claimed)) for kind, value, is_claimed in rows]

    def fact_values(self, kind: FactKind, subjects: Iterable[Digest]) -> dict[Digest, bytes]:
        """Give the fact of one kind about each subject that has one (sketches are apart)."""
        columns, found = schema.fact.c, {}
        with self.read() as connection:
            for batch in _batches([digest.value for digest in subjects]):
                query = select(columns.subject, columns.value).where(
                    columns.kind == int(kind), columns.subject.in_(batch)
                )
                found.update({Digest(row[0]): row[1] for row in connection.execute(query)})
        return found

    def sketch(self, digest: Digest) -> bytes | None:
        """Give a blob's sketch, if it has one."""
        row = next(iter(self.ask(_SKETCH, (digest.value,))), None)
        return None if row is None else row[0]

    def digest_of(self, blob_id: int) -> Digest | None:
        """Translate one row id to a digest."""
        row = next(iter(self.ask(_DIGEST, (blob_id,))), None)
        return None if row is None else Digest(row[0])

    def digests_by_id(self, blob_ids: Iterable[int]) -> dict[int, Digest]:
        """Translate row ids to digests."""
        found: dict[int, Digest] = {}
        with self.read() as connection:
            for batch in _batches(list(blob_ids)):
                query = select(schema.blob.c.id, schema.blob.c.digest).where(schema.blob.c.id.in_(batch))
                found.update({row[0]: Digest(row[1]) for row in connection.execute(query)})
        return found

    def sketches(
        self, element_width: int, row_nelems: int, *, self_contained_only: bool
    ) -> Iterator[tuple[int, bytes]]:
        """Yield blob row id and sketch of every tensor with this element width and row length."""
        columns = schema.sketch.c
        query = (
            select(columns.blob, columns.value)
            .join(schema.blob, schema.blob.c.id == columns.blob)
            .where(
                columns.element_width == element_width,
                columns.row_nelems == row_nelems,
                schema.blob.c.pack.is_not(None),
            )
        )
        if self_contained_only:
            query = query.where(schema.blob.c.delta_nbytes == 0)
        with self.read() as connection:
            for row in connection.execute(query):
                yield row[0], row[1]

    def small_candidates(
        self, element_width: int, row_nelems: int, nrows: int, limit: int
    ) -> list[tuple[int, Digest]]:
        """List self-contained small tensors of one shape, newest first."""
        parameters = (element_width, row_nelems, nrows, limit)
        return [(row[0], Digest(row[1])) for row in self.ask(_SMALL, parameters)]

    # -- changing -----------------------------------------------------------------------------------------

    def drop_rows(
        self, *, packs: Sequence[Digest], blobs: Sequence[Digest], objects: Sequence[Digest]
    ) -> None:
        """Forget what gc removes: dead blobs, objects and packs, with what hangs on them."""
        with self.write() as connection:
            for batch in _batches([digest.value for digest in objects]):
                ids = select(schema.stored_object.c.id).where(schema.stored_object.c.digest.in_(batch))
                connection.execute(delete(schema.segment).where(schema.segment.c.file.in_(ids)))
                connection.execute(
                    delete(schema.tree_entry).where(
                        schema.tree_entry.c.tree.in_(ids) | schema.tree_entry.c.file.in_(ids)
                    )
                )
                connection.execute(
                    delete(schema.repository_tree).where(schema.repository_tree.c.tree.in_(ids))
                )
                connection.execute(
                    delete(schema.stored_object).where(schema.stored_object.c.digest.in_(batch))
                )
                connection.execute(delete(schema.fact).where(schema.fact.c.subject.in_(batch)))
            for batch in _batches([digest.value for digest in blobs]):
                ids = select(schema.blob.c.id).where(schema.blob.c.digest.in_(batch))
                connection.execute(delete(schema.source).where(schema.source.c.blob.in_(ids)))
                connection.execute(delete(schema.sketch).where(schema.sketch.c.blob.in_(ids)))
                connection.execute(delete(schema.fact).where(schema.fact.c.subject.in_(batch)))
                # The row itself goes only where no segment or source of something kept still names it.
                connection.execute(
                    update(schema.blob).where(schema.blob.c.digest.in_(batch)).values(pack=None, record=None)
                )
                used = select(schema.segment.c.blob).union(select(schema.source.c.base))
                connection.execute(
                    delete(schema.blob).where(schema.blob.c.digest.in_(batch), schema.blob.c.id.not_in(used))
                )
            for batch in _batches([digest.value for digest in packs]):
                gone = select(schema.pack.c.id).where(schema.pack.c.digest.in_(batch))
                connection.execute(delete(schema.fact).where(schema.fact.c.pack.in_(gone)))
                connection.execute(delete(schema.pack).where(schema.pack.c.digest.in_(batch)))

    def move_objects(self, digests: Iterable[Digest], facts: Iterable[Fact], pack: Digest) -> None:
        """Say that objects and facts now lie in another pack (gc moved them)."""
        with self.write() as connection:
            pack_id = connection.execute(
                select(schema.pack.c.id).where(schema.pack.c.digest == pack.value)
            ).scalar_one()
            for batch in _batches([digest.value for digest in digests]):
                connection.execute(
                    update(schema.stored_object)
                    .where(schema.stored_object.c.digest.in_(batch))
                    .values(pack=pack_id)
                )
            keys = [{"of": fact.subject.value, "what": int(fact.kind)} for fact in facts]
            if keys:
                columns = schema.fact.c
                connection.execute(
                    update(schema.fact)
                    .where(columns.subject == bindparam("of"), columns.kind == bindparam("what"))
                    .values(pack=pack_id),
                    keys,
                )


def split_references(joined: bytes) -> tuple[Digest, ...]:
    """Split the joined pack ids of a pack row."""
    return tuple(Digest(joined[at : at + DIGEST_NBYTES]) for at in range(0, len(joined), DIGEST_NBYTES))


def _batches(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def ids_of(connection: Connection, digests: Iterable[bytes]) -> Mapping[bytes, int]:
    """Give the row id of each blob digest; rows must exist."""
    found: dict[bytes, int] = {}
    for batch in _batches(list(digests)):
        query = select(schema.blob.c.digest, schema.blob.c.id).where(schema.blob.c.digest.in_(batch))
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found
