"""Totals: how big a store is and where the saving comes from.

Duty: :func:`stats`. Not its duty: which repository leans on which (``relations``).
Invariants: the parts of ``saved``, less ``overhead``, add up to ``nbytes - stored_nbytes`` exactly.
"""

from __future__ import annotations

import time

from sqlalchemy import select

from tensorhub.errors import MissingBlobError
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import CommitReference
from tensorhub.store import catalog_schema as schema
from tensorhub.store.disk_usage import disk_usage
from tensorhub.store.liveness import add_retained, coded_nbytes, find_live
from tensorhub.store.retention import retained_files
from tensorhub.store.store import Store
from tensorhub.store.values import Saved, Stats


def stats(store: Store) -> Stats:
    """Add a store up.

    Returns
    -------
    Stats
        Of all live commits; ``stored_nbytes`` is every byte on disk, whatever it is for.

    Raises
    ------
    IntegrityError
        A ref is damaged, or what one reaches is missing.
    """
    files_of, revisions, starts = _files_by_repository(store)
    live = find_live(store, starts)
    sizes = store.snapshots.file_sizes(list(live.files))
    for file in sorted(live.files - sizes.keys())[:1]:
        raise MissingBlobError(
            f"file object {file}",
            expected="a record in some pack",
            found="none",
            digest=str(file),
            action="Run `tensorhub verify` to see what is affected.",
        )
    nbytes = sum(sizes[file][0] for files in files_of for file in files)
    tensors = sum(sizes[file][1] for files in files_of for file in files)
    distinct_nbytes = sum(sizes[file][0] for file in live.files)
    blob_nbytes, delta_saved, standalone_saved, coded = _blob_sums(store, live.blobs, live.leaned_on)
    disk = disk_usage(store)
    blobs = len(live.blobs)
    add_retained(store, live, retained_files(store, time.time_ns() // 1_000_000))
    saved = Saved(
        identical_files=nbytes - distinct_nbytes,
        identical_tensors=distinct_nbytes - blob_nbytes,
        delta=delta_saved,
        standalone=standalone_saved,
        overhead=disk["all"] - coded,
    )
    return Stats(
        repositories=len(files_of),
        revisions=revisions,
        files=sum(len(files) for files in files_of),
        tensors=tensors,
        blobs=blobs,
        nbytes=nbytes,
        stored_nbytes=disk["all"],
        packs_nbytes=disk["packs"],
        catalog_nbytes=disk["catalog"],
        refs_nbytes=disk["refs"],
        state_nbytes=disk["state"],
        other_nbytes=disk["other"],
        retained_nbytes=coded_nbytes(store, live.only_retained),
        ratio=nbytes / disk["all"] if nbytes and disk["all"] else 0.0,
        saved=saved,
        mode=store.mode.value,
    )


def _files_by_repository(store: Store) -> tuple[list[set[Digest]], int, list[CommitReference]]:
    """Give each repository's distinct file records, the number of commits in each together, and all refs."""
    found: list[set[Digest]] = []
    revisions = 0
    starts: list[CommitReference] = []
    for repository in store.ref_store.repositories():
        files: set[Digest] = set()
        refs = store.ref_store.list(repository).values()
        starts += refs
        for reference in store.snapshots.walk(refs):
            revisions += 1
            files.update(entry.file for entry in store.snapshots.tree_of(reference).entries)
        found.append(files)
    return found, revisions, starts


def _blob_sums(store: Store, blobs: set[int], leaned_on: set[int]) -> tuple[int, int, int, int]:
    """Give decoded bytes, bytes saved by delta, bytes saved standing alone, and coded bytes.

    Blobs that only serve as sources have no decoded bytes to their credit; what they take counts against the
    delta that needs them.
    """
    columns = schema.blob.c
    total = delta_saved = standalone_saved = coded = 0
    ids = [*blobs, *leaned_on]
    with store.catalog.read() as connection:
        for start in range(0, len(ids), 500):
            query = select(
                columns.id,
                columns.nbytes,
                columns.stored_nbytes,
                columns.delta_nbytes,
                columns.delta_stored_nbytes,
            ).where(columns.id.in_(ids[start : start + 500]), columns.pack.is_not(None))
            for blob_id, nbytes, stored, delta, delta_stored in connection.execute(query):
                coded += stored
                if blob_id in leaned_on:
                    delta_saved -= stored
                    continue
                total += nbytes
                delta_saved += delta - delta_stored
                standalone_saved += (nbytes - delta) - (stored - delta_stored)
    return total, delta_saved, standalone_saved, coded
