"""Indexing: putting the records of a pack into the catalogue.

Duty: one pack, one SQL transaction; the rule which record of a blob counts.
Not its duty: reading packs (``pack``) or deciding which packs exist (``sync``).
Invariants: see ``catalog``. Indexing a pack twice changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, text, update

from tensorhub.errors import FormatError
from tensorhub.lineage.sketch import parse_sketch, sketch_geometry
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import FactKind
from tensorhub.schema.records import BlobRecord, FileRecord, parse_commit, parse_file_record, parse_tree
from tensorhub.schema.tensor import TensorSpec
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import Catalog, ids_of
from tensorhub.store.hashing import Hasher, ObjectKind
from tensorhub.store.pack_table import PackTable
from tensorhub.store.row_checksum import seal_row

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
        ).lastrowid
        files = _insert_objects(connection, hasher, pack_id, table)
        blob_ids = _insert_placeholders(connection, table, files)
        _choose_records(connection, pack, pack_id, table, blob_ids)
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
    connection: Connection, pack: Digest, pack_id: int, table: PackTable, blob_ids: dict[bytes, int]
) -> None:
    """Let each record of the pack count that beats what is there."""
    known_packs = {row[0] for row in connection.execute(select(schema.pack.c.digest))}
    present = _generations(connection, [blob_ids[record.digest.value] for record in table.blobs])
    leaning = _leaning(connection, table, blob_ids)
    updates: list[dict[str, Any]] = []
    edges: list[dict[str, int]] = []
    for record in table.blobs:
        blob_id = blob_ids[record.digest.value]
        if not _pack_ids(record) <= known_packs or present.get(blob_id, -1) >= record.generation:
            continue
        sources = [blob_ids[item.value] for item in record.source_digests()]
        if leaning.intersection(sources):
            _write_choices(connection, updates, edges)  # the walk must see what this pack itself adds
            if any(_leans_on(connection, base, blob_id) for base in sources):
                continue
        present[blob_id] = record.generation
        updates.append(_blob_row(pack, pack_id, blob_id, record, table))
        edges += [{"blob": blob_id, "base": base} for base in sources]
    _write_choices(connection, updates, edges)


def _leaning(connection: Connection, table: PackTable, blob_ids: dict[bytes, int]) -> set[int]:
    """Give the sources of this pack's blobs that lean on others themselves; as a rule there are none."""
    found = {blob_ids[record.digest.value] for record in table.blobs if record.source_digests()}
    sources = list({blob_ids[item.value] for record in table.blobs for item in record.source_digests()})
    for start in range(0, len(sources), 500):
        query = select(schema.source.c.blob).where(schema.source.c.blob.in_(sources[start : start + 500]))
        found.update(row[0] for row in connection.execute(query))
    return found


def _generations(connection: Connection, blob_ids: list[int]) -> dict[int, int]:
    """Give the generation of each blob that has a record already; one whose base is lost counts as none."""
    found: dict[int, int] = {}
    base = schema.blob.alias()
    is_lost = exists().where(
        schema.source.c.blob == schema.blob.c.id, base.c.id == schema.source.c.base, base.c.pack.is_(None)
    )
    for start in range(0, len(blob_ids), 500):
        query = select(schema.blob.c.id, schema.blob.c.generation).where(
            schema.blob.c.id.in_(blob_ids[start : start + 500]), schema.blob.c.pack.is_not(None), ~is_lost
        )
        found.update({row[0]: row[1] for row in connection.execute(query)})
    return found


def _blob_row(
    pack: Digest, pack_id: int, blob_id: int, record: BlobRecord, table: PackTable
) -> dict[str, Any]:
    packs = {reference: index + 1 for index, reference in enumerate(table.references)}
    joined = b"".join(reference.value for reference in table.references)
    delta_chunks = [
        (chunk, min(record.chunk_nbytes, record.nbytes - index * record.chunk_nbytes))
        for index, chunk in enumerate(record.chunks)
        if chunk.is_delta
    ]
    return {
        "key": blob_id,
        "pack": pack_id,
        "nbytes": record.nbytes,
        "generation": record.generation,
        "stored_nbytes": record.stored_nbytes,
        "standalone_nbytes": record.standalone_nbytes,
        "delta_nbytes": sum(nbytes for _, nbytes in delta_chunks),
        "delta_stored_nbytes": sum(chunk.stored.nbytes for chunk, _ in delta_chunks),
        "element_width": record.element_width,
        "record": seal_row(record.to_bytes(packs), record.digest, pack, joined),
    }


def _write_choices(
    connection: Connection, updates: list[dict[str, Any]], edges: list[dict[str, int]]
) -> None:
    """Write the collected rows and forget them."""
    if updates:
        values: dict[str, Any] = {name: bindparam(name) for name in updates[0] if name != "key"}
        connection.execute(
            update(schema.blob).where(schema.blob.c.id == bindparam("key")).values(**values), updates
        )
        keys = [{"key": row["key"]} for row in updates]
        connection.execute(delete(schema.source).where(schema.source.c.blob == bindparam("key")), keys)
        updates.clear()
    if edges:
        connection.execute(insert(schema.source), edges)
        edges.clear()


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
