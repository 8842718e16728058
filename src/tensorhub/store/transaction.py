"""The commit transaction: the one way in, whoever calls it.

Duty: collect files, tensors, copies and deletions on top of a ref's present tree, then publish them as one
commit. Not its duty: walking folders (``add``) or coding (``ingest``).
Invariants: nothing is visible before ``publish``; ``publish`` moves the ref only after everything that the
commit reaches is in sealed, durable packs and in the catalogue, and only if the ref still points where it
did; leaving the ``with`` block without publishing leaves nothing behind.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tensorhub.codecs.mode import Mode
from tensorhub.errors import (
    FileEntryNotFoundError,
    InvalidNameError,
    MissingBlobError,
    NotFoundError,
    RevisionMovedError,
    UsageError,
)
from tensorhub.formats.base import as_bytes
from tensorhub.formats.collisions import find_collisions
from tensorhub.formats.registry import parse_file
from tensorhub.formats.source import ByteSource, FileSource, MemorySource
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact
from tensorhub.schema.names import RefName, RepositoryId, parse_path
from tensorhub.schema.records import Commit, CommitReference, FileMode, Tree, TreeEntry
from tensorhub.store.base_search import BaseSearch
from tensorhub.store.catalog_index import complete_trees
from tensorhub.store.commit_facts import CommitFacts, login_name, storable_text
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.ingest import Ingest, IngestTotals
from tensorhub.store.leases import Lease, clean_dead_leases, store_lock
from tensorhub.store.pending_file import PendingFile
from tensorhub.store.places import record_places, refresh_places
from tensorhub.store.progress import Progress
from tensorhub.store.salvage import forget_lost_packs, retire_packs
from tensorhub.store.tensor_source import TensorData, tensors_source
from tensorhub.store.tree_rules import check_no_file_is_a_folder
from tensorhub.store.values import AddResult

if TYPE_CHECKING:
    from tensorhub.store.store import Store


class CommitTransaction:
    """A commit in the making. Use as a context manager; call from one thread.

    Made by :meth:`tensorhub.Store.begin_commit`.
    """

    def __init__(
        self,
        store: Store,
        repository: RepositoryId,
        ref: RefName,
        mode: Mode,
        progress: Progress,
        workers: int,
        start: str | None = None,
    ) -> None:
        self._store = store
        self.repository = repository
        self.ref = ref
        store.catalog.catch_up()
        self._head = store.ref_store.read(repository, ref)  # what the ref must still be on publishing
        self.parent = self._head
        if start is not None and self._head is None:
            self.parent = store.snapshots.resolve(repository, start)
        self._progress = progress
        self._entries: dict[str, TreeEntry] = {}
        self._files: dict[str, tuple[FileMode, PendingFile]] = {}
        self._copied: set[str] = set()
        self._sources: list[PendingFile] = []  # of replaced and deleted files too, until they are read
        self._facts: list[tuple[str, Fact]] = []
        self._notices: list[str] = []
        self._digests: dict[str, Digest] = {}
        self._written: set[Digest] = set()
        self._is_open = True
        self._is_orphan = False
        self._is_whole = False  # whether the new tree takes nothing from the parent's
        self.last_commit = self.parent
        self._lost_parent: MissingBlobError | None = None
        clean_dead_leases(store.layout)
        forget_lost_packs(store)
        if self.parent is not None:
            try:
                self._entries = {entry.path: entry for entry in store.snapshots.tree_of(self.parent).entries}
            except MissingBlobError as error:
                self._lost_parent = error  # only a commit that replaces the whole tree can heal the ref
        self._live = {entry.file for entry in self._entries.values()}
        self._lease = Lease(store.layout)
        self._search = BaseSearch(store.catalog, store.reader)
        self._ingest = Ingest(
            store.catalog,
            store.layout,
            store.settings,
            store.reader,
            self._lease,
            self._search,
            mode,
            progress,
            workers,
        )

    @property
    def totals(self) -> IngestTotals:
        """What was brought in so far."""
        return self._ingest.totals

    def __enter__(self) -> CommitTransaction:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give everything back; what was not published is gone."""
        if self._is_open:
            self._is_open = False
            self._ingest.close()  # first: its workers may still read the sources
            for pending in self._sources:
                pending.release()
            self._lease.release()

    # -- what goes in -------------------------------------------------------------------------------------------

    def put_file(
        self, path: str, source: ByteSource | Path | bytes, *, mode: FileMode = FileMode.FILE
    ) -> None:
        """Put a file at a path; replaces what is there.

        Parameters
        ----------
        path
            Path in the repository.
        source
            A path on disk, bytes, or any re-readable source; it must not change until ``publish``.
        mode
            File, executable or symlink (then the content is the link's target).

        Raises
        ------
        InvalidNameError
            The path is not allowed.
        NotFoundError, BackendError
            The source cannot be read.
        SourceChangedError
            It changed while it was read (also raised by later calls and by ``publish``).
        """
        self._check_open()
        parse_path(path)
        opened: ByteSource = (
            FileSource(source)
            if isinstance(source, Path)
            else (MemorySource(source, path) if isinstance(source, bytes) else source)
        )
        try:
            is_link = mode is FileMode.SYMLINK
            parsed = as_bytes(opened.nbytes) if is_link else parse_file(path, opened)
        except BaseException:
            if isinstance(opened, FileSource) and opened is not source:
                opened.close()
            raise
        segments = parsed.segments
        self._notices += [f"{path}: {text}" for text in parsed.notices]
        pending = PendingFile(parsed.format_name, segments, opened, is_own=opened is not source)
        self._files[path] = (mode, pending)
        if segments:
            self._sources.append(pending)
        self._entries.pop(path, None)
        for ordinal, segment in enumerate(segments):
            self._ingest.submit(opened, segment, pending.deliverer(ordinal))

    def put_tensors(
        self, path: str, tensors: Mapping[str, TensorData], metadata: Mapping[str, str] | None = None
    ) -> None:
        """Put tensors at a path as a safetensors file.

        Parameters
        ----------
        path
            Path in the repository, as a rule ending in ``.safetensors``.
        tensors
            Name -> C-contiguous NumPy array (``ml_dtypes`` types included), or ``(dtype name, shape, bytes)``.
            Borrowed until ``publish``.
        metadata
            Text pairs for the header's ``__metadata__``.

        Raises
        ------
        UnsupportedDTypeError
            An array's type has no safetensors spelling.
        ShapeMismatchError
            Shape and number of bytes differ.
        """
        self.put_file(path, tensors_source(path, tensors, metadata))

    def copy(
        self,
        source_path: str,
        path: str,
        *,
        repository: str | RepositoryId | None = None,
        revision: str | None = None,
    ) -> None:
        """Put a file that the store has already at a path, without reading it.

        Parameters
        ----------
        source_path
            Its path there.
        path
            Its path here.
        repository, revision
            Where from; by default this repository's present tree.

        Raises
        ------
        FileEntryNotFoundError
            There is no such file.
        """
        self._check_open()
        parse_path(path)
        if repository is None and revision is None:
            entry = self._entries.get(source_path)
        else:
            snapshot = self._store.snapshots.snapshot(
                self.repository if repository is None else repository, revision
            )
            entry = snapshot.entry(source_path)
        if entry is None:
            raise FileEntryNotFoundError(
                f"{self.repository}:{source_path}",
                expected="a file in the present tree",
                found="none",
                action="See `tensorhub ls`; a file put in this transaction cannot be copied before it is published.",
            )
        self._files.pop(path, None)
        self._copied.add(path)
        self._entries[path] = TreeEntry(path, entry.mode, entry.file)

    def link(self, path: str, file: Digest, *, mode: FileMode = FileMode.FILE) -> None:
        """Put a file that the store has already at a path, by the digest of its record.

        Raises
        ------
        InvalidNameError
            The path is not allowed.
        MissingBlobError
            The store has no such record.
        """
        self._check_open()
        parse_path(path)
        self._store.snapshots.file_record(file)
        self._files.pop(path, None)
        self._copied.add(path)
        self._digests[path] = file
        self._entries[path] = TreeEntry(path, mode, file)

    def delete(self, path: str) -> None:
        """Leave a file, or a folder with all in it, out of the new tree.

        Raises
        ------
        FileEntryNotFoundError
            There is no such path.
        """
        self._check_open()
        prefix = path.rstrip("/") + "/"
        doomed = [item for item in (*self._entries, *self._files) if item == path or item.startswith(prefix)]
        if not doomed:
            raise FileEntryNotFoundError(
                f"{self.repository}:{path}",
                expected="a file or folder",
                found="none",
                action="See `tensorhub ls`.",
            )
        for item in doomed:
            self._entries.pop(item, None)
            self._files.pop(item, None)

    def delete_all(self) -> None:
        """Start from an empty tree; heals a ref whose commit is lost by beginning a new history."""
        if self._lost_parent is not None and self.parent is not None:
            self.notice(
                f"the commit {self.parent.commit_id} of {self.ref} ({self.parent.digest}) is lost; "
                "this one begins a new history"
            )
            self._lost_parent, self._is_orphan = None, True
        self._is_whole = True
        self._entries.clear()
        self._files.clear()

    def hint_base_models(self, repo_ids: Iterable[str]) -> None:
        """Say which repositories a model card calls the base; their tensors win ties between candidates."""
        for repo_id in repo_ids:
            try:
                snapshot = self._store.snapshots.snapshot(repo_id, None)
            except (NotFoundError, InvalidNameError):
                continue  # a card may name anything; a hint that leads nowhere is no error
            self._search.hint(snapshot.blob_digests())

    def claim(self, path: str, fact: Fact) -> None:
        """Keep what the content's origin says of a file put in this transaction (``fact.subject`` is filled in).

        A fact that the caller computed itself (``is_claimed`` is False) counts more than one that is claimed.
        """
        self._facts.append((path, fact))

    def notice(self, text: str) -> None:
        """Add something that a person should know to the result."""
        self._notices.append(text)

    # -- publishing ---------------------------------------------------------------------------------------------

    def publish(
        self,
        message: str = "",
        *,
        facts: CommitFacts | None = None,
        expected_head: str | None = None,
        parents: tuple[CommitReference, ...] | None = None,
    ) -> AddResult:
        """Make the collected tree a commit and move the ref to it.

        Parameters
        ----------
        message
            First line is the title; by default it tells what was put.
        facts
            More than the message, for imports.
        expected_head
            Commit id that this must be made on top of; by default the one that the ref had when the transaction
            began. The ref must not have moved since in any case.
        parents
            By default the ref's commit; of a new ref, the one it starts from.

        Returns
        -------
        AddResult
            ``is_new_commit`` is False where the tree is the ref's tree already; then no commit is made.

        Raises
        ------
        RevisionMovedError
            Another writer moved the ref first; nothing of this commit is visible.
        BackendError
            Disk full, read-only, and the like; nothing of this commit is visible.
        """
        self._check_open()
        if expected_head is not None and (self.parent is None or self.parent.commit_id != expected_head):
            raise RevisionMovedError(
                f"{self.repository} {self.ref}",
                expected=expected_head,
                found=self.parent.commit_id if self.parent else "no ref",
                action="Look at the new commit first.",
            )
        if self._lost_parent is not None:
            raise self._lost_parent
        facts = facts or CommitFacts(message)
        if not facts.origin:
            self.check_names()
        entries = self._finish_files()
        tree = Tree(tuple(entries))
        tree_payload = tree.to_bytes()
        tree_digest = self._store.settings.hasher.object_digest(ObjectKind.TREE, tree_payload)
        parent = None if self._is_orphan else self.parent
        present = self._store.snapshots.commit(parent.digest) if parent else None
        facts = self._inherit(facts, present)
        if (
            parent
            and present
            and present.tree == tree_digest
            and present.upstream_id == facts.upstream_id
            and (present.is_partial == facts.is_partial)
        ):
            self._finish_facts()
            self._keep_commit(parent, present)
            self.close()
            return self._result(parent.commit_id, tree_digest, is_new=False)
        self.put_object(ObjectKind.TREE, tree_payload)
        commit = self._make_commit(facts, tree_digest, parents)
        digest = self.put_object(ObjectKind.COMMIT, commit.to_bytes())
        reference = CommitReference(commit.commit_id(digest), digest)
        self._finish_facts()
        with store_lock(self._store.layout):
            # Another writer may have made the repository meanwhile, in another spelling.
            self.repository = self._store.ref_store.find_repository(self.repository) or self.repository
            self._check_complete(tree_digest)
            record_places(self._store.catalog, self.repository, tree_digest, commit.date_ms)
            self._store.ref_store.swap(self.repository, self.ref, self._head, reference)
            if parents is not None and self._head is not None:
                # What the ref reached until now may be out of reach.
                refresh_places(
                    self._store.catalog, self._store.ref_store, self._store.snapshots, self.repository
                )
        self.last_commit = reference
        self.close()
        return self._result(reference.commit_id, tree_digest, is_new=True)

    def _inherit(self, facts: CommitFacts, present: Commit | None) -> CommitFacts:
        """Mark the child of a partial commit: what the parent lacks is missing there, too, and not absent."""
        if present is None or not present.is_partial or self._is_whole or facts.origin:
            return facts
        return replace(facts, is_partial=True)

    def _keep_commit(self, parent: CommitReference, commit: Commit) -> None:
        """Leave the ref at the commit whose tree nothing changed; a new ref is made there."""
        with store_lock(self._store.layout):
            if self._store.ref_store.read(self.repository, self.ref) != self._head:
                raise self._moved()
            self._check_complete(commit.tree)
            if self._head is None:
                record_places(self._store.catalog, self.repository, commit.tree, commit.date_ms)
                self._store.ref_store.swap(self.repository, self.ref, None, parent)

    def _moved(self) -> RevisionMovedError:
        present = self._store.ref_store.read(self.repository, self.ref)
        return RevisionMovedError(
            f"{self.repository} {self.ref}",
            expected=self._head.commit_id if self._head else "no ref",
            found=present.commit_id if present else "no ref",
            action="Another writer moved it; look at the new commit, then add again.",
        )

    def _check_complete(self, tree: Digest) -> None:
        """Make sure, under the store lock, that all of a tree is in packs that are really there."""
        store = self._store
        if self._head is None and self.parent is not None:
            store.snapshots.resolve(
                self.repository, self.parent.commit_id
            )  # still there, so gc kept all of it
        lost = store.catalog.packs().keys() - store.layout.list_packs().keys()
        if lost:  # gc through another catalogue, or somebody's hand
            retire_packs(store, lost)
        complete_trees(store.catalog, tree)
        store.snapshots.check_complete(tree, set() if lost else self._live)

    def check_names(self, more: Iterable[str] = ()) -> None:
        """Refuse names that no folder, or no folder that ignores case, could hold together.

        Parameters
        ----------
        more
            Paths that are about to be put.

        Raises
        ------
        InvalidNameError
            It names the first two that collide.
        """
        new = {*self._files, *self._copied, *more}
        paths = sorted({*self._entries, *new}, key=str.encode)
        check_no_file_is_a_folder(paths)
        for first, second in find_collisions(paths):
            if not any((path + "/").startswith((first + "/", second + "/")) for path in new):
                continue  # both were there before: an import takes what its origin had
            raise InvalidNameError(
                f"path {second!r}",
                expected="a name that differs from others in more than case and Unicode form",
                found=f"{first!r}",
                action="Rename or delete one of the two.",
            )

    def _make_commit(
        self, facts: CommitFacts, tree: Digest, parents: tuple[CommitReference, ...] | None
    ) -> Commit:
        title, _, rest = facts.message.strip().partition("\n")
        if parents is None:
            parents = (self.parent,) if self.parent and not self._is_orphan else ()
        return Commit(
            tree,
            parents,
            storable_text(login_name() if facts.author is None else facts.author),
            time.time_ns() // 1_000_000 if facts.date_ms is None else facts.date_ms,
            storable_text(title or f"Add {len(self._files)} files"),
            storable_text(rest.strip()),
            facts.is_partial,
            facts.origin,
            facts.upstream_id,
        )

    def _finish_files(self) -> list[TreeEntry]:
        """Wait for the pipeline and store the file records; gives the whole tree in order."""
        self._ingest.drain()
        entries = dict(self._entries)
        for path, (mode, pending) in self._files.items():
            payload = pending.record().to_bytes()
            digest = self.put_object(ObjectKind.FILE, payload)
            entries[path] = TreeEntry(path, mode, digest)
            self._digests[path] = digest
        return sorted(entries.values(), key=lambda entry: entry.path.encode())

    def _finish_facts(self) -> None:
        """Store the facts that were handed in and seal the pack, if anything is in it."""
        for path, fact in self._facts:
            subject = self._digests.get(path)
            if subject is not None and not any(
                item.kind == fact.kind and (fact.is_claimed or not item.is_claimed)
                for item in self._store.catalog.facts(subject)
            ):
                self._ingest.writer().table.facts.append(
                    Fact(fact.kind, subject, fact.value, fact.is_claimed)
                )
        self._ingest.seal()

    def put_object(self, kind: ObjectKind, payload: bytes) -> Digest:
        """Store a commit, tree or file record, unless it is there already, and give its digest."""
        digest = self._store.settings.hasher.object_digest(kind, payload)
        if digest not in self._written and not self._store.catalog.has_object(digest):
            self._written.add(digest)
            self._ingest.writer().table.objects.append((kind, payload))
        return digest

    def seal(self) -> None:
        """Make what was put durable, without a commit of its own."""
        self._ingest.seal()

    def _result(self, commit_id: str, tree: Digest, *, is_new: bool) -> AddResult:
        totals = self._ingest.totals
        files, tensors, nbytes = self._store.snapshots.tree_totals(tree)
        return AddResult(
            repository=str(self.repository),
            revision=self.ref.name,
            commit_id=commit_id,
            is_new_commit=is_new,
            files=files,
            tensors=tensors,
            nbytes=nbytes,
            added_nbytes=totals.added_nbytes,
            new_nbytes=totals.new_nbytes,
            delta_nbytes=totals.delta_nbytes,
            stored_nbytes=totals.stored_nbytes,
            bases=self._store.places.count_by_repository(totals.bases, prefer_other_than=self.repository),
            notices=tuple(self._notices),
        )

    def _check_open(self) -> None:
        if not self._is_open:
            raise UsageError(
                "commit transaction",
                expected="an open one",
                found="one that was published or closed",
                action="Begin a new one.",
            )
