"""The catalogue: an SQLite index over packs that answers questions fast.

Duty: open, index a pack, look up blobs, objects and candidates. Not its duty: being the truth; refs are
read from their files, and everything here can be built anew from packs (``sync``).
Invariants: a pack is indexed in one SQL transaction; of several records of one blob the highest generation
counts, then the one indexed first; a record whose packs are not all present, or that would lean on itself
through its sources, is never chosen. Safe for several processes and threads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Exists,
    create_engine,
    delete,
    event,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from tensorhub.errors import (
    BackendPermissionError,
    CorruptIndexError,
    MissingBlobError,
    OutOfSpaceError,
    StoreLockedError,
    TensorHubError,
    UnsupportedVersionError,
)
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.records import BlobRecord, Fact, FactKind, StoredRange, parse_blob_record
from tensorhub.store import catalog_schema as schema
from tensorhub.store.hashing import ObjectKind

_BUSY_TIMEOUT_S = 30  # writers wait for each other; a pack is indexed in well under a second
_BATCH = 500  # SQLite's oldest limit on variables in one statement is 999


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


def _configure(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={_BUSY_TIMEOUT_S * 1000}",
        "cache_size=-8192",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


class Catalog:
    """One open catalogue file.

    Parameters
    ----------
    path
        The SQLite file; made when missing.

    Attributes
    ----------
    is_new
        Whether it is not complete yet: made by this call, or by a process that died before it was filled.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        with self._translated():
            self._open()

    def _open(self) -> None:
        with self._engine.connect() as connection:
            has_meta = connection.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'meta'")).first()
            version = (
                connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "version")).scalar()
                if has_meta
                else None
            )
            marks = (
                connection.execute(
                    select(schema.meta.c.value).where(schema.meta.c.key == "complete")
                ).scalar()
                if has_meta
                else None
            )
        self.is_new = marks is None
        if version is None:
            with self.write() as connection:
                schema.metadata.create_all(connection)
                connection.execute(
                    insert(schema.meta).prefix_with("OR IGNORE"),
                    {"key": "version", "value": str(schema.CATALOG_VERSION)},
                )
        elif version != str(schema.CATALOG_VERSION):
            raise UnsupportedVersionError(
                f"catalogue {self.path}",
                expected=f"version {schema.CATALOG_VERSION}",
                found=version,
                path=str(self.path),
                action="Run `tensorhub verify --rebuild-catalog` with this version.",
            )

    def mark_complete(self) -> None:
        """Say that everything on disk at the time of its making is in it."""
        with self.write() as connection:
            connection.execute(
                insert(schema.meta).prefix_with("OR IGNORE"), {"key": "complete", "value": "1"}
            )
        self.is_new = False

    def close(self) -> None:
        """Give the file back."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except TensorHubError:
            raise
        except (DatabaseError, sqlite3.Error) as error:
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> TensorHubError:
        found = str(getattr(error, "orig", error))
        name, path = f"catalogue {self.path}", str(self.path)
        if isinstance(error, OperationalError | sqlite3.OperationalError):
            if "locked" in found or "busy" in found:
                return StoreLockedError(
                    name,
                    expected="a free catalogue",
                    found=found,
                    path=path,
                    action="Another process is writing; try again.",
                )
            if "full" in found:
                return OutOfSpaceError(
                    name,
                    expected="free space",
                    found=found,
                    path=path,
                    action="Free some space and run the same command again.",
                )
            if "readonly" in found or "unable to open" in found:
                return BackendPermissionError(
                    name,
                    expected="a writable catalogue",
                    found=found,
                    path=path,
                    action="Check the folder's mode, or set TENSORHUB_CATALOG_DIR to a writable folder.",
                )
        return CorruptIndexError(
            name,
            expected="a readable SQLite file",
            found=found,
            path=path,
            action="Run `tensorhub verify --rebuild-catalog`; packs and refs are the truth, nothing is lost.",
        )

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction; commits at the end, rolls back on an error."""
        with (
            self._translated(),
            self._engine.connect().execution_options(is_write=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read transaction: every answer inside comes from one moment."""
        with self._translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    # -- looking up ---------------------------------------------------------------------------------------

    def packs(self) -> dict[Digest, int]:
        """Give every indexed pack with its size in bytes."""
        with self.read() as connection:
            rows = connection.execute(select(schema.pack.c.digest, schema.pack.c.nbytes))
            return {Digest(digest): nbytes for digest, nbytes in rows}

    def last_sealed_at_ns(self) -> int:
        """Give the latest sealing time of an indexed pack; 0 without packs."""
        with self.read() as connection:
            return connection.execute(select(func.max(schema.pack.c.sealed_at_ns))).scalar() or 0

    def blob(self, digest: Digest) -> BlobRow | None:
        """Look a blob up; None where the store does not hold it."""
        return self.blobs([digest]).get(digest)

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

    def can_decode(self, digest: Digest) -> bool:
        """Say whether the store holds a blob and the bases it leans on; gc may take the base of a dead one."""
        query = select(schema.blob.c.id).where(
            schema.blob.c.digest == digest.value, schema.blob.c.pack.is_not(None), ~has_lost_base()
        )
        with self.read() as connection:
            return connection.execute(query).first() is not None

    def blob_record(self, digest: Digest) -> BlobRecord:
        """Read a blob's record, every stored range with its pack's id.

        Raises
        ------
        MissingBlobError
            The store does not hold the blob.
        """
        query = (
            select(schema.blob.c.record, schema.pack.c.digest, schema.pack.c.refs)
            .join(schema.pack, schema.blob.c.pack == schema.pack.c.id)
            .where(schema.blob.c.digest == digest.value)
        )
        with self.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise MissingBlobError(
                f"blob {digest}",
                expected="a record in some pack",
                found="none",
                digest=str(digest),
                action="Run `tensorhub verify` to see which files need it; add them again from any copy.",
            )
        return located(parse_blob_record(row[0], split_references(row[2])), Digest(row[1]))

    def object(self, digest: Digest, kind: ObjectKind) -> ObjectRow:
        """Read an object.

        Raises
        ------
        MissingBlobError
            The store does not hold it.
        """
        columns = schema.stored_object.c
        with self.read() as connection:
            row = connection.execute(
                select(columns.id, columns.payload).where(
                    columns.digest == digest.value, columns.kind == int(kind)
                )
            ).first()
        if row is None:
            raise MissingBlobError(
                f"{kind.name.lower()} object {digest}",
                expected="a record in some pack",
                found="none",
                digest=str(digest),
                action="Run `tensorhub verify` to see what is affected.",
            )
        return ObjectRow(row[0], digest, kind, row[1])

    def has_object(self, digest: Digest) -> bool:
        """Say whether a commit, tree or file record is in the store."""
        with self.read() as connection:
            query = select(schema.stored_object.c.id).where(schema.stored_object.c.digest == digest.value)
            return connection.execute(query).first() is not None

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
        columns = schema.blob.c
        query = (
            select(columns.id, columns.digest)
            .where(
                columns.element_width == element_width,
                columns.row_nelems == row_nelems,
                columns.nrows == nrows,
                columns.row_nelems.is_not(None),
                columns.nbytes < 65536,
                columns.delta_nbytes == 0,
                columns.pack.is_not(None),
            )
            .order_by(columns.id.desc())
            .limit(limit)
        )
        with self.read() as connection:
            return [(row[0], Digest(row[1])) for row in connection.execute(query)]

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
                # The row itself goes only where no segment or source of something kept still names it.
                connection.execute(
                    update(schema.blob).where(schema.blob.c.digest.in_(batch)).values(pack=None, record=None)
                )
                used = select(schema.segment.c.blob).union(select(schema.source.c.base))
                connection.execute(
                    delete(schema.blob).where(schema.blob.c.digest.in_(batch), schema.blob.c.id.not_in(used))
                )
            for batch in _batches([digest.value for digest in packs]):
                connection.execute(delete(schema.pack).where(schema.pack.c.digest.in_(batch)))

    def move_objects(self, digests: Iterable[Digest], subjects: Iterable[Digest], pack: Digest) -> None:
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
            for batch in _batches([digest.value for digest in subjects]):
                connection.execute(
                    update(schema.fact).where(schema.fact.c.subject.in_(batch)).values(pack=pack_id)
                )

    def compact(self) -> None:
        """Give free pages of the file back to the disk."""
        with self._translated(), self._engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def has_lost_base() -> Exists:
    """Give the SQL condition that a blob leans on one that no pack holds."""
    base = schema.blob.alias()
    return exists().where(
        schema.source.c.blob == schema.blob.c.id, base.c.id == schema.source.c.base, base.c.pack.is_(None)
    )


def located(record: BlobRecord, pack: Digest) -> BlobRecord:
    """Put a pack's id into every stored range that lies in it."""

    def place(stored: StoredRange) -> StoredRange:
        return replace(stored, pack=pack) if stored.pack is None else stored

    return replace(
        record,
        model=place(record.model) if record.model else None,
        chunks=tuple(replace(chunk, stored=place(chunk.stored)) for chunk in record.chunks),
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
