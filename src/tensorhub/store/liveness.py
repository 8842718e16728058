"""Liveness: what the refs reach.

Duty: walk refs -> commits -> trees -> files -> blobs -> sources; say whether all of it is in the store; what
retained files reach beyond that. Not its duty: removing anything.
Invariants: live is what some ref reaches through parents, and every source that a live blob leans on. What is only
retained may be incomplete: it keeps nothing from going on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select

from tensorhub.errors import CorruptIndexError, IntegrityError, MissingBlobError
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store import catalog_schema as schema
from tensorhub.store.layout import decode_ref
from tensorhub.store.sync import index_missing

if TYPE_CHECKING:
    from tensorhub.store.store import Store


_AT_ONCE = 500  # commits or trees in memory together


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
    retained, only_retained
        Of the above, files and blobs that no ref reaches (:func:`add_retained`).
    """

    commits: set[Digest] = field(default_factory=set)
    trees: set[Digest] = field(default_factory=set)
    files: set[Digest] = field(default_factory=set)
    blobs: set[int] = field(default_factory=set)
    leaned_on: set[int] = field(default_factory=set)
    retained: set[Digest] = field(default_factory=set)
    only_retained: set[int] = field(default_factory=set)

    @property
    def objects(self) -> set[Digest]:
        """All live objects; joined anew each time, so not inside a loop."""
        return self.commits | self.trees | self.files


def refs_without(
    store: Store, repository: RepositoryId | None = None, ref: RefName | None = None
) -> list[CommitReference]:
    """Read all refs of the store, less a repository's, or less one of them; damaged ones are passed over."""
    return [
        reference
        for owner in store.ref_store.repositories()
        if owner != repository or ref is not None
        for name, reference in refs_of(store, owner).items()
        if reference is not None and (owner != repository or name != ref)
    ]


def refs_of(store: Store, repository: RepositoryId) -> dict[RefName, CommitReference | None]:
    """Read every ref of a repository; None for one whose file is damaged."""
    try:
        return dict(store.ref_store.list(repository))
    except CorruptIndexError:
        found: dict[RefName, CommitReference | None] = {}
        folder = store.layout.repository(repository)
        for path in sorted(path for kind in RefKind for path in (folder / kind.value).glob("[!.]*")):
            name = decode_ref(path.parent.name, path.name)
            try:
                found[name] = store.ref_store.read(repository, name)
            except CorruptIndexError:
                found[name] = None
        return found


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
    snapshots = store.snapshots
    waiting = list({reference.digest for reference in starts})
    live.commits = set(waiting)
    while waiting:  # many at once: the refs of 10,000 repositories are a few queries
        batch = waiting[:_AT_ONCE]
        del waiting[:_AT_ONCE]
        commits = snapshots.commits(batch)
        parents: set[Digest] = set()
        for digest in batch:
            commit = commits.get(digest) or snapshots.commit(digest)  # the latter says what is wrong
            live.trees.add(commit.tree)
            parents.update(parent.digest for parent in commit.parents)
        new = parents - live.commits
        live.commits |= new
        waiting += new
    trees = list(live.trees)
    for start in range(0, len(trees), _AT_ONCE):
        batch = trees[start : start + _AT_ONCE]
        found = snapshots.trees(batch)
        for digest in batch:
            tree = found.get(digest) or snapshots.tree(digest)
            live.files.update(entry.file for entry in tree.entries)
    live.blobs = blobs_of_files(store, live.files)
    live.leaned_on = sources_of(store, live.blobs) - live.blobs
    return live


def add_retained(store: Store, live: Live, files: Iterable[Digest]) -> None:
    """Count retained files, with all that they are made of, among what lives.

    Parameters
    ----------
    store, live
        What some refs reach; it is changed.
    files
        Digests of file records; those that are lost are passed over.
    """
    new = store.snapshots.file_sizes(list(set(files) - live.files)).keys()
    if not new:
        return
    blobs = blobs_of_files(store, new) - live.blobs
    leaned_on = sources_of(store, blobs)
    live.retained |= new
    live.only_retained |= (blobs | leaned_on) - live.blobs - live.leaned_on
    live.files |= new
    live.blobs |= blobs
    live.leaned_on = (live.leaned_on | leaned_on) - live.blobs


def unindexed_packs(store: Store) -> set[Digest]:
    """Give the packs on disk that the catalogue does not know."""
    return store.layout.list_packs().keys() - store.catalog.packs().keys()


def check_indexed(store: Store) -> None:
    """Make sure that the catalogue knows every pack on disk; call under the store lock.

    Raises
    ------
    IntegrityError
        A pack cannot be indexed, so that what it holds is not known.
    """
    for problem in index_missing(store.catalog, store.layout, store.settings):
        raise IntegrityError(
            "a pack that is not in the catalogue",
            expected="one that can be indexed",
            found=str(problem),
            action="Run `tensorhub verify`; with --repair it takes damaged packs out of service.",
        ) from problem


def check_complete(store: Store, live: Live) -> None:
    """Make sure that all that refs reach is in the store, so that nothing it leans on can be overlooked.

    Raises
    ------
    MissingBlobError
        Something is not; it names that, and the revisions that need it.
    """
    files = live.files - store.snapshots.file_sizes(list(live.files)).keys()
    missing = [f"file object {digest}" for digest in sorted(files)]
    blobs = _without_pack(store, live.blobs | live.leaned_on)
    missing += [f"blob {digest}" for digest in sorted(blobs.values())]
    if not missing:
        return
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    revisions = _revisions_with(store, files | _files_leaning_on(store, set(blobs)))
    raise MissingBlobError(
        f"{missing[0]}{more}, needed by {', '.join(revisions) or 'a commit just removed'}",
        expected="a record in some pack",
        found="none",
        action="Run `tensorhub verify`; add the files again from any copy, or remove these revisions.",
    )


def _without_pack(store: Store, blobs: set[int]) -> dict[int, Digest]:
    query = select(schema.blob.c.id, schema.blob.c.digest).where(schema.blob.c.pack.is_(None))
    with store.catalog.read() as connection:
        return {row[0]: Digest(row[1]) for row in connection.execute(query) if row[0] in blobs}


def _files_leaning_on(store: Store, blobs: set[int]) -> set[Digest]:
    """Give every file record that names one of some blobs, or a blob that needs it."""
    leaning: dict[int, list[int]] = {}
    found: set[Digest] = set()
    with store.catalog.read() as connection:
        for blob, base in connection.execute(select(schema.source.c.blob, schema.source.c.base)):
            leaning.setdefault(base, []).append(blob)
        ids = list(blobs | _reached(leaning, blobs))
        for start in range(0, len(ids), 500):
            query = (
                select(schema.stored_object.c.digest)
                .join(schema.segment, schema.stored_object.c.id == schema.segment.c.file)
                .where(schema.segment.c.blob.in_(ids[start : start + 500]))
            )
            found.update(Digest(row[0]) for row in connection.execute(query))
    return found


def _revisions_with(store: Store, files: set[Digest]) -> list[str]:
    return [
        f"{repository}@{name}"
        for repository, name, reference in store.ref_store.all()
        if any(
            not files.isdisjoint(entry.file for entry in store.snapshots.tree_of(commit).entries)
            for commit in store.snapshots.walk([reference])
        )
    ]


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
    return _reached(edges, blobs)


def _reached(edges: Mapping[int, Iterable[int]], starts: Iterable[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(starts)
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
