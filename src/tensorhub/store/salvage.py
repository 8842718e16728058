"""Salvage: taking lost and damaged packs out of service without losing what is still good.

Duty: find packs that the catalogue knows and the disk does not; copy what is sound out of such packs, and out
of damaged ones, into a new pack; make the store forget that it holds the rest, so that adding any copy stores
it again. Not its duty: finding damage (``verify``).
Invariants: nothing is deleted: a damaged pack is moved to ``packs/damaged``, and a lost one that comes back is
indexed again when the store is opened. Works under the store lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import select

from tensorhub.errors import IntegrityError, from_os_error
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import BlobRecord, StoredRange
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import split_references
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.layout import fsync_folder
from tensorhub.store.leases import Lease, store_lock
from tensorhub.store.pack import PackWriter
from tensorhub.store.pack_output import PackOutput

if TYPE_CHECKING:
    from tensorhub.store.store import Store


def forget_lost_packs(store: Store) -> tuple[Digest, ...]:
    """Stop trusting what the catalogue says of packs whose files are gone; called when a commit begins.

    Returns
    -------
    tuple of Digest
        The lost packs.
    """
    if not _lost_packs(store):
        return ()
    with store_lock(store.layout):
        lost = _lost_packs(store)  # again under the lock: gc takes rows first, then files
        retire_packs(store, lost)
    return tuple(lost)


def _lost_packs(store: Store) -> list[Digest]:
    known = store.catalog.packs()  # before the disk, so that a pack sealed in between is not taken for lost
    return sorted(known.keys() - store.layout.list_packs().keys())


def retire_packs(store: Store, packs: Collection[Digest], bad_blobs: Collection[Digest] = ()) -> None:
    """Take packs out of service; call under the store lock.

    Parameters
    ----------
    store
        Whose.
    packs
        Lost or damaged ones. The files of damaged ones are moved to ``packs/damaged``.
    bad_blobs
        Blobs known not to decode, wherever they lie; they are forgotten, not copied.

    Raises
    ------
    BackendError
        The disk is full, or the like; the packs are in service as before.
    """
    retired, bad = set(packs), set(bad_blobs)
    if not retired and not bad:
        return
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        try:
            writer = output.writer()
            lost = bad | _copy_blobs(store, writer, retired, bad)
            lost_objects = _copy_objects(store, writer, retired)
            _copy_facts(store, writer, retired)
            if writer.table.blobs or writer.table.objects or writer.table.facts:
                output.seal()
        finally:
            output.discard()
    store.catalog.drop_rows(packs=list(retired), blobs=list(lost), objects=lost_objects)
    store.reader.forget()
    for pack in retired:
        _set_aside(store, pack)


def _copy_blobs(store: Store, writer: PackWriter, retired: set[Digest], bad: set[Digest]) -> set[Digest]:
    """Copy every blob that the packs hold a part of; gives those of which a part is missing or damaged."""
    lost: set[Digest] = set()
    for digest in _blobs_leaning_on(store, retired):
        if digest in bad:
            continue
        try:
            record = store.catalog.blob_record(digest)
            writer.table.blobs.append(moved_record(store, writer, record, retired))
        except IntegrityError:
            lost.add(digest)
    return lost


def moved_record(
    store: Store, writer: PackWriter, record: BlobRecord, packs: Collection[Digest]
) -> BlobRecord:
    """Copy what a blob has in some packs into a new one, checked by checksum; give the record that says so."""

    def place(stored: StoredRange) -> StoredRange:
        if stored.pack not in packs:
            return stored
        return replace(stored, pack=None, offset=writer.append(store.reader.stored(record.digest, stored)))

    return replace(
        record,
        model=place(record.model) if record.model else None,
        chunks=tuple(replace(chunk, stored=place(chunk.stored)) for chunk in record.chunks),
        generation=record.generation + 1,
    )


def _blobs_leaning_on(store: Store, retired: set[Digest]) -> list[Digest]:
    """Name the blobs whose record, or some of whose chunks, lie in the packs."""
    pack, blob = schema.pack.c, schema.blob.c
    found: list[Digest] = []
    with store.catalog.read() as connection:
        rows = connection.execute(select(pack.id, pack.digest, pack.refs)).all()
        for pack_id, value, refs in rows:
            is_retired = Digest(value) in retired
            if not is_retired and retired.isdisjoint(split_references(refs)):
                continue
            digests = [
                Digest(row[0])
                for row in connection.execute(
                    select(blob.digest).where(blob.pack == pack_id).order_by(blob.id)
                )
            ]
            found += (
                digests if is_retired else [item for item in digests if _has_part_in(store, item, retired)]
            )
    return found


def _has_part_in(store: Store, digest: Digest, packs: set[Digest]) -> bool:
    record = store.catalog.blob_record(digest)
    return any(stored.pack in packs for stored in (record.model, *_stored(record)) if stored is not None)


def _stored(record: BlobRecord) -> Iterable[StoredRange]:
    return (chunk.stored for chunk in record.chunks)


def _copy_objects(store: Store, writer: PackWriter, retired: set[Digest]) -> list[Digest]:
    """Write the catalogue's copies of commits, trees and file records; gives those that it has damaged."""
    columns, lost = schema.stored_object.c, []
    query = (
        select(columns.digest, columns.kind, columns.payload, schema.pack.c.digest)
        .join(schema.pack, schema.pack.c.id == columns.pack)
        .order_by(columns.id)
    )
    with store.catalog.read() as connection:
        for value, kind, payload, pack in connection.execute(query):
            if Digest(pack) not in retired:
                continue
            if store.settings.hasher.object_digest(ObjectKind(kind), payload).value == value:
                writer.table.objects.append((ObjectKind(kind), payload))
            else:
                lost.append(Digest(value))
    return lost


def _copy_facts(store: Store, writer: PackWriter, retired: set[Digest]) -> None:
    """Write all facts of each subject that has one in the packs, and the sketches of copied blobs."""
    columns = schema.fact.c
    query = select(columns.subject, schema.pack.c.digest).join(schema.pack, schema.pack.c.id == columns.pack)
    with store.catalog.read() as connection:
        subjects = {Digest(row[0]) for row in connection.execute(query) if Digest(row[1]) in retired}
    for subject in sorted(subjects):
        writer.table.facts += store.catalog.facts(subject)
    for record in writer.table.blobs:
        value = store.catalog.sketch(record.digest)
        if value is not None:
            writer.table.facts.append(Fact(FactKind.SKETCH, record.digest, value))


def _set_aside(store: Store, pack: Digest) -> None:
    source = store.layout.pack(pack)
    try:
        if source.exists():
            store.layout.damaged.mkdir(exist_ok=True)
            source.replace(store.layout.damaged / source.name)
            fsync_folder(store.layout.damaged)
            fsync_folder(source.parent)
    except OSError as error:
        raise from_os_error(error, f"moving the damaged pack {source}") from error
