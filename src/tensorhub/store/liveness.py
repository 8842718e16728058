"""Liveness: what the refs reach.

Duty: walk refs -> commits -> trees -> files -> blobs -> sources. Not its duty: removing anything.
Invariants: live is what some ref reaches through parents, and every source that a live blob leans on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefName, RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store import catalog_schema as schema

if TYPE_CHECKING:
    from tensorhub.store.store import Store


@dataclass(slots=True)
class Live:
    """What some refs reach.

    Attributes
    ----------
    commits, trees, files
        Digests of objects.
    blobs
        Row ids of blobs in live files.
    leaned_on
        Row ids of blobs that only serve as sources.
    """

    commits: set[Digest] = field(default_factory=set)
    trees: set[Digest] = field(default_factory=set)
    files: set[Digest] = field(default_factory=set)
    blobs: set[int] = field(default_factory=set)
    leaned_on: set[int] = field(default_factory=set)

    @property
    def objects(self) -> set[Digest]:
        """All live objects."""
        return self.commits | self.trees | self.files


def refs_without(
    store: Store, repository: RepositoryId | None = None, ref: RefName | None = None
) -> list[CommitReference]:
    """Read all refs of the store, less a repository's, or less one of them."""
    return [
        reference
        for owner, name, reference in store.ref_store.all()
        if owner != repository or (ref is not None and name != ref)
    ]


def find_live(store: Store, starts: Iterable[CommitReference]) -> Live:
    """Find everything that some commits reach.

    Parameters
    ----------
    store
        Whose.
    starts
        The commits that refs point at.
    """
    live = Live()
    for reference in store.snapshots.walk(starts):
        live.commits.add(reference.digest)
        live.trees.add(store.snapshots.commit(reference.digest).tree)
    for tree in live.trees:
        live.files.update(entry.file for entry in store.snapshots.tree(tree).entries)
    live.blobs = blobs_of_files(store, live.files)
    live.leaned_on = sources_of(store, live.blobs) - live.blobs
    return live


def blobs_of_files(store: Store, files: Iterable[Digest]) -> set[int]:
    """Give the row ids of every blob that some files name."""
    columns = schema.stored_object.c
    found: set[int] = set()
    values = [digest.value for digest in files]
    with store.catalog.read() as connection:
        for start in range(0, len(values), 500):
            query = (
                select(schema.segment.c.blob)
                .join(schema.stored_object, columns.id == schema.segment.c.file)
                .where(columns.digest.in_(values[start : start + 500]))
                .distinct()
            )
            found.update(row[0] for row in connection.execute(query))
    return found


def sources_of(store: Store, blobs: set[int]) -> set[int]:
    """Give every blob that these lean on, at any depth."""
    edges: dict[int, list[int]] = {}
    with store.catalog.read() as connection:
        for blob, base in connection.execute(select(schema.source.c.blob, schema.source.c.base)):
            edges.setdefault(blob, []).append(base)
    found: set[int] = set()
    waiting = list(blobs)
    while waiting:
        for base in edges.get(waiting.pop(), ()):
            if base not in found:
                found.add(base)
                waiting.append(base)
    return found


def coded_nbytes(store: Store, blobs: set[int]) -> int:
    """Add up the coded bytes of some blobs."""
    total = 0
    ids = list(blobs)
    with store.catalog.read() as connection:
        for start in range(0, len(ids), 500):
            query = select(schema.blob.c.stored_nbytes).where(schema.blob.c.id.in_(ids[start : start + 500]))
            total += sum(row[0] or 0 for row in connection.execute(query))
    return total
