"""Bringing a revision of another hub into the store.

Duty: find what the store has, download the rest, commit in batches under the other hub's commit id. Not its
duty: when (``mirror``, ``pulling``), or one file's way (``download``).
Invariants: a commit is partial until all of its files are here; a branch that has a complete commit moves only to
another complete one; content is linked instead of fetched only where its digest was computed here. One thread runs a
fetch; others may look at it, ask for files and stop it.
"""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from tensorhub.errors import OutOfSpaceError, TensorHubError
from tensorhub.hub.arriving import ArrivingFile
from tensorhub.hub.download import Download
from tensorhub.hub.fetch_plan import FetchPlan, FetchProgress
from tensorhub.hub.known_content import find_known
from tensorhub.hub.revision_view import FileView, RevisionView
from tensorhub.hub.upload_space import RESERVE_NBYTES
from tensorhub.hub.upstream import Upstream, UpstreamFile
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import RefName, RepositoryId
from tensorhub.schema.records import CommitReference, FileMode
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.file_facts import file_facts
from tensorhub.store.kept_commits import advance_ref, keep_commit, keeping_ref
from tensorhub.store.leases import store_lock
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.store import Store
from tensorhub.store.transaction import CommitTransaction

FOLDER = "mirror"  # below HUB/uploads
_WORKERS = 4  # connections of one fetch; a hub's files come from one place, which more do not make faster
_MAX_ASKED = 16  # further downloads that clients wait for
# A batch is published when nothing comes for so long, or when it is so large: each costs a pack and a moved ref.
_BATCH_IDLE_S, _BATCH_S, _BATCH_FILES, _BATCH_NBYTES = 2.0, 60.0, 500, 4 << 30
_FILLED_IN = Digest(bytes(DIGEST_NBYTES))  # a claim's subject is known only when its file record is

MayLink = Callable[[RepositoryId], bool]


@dataclass(slots=True)
class _Batch:
    files: int = 0
    nbytes: int = 0
    began_s: float = field(default_factory=time.monotonic)

    def is_full(self) -> bool:
        return (
            self.files >= _BATCH_FILES
            or self.nbytes >= _BATCH_NBYTES
            or (self.files > 0 and time.monotonic() - self.began_s > _BATCH_S)
        )


class Fetch:
    """One revision being brought in.

    Parameters
    ----------
    store, upstream
        Where to, where from.
    repository
        The repository here.
    plan
        What.
    may_link
        Which repositories' content may be taken for what the other hub says that it has: who can name a digest must
        not get by it what he may not read.
    progress
        Told bytes.
    workers
        Threads that code; None for one per processor.

    Attributes
    ----------
    counts
        How far it is.
    failures
        Path → why it did not come.
    """

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        repository: RepositoryId,
        plan: FetchPlan,
        *,
        may_link: MayLink = lambda _: True,
        progress: Progress | None = None,
        workers: int | None = None,
    ) -> None:
        self._store = store
        self._upstream = upstream
        self.repository = repository
        self.plan = plan
        self._may_link = may_link
        self._progress = progress or Quiet()
        self._coders = workers
        self._folder: Path = store.layout.uploads / FOLDER
        self.counts = FetchProgress()
        self.failures: dict[str, TensorHubError] = {}
        self.downloads: dict[str, Download] = {}
        self._waiting: deque[Download] = deque()
        self._done: queue.SimpleQueue[Download] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._asked = 0
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._here: set[str] = set()  # paths in the commit
        self._overlays: tuple[Digest, dict[str, FileView]] | None = None
        self._target = self._choose_target()
        self.reference: CommitReference | None = None

    @property
    def commit_id(self) -> str:
        """The commit."""
        return self.plan.revision.commit_id

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._is_stopping.is_set()

    @property
    def is_complete(self) -> bool:
        """Whether every file of the commit is here."""
        return len(self._here) == len(self.plan.files)

    def stop(self) -> None:
        """Stop; what came is kept."""
        self._is_stopping.set()

    # -- what is here -------------------------------------------------------------------------------------------

    def _choose_target(self) -> RefName:
        """Say which ref the growing commit lies under: its own, where the asked one leads to something complete."""
        own = keeping_ref(self.commit_id)
        ref = self.plan.ref
        if ref is None:
            return own
        present = self._store.ref_store.read(self.repository, ref)
        if present is None or present.commit_id == self.commit_id:
            return ref
        return ref if self._store.snapshots.commit(present.digest).is_partial else own

    def begin(self) -> None:
        """Publish what the store has already; nothing is downloaded yet.

        Raises
        ------
        BackendError
            The store cannot be written.
        """
        with self._open() as transaction:
            known = self._find_present(transaction)
            for path, digest in known.items():
                transaction.link(path, digest)
            self._here = set(known)
            self._publish(transaction)
        missing = [item for item in self.plan.files if item.path not in known]
        wanted = [item for item in missing if item.path in self.plan.selected]
        for item in sorted(wanted, key=lambda item: item.nbytes):
            self.downloads[item.path] = Download(item, self._folder)
        self._waiting.extend(self.downloads.values())
        self.counts = FetchProgress(
            present_files=len(self.plan.files) - len(missing),
            left_files=len(wanted),
            left_nbytes=sum(item.nbytes for item in wanted),
        )
        if not wanted:
            self._finish()

    def _open(self) -> CommitTransaction:
        transaction = self._store.begin_commit(
            self.repository, revision=str(self._target), workers=self._coders
        )
        present = transaction.parent
        if present is not None and present.commit_id != self.commit_id:
            with store_lock(self._store.layout):
                keep_commit(self._store, self.repository, self._target, present, self._progress)
            transaction.delete_all()
        return transaction

    def _find_present(self, transaction: CommitTransaction) -> dict[str, Digest]:
        """Find files that need not be fetched: by their digests, in this repository and wherever may be looked."""
        old: dict[bytes, Digest] = {}
        for reference in {transaction.parent, self._head()}:
            if reference is None:
                continue
            entries = self._store.snapshots.tree_of(reference).entries
            for digest, facts in file_facts(self._store, {entry.file for entry in entries}).items():
                old |= {value: digest for value in (facts.sha256, facts.git_sha1) if value is not None}
        elsewhere = find_known(
            self._store,
            [file.sha256 for file in self.plan.files if file.sha256 is not None and file.sha256 not in old],
            self._may_link,
        )
        found: dict[str, Digest] = {}
        for file in self.plan.files:
            value = file.sha256 or file.git_sha1 or b""
            if value in old:
                found[file.path] = old[value]
            elif value in elsewhere:
                found[file.path] = elsewhere[value].file
        sizes = self._store.snapshots.file_sizes(list(set(found.values())))
        return {
            file.path: found[file.path]
            for file in self.plan.files
            if file.path in found and sizes[found[file.path]][0] == file.nbytes
        }

    def _head(self) -> CommitReference | None:
        ref = self.plan.ref
        return self._store.ref_store.read(self.repository, ref) if ref is not None else None

    # -- as clients see it --------------------------------------------------------------------------------------

    def overlay(self, view: RevisionView) -> RevisionView:
        """Show a revision whole: what is here, and what is on its way; a view of another commit stays as it is."""
        if view.commit_id != self.commit_id or not view.commit.is_partial:
            return view
        if self._overlays is None or self._overlays[0] != view.commit.tree:
            files = {
                file.path: view.files.get(file.path) or self._arriving(file)
                for file in self.plan.files
                if file.path in view.files or file.path in self.plan.selected
            }
            self._overlays = view.commit.tree, files
        is_partial = len(self.plan.selected) < len(self.plan.files)
        return replace(view, files=self._overlays[1], commit=replace(view.commit, is_partial=is_partial))

    def _arriving(self, file: UpstreamFile) -> FileView:
        return FileView(
            file.path,
            FileMode.FILE,
            file.nbytes,
            _FILLED_IN,
            file.sha256 or b"",
            file.git_sha1,
            file.sha256 is not None,
            arriving=ArrivingFile(self, file.path),
        )

    # -- fetching -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Fetch all that is missing; gives up on single files, which are in ``failures`` then.

        Raises
        ------
        TensorHubError
            The store cannot be written, or somebody else moved the ref.
        """
        try:
            for _ in range(min(_WORKERS, len(self._waiting))):
                self._spawn(self._work)
            while self.counts.left_files and not (self.is_stopped and self._done.empty()):
                self._run_batch()
            if not self.failures and not self.is_stopped:
                self._finish()
        finally:
            self.stop()
            for thread in self._threads:
                thread.join()

    def want(self, path: str) -> Download | None:
        """Ask for a file that a client waits for: it is fetched at once; None where it is not on its way."""
        download = self.downloads.get(path)
        if download is None or self.is_stopped:
            return download
        with self._lock:
            if download.is_started or self._asked >= _MAX_ASKED:
                return download
            self._asked += 1
        self._spawn(lambda: self._work_one(download))
        return download

    def open_range(self, path: str, start: int, stop: int) -> AbstractContextManager[httpx.Response]:
        """Open bytes ``[start, stop)`` of a file at the other hub."""
        revision = self.plan.revision
        return self._upstream.open(revision.repository, revision.commit_id, path, start, stop)

    def _spawn(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="hub-fetch", daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while not self.is_stopped:
            try:
                download = self._waiting.popleft()
            except IndexError:
                return
            self._download(download)

    def _work_one(self, download: Download) -> None:
        self._download(download)
        with self._lock:
            self._asked -= 1

    def _download(self, download: Download) -> None:
        if not download.start():
            return
        free = shutil.disk_usage(self._store.layout.root).free - RESERVE_NBYTES
        if download.nbytes > free:
            download.error = OutOfSpaceError(
                f"fetching {download.name} of {self.repository}",
                expected=f"{download.nbytes} bytes free",
                found=f"{max(free, 0)}",
                action="Free some space, then try again; what came is kept.",
            )
            self._done.put(download)
            return
        revision = self.plan.revision
        download.run(
            lambda start: self._upstream.open(revision.repository, revision.commit_id, download.name, start),
            should_stop=self._is_stopping.is_set,
            advance=self._progress.advance,
            sleep=self._is_stopping.wait,
        )
        self._done.put(download)

    def _run_batch(self) -> None:
        """Take what comes, and publish it together."""
        with self._open() as transaction:
            batch = _Batch()
            kept: list[Download] = []
            while self.counts.left_files and not batch.is_full():
                try:
                    download = self._done.get(timeout=0 if self.is_stopped else _BATCH_IDLE_S)
                except queue.Empty:
                    if batch.files or self.is_stopped:
                        break
                    continue
                self.counts.left_files -= 1
                self.counts.left_nbytes -= download.nbytes
                if download.error is not None or download.sha256 is None:
                    if download.error is not None and not self.is_stopped:
                        self.failures[download.name] = download.error
                    continue
                _put(transaction, download)
                self._here.add(download.name)
                kept.append(download)
                batch.files += 1
                batch.nbytes += download.nbytes
            if kept:
                self._publish(transaction)
        for download in kept:
            self.counts.fetched_files += 1
            self.counts.fetched_nbytes += download.nbytes
            self.downloads.pop(download.name, None)
            download.discard()

    def _publish(self, transaction: CommitTransaction) -> None:
        commit = self.plan.commit
        transaction.publish(
            facts=CommitFacts(
                f"{commit.title}\n\n{commit.message}",
                author=commit.author,
                date_ms=commit.date_ms,
                is_partial=not self.is_complete,
                origin=self._upstream.url,
                upstream_id=self.commit_id,
            ),
            parents=(),
        )
        self.reference = transaction.last_commit

    def _finish(self) -> None:
        """Let the asked ref lead to the commit, if all of it is here."""
        if self.plan.ref is not None and self.reference is not None and self.is_complete:
            advance_ref(self._store, self.repository, self.plan.ref, self.reference, self._progress)


def _put(transaction: CommitTransaction, download: Download) -> None:
    """Put a file that came, with the digests that were computed while it did."""
    transaction.put_file(download.name, download)
    sha256, git_sha1 = download.sha256 or b"", download.file.git_sha1
    transaction.claim(download.name, Fact(FactKind.FILE_SHA256, _FILLED_IN, sha256))
    if git_sha1 is not None:
        transaction.claim(download.name, Fact(FactKind.FILE_GIT_SHA1, _FILLED_IN, git_sha1))
