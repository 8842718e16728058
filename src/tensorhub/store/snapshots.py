"""Snapshots: from a repository and a revision to commits, trees and file records.

Duty: resolve revisions, walk history, read trees and file records. Not its duty: reading content.
Invariants: a revision is looked for only among what the repository's own refs reach.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select, text

from tensorhub.errors import (
    CorruptIndexError,
    FileEntryNotFoundError,
    FormatError,
    IntegrityError,
    MissingBlobError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    StoreLockedError,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId, is_commit_id, parse_ref, parse_repository
from tensorhub.schema.records import (
    Commit,
    CommitReference,
    FileRecord,
    Tree,
    TreeEntry,
    parse_commit,
    parse_file_record,
    parse_tree,
)
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import Catalog
from tensorhub.store.hashing import Hasher, ObjectKind
from tensorhub.store.refs import RefStore

Record = TypeVar("Record")

_CACHE = 256  # parsed trees and file records kept; the largest (100,000 tensors) takes some 50 MB, so few
_CACHE_ITEMS = 200_000  # entries or segments in the cached ones together
_MIN_PREFIX = 7  # as git abbreviates


def as_repository(repository: str | RepositoryId) -> RepositoryId:
    """Take ``owner/name``, ``datasets/owner/name`` or an id."""
    if isinstance(repository, RepositoryId):
        return repository
    for prefix, repo_type in (("models/", "model"), ("datasets/", "dataset"), ("spaces/", "space")):
        if repository.startswith(prefix) and repository.count("/") == 2:
            return parse_repository(repository.removeprefix(prefix), repo_type)
    return parse_repository(repository)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of a repository at one commit."""

    repository: RepositoryId
    reference: CommitReference
    commit: Commit
    tree: Tree
    source: Snapshots

    def entry(self, path: str) -> TreeEntry:
        """Find a path.

        Raises
        ------
        FileEntryNotFoundError
            There is none; for a partial commit the message says that it may only be missing here.
        """
        entries = self.tree.entries  # in the order of the paths' bytes: parsing checks that
        wanted = path.encode("utf-8", "surrogatepass")
        at = bisect_left(entries, wanted, key=lambda entry: entry.path.encode())
        if at < len(entries) and entries[at].path == path:
            return entries[at]
        raise FileEntryNotFoundError(
            f"file {path!r} in {self.repository}@{self.reference.commit_id[:12]}",
            expected="an entry of the snapshot",
            found="none, but the snapshot is partial" if self.commit.is_partial else "none",
            path=path,
            action="The file may exist where this was imported from; import it again with that file present."
            if self.commit.is_partial
            else "See `tensorhub ls` for the paths.",
        )

    def record(self, entry: TreeEntry) -> FileRecord:
        """Read the record of one of its files."""
        return self.source.file_record(entry.file)

    def blob_digests(self) -> set[Digest]:
        """Name every blob that its tensors are made of."""
        return {
            item.digest
            for entry in self.tree.entries
            for item in self.record(entry).segments
            if item.tensor is not None
        }


class Snapshots:
    """Finds snapshots in one store.

    Parameters
    ----------
    catalog, refs, hasher
        The store's.
    """

    def __init__(self, catalog: Catalog, refs: RefStore, hasher: Hasher) -> None:
        self._catalog = catalog
        self._hasher = hasher
        self._refs = refs
        self._cache: OrderedDict[bytes, tuple[object, int]] = OrderedDict()
        self._cached_items = 0
        self._lock = threading.Lock()

    def repository(self, repository: str | RepositoryId) -> RepositoryId:
        """Find a repository, compared without case.

        Raises
        ------
        RepositoryNotFoundError
            The store has none.
        """
        asked = as_repository(repository)
        found = self._refs.find_repository(asked)
        if found is None:
            raise RepositoryNotFoundError(
                f"repository {asked}",
                expected="one of the store's repositories",
                found="none",
                action="See `tensorhub ls`.",
            )
        return found

    def resolve(self, repository: str | RepositoryId, revision: str | None = None) -> CommitReference:
        """Find the commit that a revision means.

        Parameters
        ----------
        repository
            Where.
        revision
            Branch, tag, ``refs/…``, or at least seven digits of a commit id; None for ``main``, else for the
            repository's only ref.

        Raises
        ------
        RepositoryNotFoundError, RevisionNotFoundError
            There is no such thing, or the digits fit several commits.
        """
        found = self.repository(repository)
        if revision is None:
            default = self._refs.read(found, RefName(RefKind.HEADS, "main"))
            refs = self._refs.list(found) if default is None else {}
            if len(refs) == 1:
                default = next(iter(refs.values()))
            if default is not None:
                return default
            raise RevisionNotFoundError(
                f"default revision of {found}",
                expected="a branch main, or a single ref",
                found=f"{len(refs)} refs" if refs else "an empty repository",
                action="Give one with --revision." if refs else "Add something to it first.",
            )
        kinds = () if is_commit_id(revision) else (None, RefKind.TAGS, RefKind.PR, RefKind.CONVERT)
        for kind in kinds:  # no ref is named like a commit id
            try:
                ref = parse_ref(revision) if kind is None else parse_ref(f"refs/{kind.value}/{revision}")
            except FormatError:
                continue
            except ValueError:
                continue
            if (reference := self._refs.read(found, ref)) is not None:
                return reference
        return self._resolve_commit_id(found, self._refs.list(found), revision)

    def _resolve_commit_id(
        self, repository: RepositoryId, refs: dict[RefName, CommitReference], revision: str
    ) -> CommitReference:
        matches: dict[str, CommitReference] = {}  # by id; of several imports of one commit a whole one
        is_hex = all(character in "0123456789abcdef" for character in revision)
        if is_hex and _MIN_PREFIX <= len(revision) <= 40:
            for reference in self.walk(refs.values()):
                if reference.commit_id.startswith(revision):
                    is_partial = self.commit(reference.digest).is_partial
                    if not is_partial or reference.commit_id not in matches:
                        matches[reference.commit_id] = reference
                    if len(revision) == 40 and not is_partial:
                        return reference
        if len(matches) == 1:
            return next(iter(matches.values()))
        raise RevisionNotFoundError(
            f"revision {revision!r} of {repository}",
            expected="a branch, a tag or a commit id",
            found=f"{len(matches)} commits that start so" if matches else "none",
            action=f"See `tensorhub show {repository}` for its refs.",
        )

    def snapshot(self, repository: str | RepositoryId, revision: str | None = None) -> Snapshot:
        """Open all files of a repository at a revision."""
        found = self.repository(repository)
        return self.open(found, self.resolve(found, revision))

    def open(self, repository: RepositoryId, reference: CommitReference) -> Snapshot:
        """Open all files of a repository at a commit."""
        commit = self.commit(reference.digest)
        self._check_id(repository, reference, commit)
        return Snapshot(repository, reference, commit, self.tree(commit.tree), self)

    @staticmethod
    def _check_id(repository: RepositoryId, reference: CommitReference, commit: Commit) -> None:
        if (expected := commit.commit_id(reference.digest)) != reference.commit_id:
            raise CorruptIndexError(
                f"ref or parent of {repository}",
                expected=f"commit id {expected} for commit {reference.digest}",
                found=reference.commit_id,
                digest=str(reference.digest),
                action="Correct the id in the ref's file under refs/, or restore it from a backup.",
            )

    def check_reference(self, repository: RepositoryId, reference: CommitReference) -> None:
        """Make sure that a ref's id is the one that its commit has.

        Raises
        ------
        CorruptIndexError
            They differ: the ref file is damaged.
        """
        self._check_id(repository, reference, self.commit(reference.digest))

    # -- history ------------------------------------------------------------------------------------------------

    def walk(self, starts: Iterable[CommitReference]) -> Iterator[CommitReference]:
        """Yield every commit that some commits reach through parents, each once, starts first.

        Parameters
        ----------
        starts
            Where to begin.
        """
        waiting = list(starts)
        seen: set[Digest] = set()
        position = 0
        while position < len(waiting):
            reference = waiting[position]
            position += 1
            if reference.digest in seen:
                continue
            seen.add(reference.digest)
            yield reference
            waiting.extend(self.commit(reference.digest).parents)

    # -- objects ------------------------------------------------------------------------------------------------

    def commit(self, digest: Digest) -> Commit:
        """Read a commit."""
        return self._parsed(digest, ObjectKind.COMMIT, parse_commit, lambda _: 1)

    def tree(self, digest: Digest) -> Tree:
        """Read a tree."""
        return self._parsed(digest, ObjectKind.TREE, parse_tree, lambda tree: len(tree.entries))

    def tree_of(self, reference: CommitReference) -> Tree:
        """Read the tree of a commit."""
        return self.tree(self.commit(reference.digest).tree)

    def file_record(self, digest: Digest) -> FileRecord:
        """Read a file record."""
        return self._parsed(digest, ObjectKind.FILE, parse_file_record, lambda record: len(record.segments))

    def commits(self, digests: Iterable[Digest]) -> dict[Digest, Commit]:
        """Read many commits at once, past the cache; those that are lost or damaged are left out."""
        return self._parsed_many(digests, ObjectKind.COMMIT, parse_commit)

    def trees(self, digests: Iterable[Digest]) -> dict[Digest, Tree]:
        """Read many trees at once, past the cache; those that are lost or damaged are left out."""
        return self._parsed_many(digests, ObjectKind.TREE, parse_tree)

    def _parsed_many(
        self, digests: Iterable[Digest], kind: ObjectKind, parse: Callable[[bytes], Record]
    ) -> dict[Digest, Record]:
        found: dict[Digest, Record] = {}
        for digest, payload in self._catalog.payloads(digests, kind).items():
            if self._hasher.object_digest(kind, payload) == digest:
                with suppress(FormatError):  # asked for by itself, it is named
                    found[digest] = parse(payload)
        return found

    def _parsed(
        self,
        digest: Digest,
        kind: ObjectKind,
        parse: Callable[[bytes], Record],
        items: Callable[[Record], int],
    ) -> Record:
        with self._lock:
            present = self._cache.get(digest.value)
            if present is not None:
                return present[0]  # type: ignore[return-value]
        payload = self._catalog.object(digest, kind).payload
        if not isinstance(payload, bytes) or self._hasher.object_digest(kind, payload) != digest:
            raise self._catalog.corrupt(f"{kind.name.lower()} object {digest}", "other bytes under its name")
        try:
            value = parse(payload)
        except FormatError as error:
            raise IntegrityError(
                f"{kind.name.lower()} object {digest}",
                expected="a record that parses",
                found=str(error),
                digest=str(digest),
                action="Run `tensorhub verify --rebuild-catalog`.",
            ) from error
        count = items(value) + 1
        with self._lock:
            if digest.value not in self._cache:
                self._cache[digest.value] = (value, count)
                self._cached_items += count
            while len(self._cache) > 1 and (len(self._cache) > _CACHE or self._cached_items > _CACHE_ITEMS):
                self._cached_items -= self._cache.popitem(last=False)[1][1]
        return value

    # -- questions about whole trees ------------------------------------------------------------------------------

    def file_sizes(self, digests: list[Digest]) -> dict[Digest, tuple[int, int]]:
        """Give size in bytes and number of tensors of many files, without reading their records."""
        columns = schema.stored_object.c
        found: dict[Digest, tuple[int, int]] = {}
        values = [digest.value for digest in digests]
        with self._catalog.read() as connection:
            for start in range(0, len(values), 500):
                query = select(columns.digest, columns.nbytes, columns.tensors).where(
                    columns.digest.in_(values[start : start + 500]), columns.kind == int(ObjectKind.FILE)
                )
                found.update({Digest(row[0]): (row[1], row[2]) for row in connection.execute(query)})
        return found

    def tree_totals(self, tree: Digest) -> tuple[int, int, int]:
        """Count files, tensors and bytes of a tree."""
        entries = self.tree(tree).entries
        sizes = self.file_sizes([entry.file for entry in entries])
        known = [sizes[entry.file] for entry in entries if entry.file in sizes]
        return len(entries), sum(item[1] for item in known), sum(item[0] for item in known)

    def check_complete(self, tree: Digest, live: Collection[Digest]) -> None:
        """Make sure that everything new that a tree reaches is in the store; call under the store lock.

        Parameters
        ----------
        tree
            Of the new commit.
        live
            File records of its parent. gc never takes those; if they are damaged, then they were before.

        Raises
        ------
        StoreLockedError
            gc removed something in the meantime; the same call will work (retryable).
        """
        try:
            files = list({entry.file for entry in self.tree(tree).entries}.difference(live))
        except MissingBlobError as error:
            raise _gone("the tree") from error
        if not self._catalog.has_object(tree):  # the line above may answer from memory
            raise _gone("the tree")
        if len(self.file_sizes(files)) != len(files):
            raise _gone("a file record")
        with self._catalog.read() as connection:
            for file in files:
                if connection.execute(_MISSING, {"file": file.value}).first() is not None:
                    raise _gone("a blob")


_MISSING = text(
    "SELECT 1 FROM object JOIN segment ON segment.file = object.id JOIN blob ON blob.id = segment.blob "
    "LEFT JOIN source ON source.blob = blob.id LEFT JOIN blob AS base ON base.id = source.base "
    "WHERE object.digest = :file AND (blob.pack IS NULL OR (source.base IS NOT NULL AND base.pack IS NULL)) "
    "LIMIT 1"
)


def _gone(what: str) -> StoreLockedError:
    return StoreLockedError(
        "commit",
        expected="everything it names in the store",
        found=f"{what} that gc has just removed, or that is damaged",
        action="Add the same content again; if this stays, run `tensorhub verify`. Nothing of it is visible.",
    )
