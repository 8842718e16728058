"""Indexing: putting the records of a pack into the catalogue.

Duty: one pack, one SQL transaction; the rule which record of a blob counts.
Not its duty: reading packs (``pack``) or deciding which packs exist (``sync``).
Invariants: see ``catalog``. Indexing a pack twice changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from tensorhub.errors import FormatError
from tensorhub.lineage.sketch import parse_sketch, sketch_geometry
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import (
    BlobRecord,
    FactKind,
    FileRecord,
    parse_commit,
    parse_file_record,
    parse_tree,
)
from tensorhub.schema.tensor import TensorSpec
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import Catalog, has_lost_base, ids_of
from tensorhub.store.hashing import Hasher, ObjectKind
from tensorhub.store.pack import PackTable

_MAX_WALK = 64  # far deeper than any chain of bases (depth 1 by design); a longer walk is treated as a cycle


@dataclass(frozen=True, slots=True)
class _ParsedFile:
    digest: bytes
    record: FileRecord


def index_pack(catalog: Catalog, hasher: Hasher, pack: Digest, nbytes: int, table: PackTable) -> None:
    """Make a sealed pack's records answerable.

    Parameters
    ----------
    catalog, hasher
        The store's.
    pack, nbytes, table
        Id, size and parsed table of the pack.
    """
    with catalog.write() as connection:
        present = connection.execute(
            select(schema.pack.c.id).where(schema.pack.c.digest == pack.value)
        ).scalar()
        if present is not None:
            return
        pack_id = connection.execute(
            insert(schema.pack).values(
                digest=pack.value,
                nbytes=nbytes,
                sealed_at_ns=table.sealed_at_ns,
                refs=b"".join(reference.value for reference in table.references),
            )
        ).inserted_primary_key[0]
        files = _insert_objects(connection, hasher, pack_id, table)
        blob_ids = _insert_placeholders(connection, table, files)
        _choose_records(connection, pack_id, table, blob_ids)
        _insert_segments(connection, files, blob_ids)
        _insert_tree_entries(connection, hasher, table)
        _insert_facts(connection, pack_id, table, blob_ids)


def _insert_objects(
    connection: Connection, hasher: Hasher, pack_id: int, table: PackTable
) -> list[_ParsedFile]:
    rows: list[dict[str, Any]] = []
    files: list[_ParsedFile] = []
    for kind, payload in table.objects:
        digest = hasher.object_digest(kind, payload)
        row: dict[str, Any] = {
            "digest": digest.value,
            "kind": int(kind),
            "pack": pack_id,
            "payload": payload,
            "commit_id": None,
            "nbytes": None,
            "tensors": None,
        }
        if kind is ObjectKind.COMMIT:
            row["commit_id"] = bytes.fromhex(parse_commit(payload).commit_id(digest))
        elif kind is ObjectKind.FILE:
            record = parse_file_record(payload)
            row["nbytes"] = record.nbytes
            row["tensors"] = sum(1 for item in record.segments if item.tensor)
            files.append(_ParsedFile(digest.value, record))
        rows.append(row)
    if rows:
        connection.execute(insert(schema.stored_object).prefix_with("OR IGNORE"), rows)
    return files


def _insert_placeholders(
    connection: Connection, table: PackTable, files: list[_ParsedFile]
) -> dict[bytes, int]:
    digests: dict[bytes, None] = {}
    for record in table.blobs:
        digests[record.digest.value] = None
        digests.update(dict.fromkeys(item.value for item in record.source_digests()))
    for file in files:
        digests.update(dict.fromkeys(item.digest.value for item in file.record.segments if item.nbytes))
    for fact in table.facts:
        if fact.kind is FactKind.SKETCH:
            digests[fact.subject.value] = None
    if digests:
        connection.execute(
            insert(schema.blob).prefix_with("OR IGNORE"), [{"digest": value} for value in digests]
        )
    return dict(ids_of(connection, digests))


def _choose_records(
    connection: Connection, pack_id: int, table: PackTable, blob_ids: dict[bytes, int]
) -> None:
    known_packs = {row[0] for row in connection.execute(select(schema.pack.c.digest))}
    for record in table.blobs:
        if not _pack_ids(record) <= known_packs:
            continue
        blob_id = blob_ids[record.digest.value]
        present = connection.execute(
            select(schema.blob.c.pack, schema.blob.c.generation, has_lost_base().label("is_lost")).where(
                schema.blob.c.id == blob_id
            )
        ).one()
        if present.pack is not None and present.generation >= record.generation and not present.is_lost:
            continue
        sources = [blob_ids[item.value] for item in record.source_digests()]
        if any(_leans_on(connection, base, blob_id) for base in sources):
            continue
        delta_chunks = [
            (chunk, min(record.chunk_nbytes, record.nbytes - index * record.chunk_nbytes))
            for index, chunk in enumerate(record.chunks)
            if chunk.is_delta
        ]
        connection.execute(
            update(schema.blob).where(schema.blob.c.id == blob_id),
            {
                "pack": pack_id,
                "nbytes": record.nbytes,
                "generation": record.generation,
                "stored_nbytes": record.stored_nbytes,
                "standalone_nbytes": record.standalone_nbytes,
                "delta_nbytes": sum(nbytes for _, nbytes in delta_chunks),
                "delta_stored_nbytes": sum(chunk.stored.nbytes for chunk, _ in delta_chunks),
                "element_width": record.element_width,
                "record": record.to_bytes({pack: index + 1 for index, pack in enumerate(table.references)}),
            },
        )
        connection.execute(delete(schema.source).where(schema.source.c.blob == blob_id))
        if sources:
            connection.execute(insert(schema.source), [{"blob": blob_id, "base": base} for base in sources])


def _pack_ids(record: BlobRecord) -> set[bytes]:
    stored = [chunk.stored for chunk in record.chunks] + ([record.model] if record.model else [])
    return {item.pack.value for item in stored if item.pack is not None}


_ANCESTORS = text(
    "WITH RECURSIVE walk(id, depth) AS (SELECT :start, 0 UNION "
    "SELECT source.base, walk.depth + 1 FROM source JOIN walk ON source.blob = walk.id WHERE walk.depth < :limit) "
    "SELECT 1 FROM walk WHERE id = :target OR depth >= :limit LIMIT 1"
)


def _leans_on(connection: Connection, start: int, target: int) -> bool:
    """Say whether ``start`` needs ``target`` to be decoded."""
    parameters = {"start": start, "target": target, "limit": _MAX_WALK}
    return connection.execute(_ANCESTORS, parameters).first() is not None


def _insert_segments(connection: Connection, files: list[_ParsedFile], blob_ids: dict[bytes, int]) -> None:
    columns = schema.stored_object.c
    for file in files:
        file_id = connection.execute(select(columns.id).where(columns.digest == file.digest)).scalar_one()
        rows = [
            {"file": file_id, "ordinal": ordinal, "blob": blob_ids[item.digest.value]}
            for ordinal, item in enumerate(file.record.segments)
            if item.nbytes
        ]
        if rows:
            connection.execute(insert(schema.segment).prefix_with("OR IGNORE"), rows)
        shapes = {
            blob_ids[item.digest.value]: _shape(item.tensor)
            for item in file.record.segments
            if item.tensor is not None and item.nbytes
        }
        if shapes:
            connection.execute(
                text(
                    "UPDATE blob SET row_nelems = :row_nelems, nrows = :nrows WHERE id = :id AND row_nelems IS NULL"
                ),
                [
                    {"id": blob_id, "row_nelems": shape[0], "nrows": shape[1]}
                    for blob_id, shape in shapes.items()
                ],
            )


def _insert_tree_entries(connection: Connection, hasher: Hasher, table: PackTable) -> None:
    columns = schema.stored_object.c
    for kind, payload in table.objects:
        if kind is not ObjectKind.TREE:
            continue
        digest = hasher.object_digest(kind, payload)
        tree_id = connection.execute(select(columns.id).where(columns.digest == digest.value)).scalar_one()
        _insert_entries_of(connection, tree_id, payload)


def _insert_entries_of(connection: Connection, tree_id: int, payload: bytes) -> None:
    columns = schema.stored_object.c
    files = list({entry.file.value for entry in parse_tree(payload).entries})
    rows = [
        {"tree": tree_id, "file": row[0]}
        for start in range(0, len(files), 500)
        for row in connection.execute(
            select(columns.id).where(columns.digest.in_(files[start : start + 500]))
        )
    ]
    if rows:
        connection.execute(insert(schema.tree_entry).prefix_with("OR IGNORE"), rows)


def complete_trees(catalog: Catalog, only: Digest | None = None) -> None:
    """Note the files of trees that were indexed before their files: gc moves files, and a dead tree's may go.

    Parameters
    ----------
    catalog
        The store's.
    only
        One tree; None for all.
    """
    columns = schema.stored_object.c
    query = select(columns.id, columns.payload).where(columns.kind == int(ObjectKind.TREE))
    if only is not None:
        query = query.where(columns.digest == only.value)
    with catalog.write() as connection:
        for tree_id, payload in connection.execute(query).all():
            _insert_entries_of(connection, tree_id, payload)


def _shape(tensor: TensorSpec) -> tuple[int, int]:
    _, nrows, row_nelems = sketch_geometry(tensor)
    return row_nelems, nrows


def _insert_facts(connection: Connection, pack_id: int, table: PackTable, blob_ids: dict[bytes, int]) -> None:
    sketches, facts = [], []
    for fact in table.facts:
        if fact.kind is not FactKind.SKETCH:
            facts.append(
                {
                    "subject": fact.subject.value,
                    "kind": int(fact.kind),
                    "pack": pack_id,
                    "is_claimed": int(fact.is_claimed),
                    "value": fact.value,
                }
            )
            continue
        try:
            sketch = parse_sketch(fact.value)
        except FormatError:
            continue  # of a later version: it only helps to find bases, and is made again when needed
        sketches.append(
            {
                "blob": blob_ids[fact.subject.value],
                "element_width": sketch.element_width,
                "row_nelems": sketch.row_nelems,
                "value": fact.value,
            }
        )
    if sketches:
        connection.execute(insert(schema.sketch).prefix_with("OR IGNORE"), sketches)
    claimed = [row for row in facts if row["is_claimed"]]
    computed = [row for row in facts if not row["is_claimed"]]
    if claimed:
        connection.execute(insert(schema.fact).prefix_with("OR IGNORE"), claimed)
    if computed:
        connection.execute(insert(schema.fact).prefix_with("OR REPLACE"), computed)
