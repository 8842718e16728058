"""The catalogue: an SQLite index over packs that answers questions fast.

Duty: open, index a pack, look up blobs, objects and candidates. Not its duty: being the truth; refs are
read from their files, and everything here can be built anew from packs (``sync``).
Invariants: a pack is indexed in one SQL transaction; of several records of one blob the highest generation
counts, then the one indexed first; a record whose packs are not all present, or that would lean on itself
through its sources, is never chosen. Safe for several processes and threads.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, select, text, update
from sqlalchemy.exc import DatabaseError, NoResultFound, OperationalError, ProgrammingError

from tensorhub.errors import (
    BackendError,
    BackendPermissionError,
    CorruptIndexError,
    FormatError,
    MissingBlobError,
    OutOfSpaceError,
    StoreLockedError,
    TensorHubError,
    UnsupportedVersionError,
)
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import BlobRecord, StoredRange, parse_blob_record
from tensorhub.store import catalog_schema as schema
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.row_checksum import open_row

_BUSY_TIMEOUT_S = 30  # writers wait for each other; a pack is indexed in well under a second
_FULL_NBYTES = 1 << 20  # SQLite says I/O error where its side files, some 64 KiB, do not fit any more
_BATCH = 500  # SQLite's oldest limit on variables in one statement is 999


_BLOB = (
    "SELECT id, nbytes, stored_nbytes, delta_nbytes, delta_stored_nbytes, standalone_nbytes "
    "FROM blob WHERE digest = ? AND pack IS NOT NULL"
)
_RECORD = "SELECT blob.record, pack.digest, pack.refs FROM blob JOIN pack ON pack.id = blob.pack WHERE blob.digest = ?"
_DIGEST = "SELECT digest FROM blob WHERE id = ?"
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
    if connection.get_execution_options().get("is_point", False):
        return
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


class _OwnConnection:
    """A connection that one thread keeps; given back when the thread ends, and with it this object."""

    def __init__(self, engine: Engine) -> None:
        self.connection = engine.connect().execution_options(is_point=True, isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Give the connection back; once is enough."""
        self.connection.close()

    def __del__(self) -> None:
        with suppress(Exception):  # the interpreter may be ending
            self.connection.close()


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
    has_news
        Whether opening indexed packs that other catalogues, or writers that crashed, had left to it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.has_news = False
        self._engine = create_engine(
            f"sqlite:///{path}", connect_args={"check_same_thread": False}, max_overflow=-1
        )  # each thread that reads keeps one connection
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._is_whole = False  # known to be: by a full check since this was opened
        self._local = threading.local()
        self._owners: weakref.WeakSet[_OwnConnection] = weakref.WeakSet()
        self._owners_lock = threading.Lock()
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
        with self._owners_lock:
            for own in list(self._owners):
                own.close()
            self._owners.clear()
        self._local = threading.local()
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (TensorHubError, ProgrammingError):
            raise  # a ProgrammingError is a bug in a statement, not damage
        except (DatabaseError, sqlite3.Error) as error:
            raise self._translate(error) from error
        except UnicodeDecodeError as error:  # SQLite quotes damaged names in its messages
            raise self.corrupt("names in UTF-8", str(error)) from error

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
            code = getattr(getattr(error, "orig", error), "sqlite_errorname", "")
            is_io = code.startswith("SQLITE_IOERR") and code != "SQLITE_IOERR_SHORT_READ"
            if "full" in found or (is_io and shutil.disk_usage(self.path.parent).free < _FULL_NBYTES):
                return OutOfSpaceError(
                    name,
                    expected="free space",
                    found=found,
                    path=path,
                    action="Free some space and run the same command again.",
                )
            if is_io:
                return BackendError(
                    name,
                    expected="a disk that answers",
                    found=f"{found} ({code})",
                    path=path,
                    action="Check the disk, then try again.",
                )
            is_writable = os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)
            if ("readonly" in found or "unable to open" in found) and not is_writable:
                return BackendPermissionError(
                    name,
                    expected="a writable catalogue",
                    found=found,
                    path=path,
                    action="Check the folder's mode, or set TENSORHUB_CATALOG_DIR to a writable folder.",
                )
        return self.corrupt("a readable SQLite file", found)

    def corrupt(self, expected: str, found: str) -> CorruptIndexError:
        """Make the error that names this catalogue."""
        return CorruptIndexError(
            f"catalogue {self.path}",
            expected=expected,
            found=found,
            path=str(self.path),
            action="Run `tensorhub verify --rebuild-catalog`; packs and refs are the truth, nothing is lost.",
        )

    def _check_whole(self) -> None:
        """Before saying that something is missing, make sure, once, that the catalogue itself is sound."""
        if self._is_whole:
            return
        with self.read() as connection:
            found = connection.execute(text("PRAGMA integrity_check(1)")).scalar()
        if found != "ok":
            raise self.corrupt("a sound SQLite file", str(found))
        self._is_whole = True

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
        with (
            self._translated(),
            self._rows_checked(),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _point(self) -> Iterator[Connection]:
        """Give this thread's own connection for single look-ups; each statement is a moment of its own."""
        with self._translated(), self._rows_checked():
            own: _OwnConnection | None = getattr(self._local, "own", None)
            if own is None:
                own = self._local.own = _OwnConnection(self._engine)
                with self._owners_lock:
                    self._owners.add(own)
            yield own.connection

    @contextmanager
    def _rows_checked(self) -> Iterator[None]:
        """Damaged rows hold values of another type or length: say that, and not what they broke."""
        try:
            yield
        except FormatError as error:
            raise self.corrupt("rows that parse", str(error)) from error
        except TensorHubError:
            raise
        except (TypeError, ValueError, OverflowError, NoResultFound) as error:
            raise self.corrupt("rows of their types", f"{type(error).__name__}: {error}") from error

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
        with self._point() as connection:
            row = connection.exec_driver_sql(_BLOB, (digest.value,)).first()
        return None if row is None else BlobRow(row[0], digest, *row[1:])

    def holding(self, digest: Digest) -> tuple[bool, int]:
        """Say whether a blob need not be stored again, and the generation of a record that would replace it.

        A blob is not held where its packs are lost or set aside, or where a base that it leans on is not.
        """
        with self._point() as connection:
            row = connection.exec_driver_sql(_HOLDING, (digest.value,)).first()
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

    def blob_record(self, digest: Digest) -> BlobRecord:
        """Read a blob's record, every stored range with its pack's id.

        Raises
        ------
        MissingBlobError
            The store does not hold the blob.
        """
        with self._point() as connection:
            row = connection.exec_driver_sql(_RECORD, (digest.value,)).first()
        if row is None:
            self._check_whole()
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
        return located(parse_blob_record(record, split_references(row[2])), Digest(row[1]))

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
                        found[digest] = located(parse_blob_record(record, split_references(row[3])), pack)
        return found

    def object(self, digest: Digest, kind: ObjectKind) -> ObjectRow:
        """Read an object.

        Raises
        ------
        MissingBlobError
            The store does not hold it.
        """
        with self._point() as connection:
            row = connection.exec_driver_sql(_OBJECT, (digest.value, int(kind))).first()
        if row is None:
            self._check_whole()
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

    def digest_of(self, blob_id: int) -> Digest | None:
        """Translate one row id to a digest."""
        with self._point() as connection:
            row = connection.exec_driver_sql(_DIGEST, (blob_id,)).first()
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
        with self._point() as connection:
            return [(row[0], Digest(row[1])) for row in connection.exec_driver_sql(_SMALL, parameters)]

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
        """Give free pages of the file back to the disk, unless someone else is using it just now."""
        with (
            suppress(StoreLockedError),
            self._translated(),
            self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT", is_point=True
            ) as connection,
        ):
            raw = connection.connection.dbapi_connection
            if raw is not None:
                raw.execute("VACUUM")
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


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
