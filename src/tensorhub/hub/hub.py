"""The hub: one store being served, and what handlers ask it.

Duty: finding repositories and revisions for who asks, threads for blocking work, background jobs' life.
Not its duty: HTTP.
Invariants: what an identity may not read is answered as if it did not exist; a revision is shown once the SHA-256
of all of its files is known.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from tensorhub.errors import (
    FileEntryNotFoundError,
    ForbiddenError,
    GatedRepositoryError,
    RepositoryNotFoundError,
    RevisionNotReadyError,
)
from tensorhub.hub.access import Identity, can_read, can_read_files, can_write
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.audit import AuditLog
from tensorhub.hub.config import HubConfig
from tensorhub.hub.digest_job import DigestJob
from tensorhub.hub.directory import Directory, Entry
from tensorhub.hub.memo import Memo
from tensorhub.hub.mirror import Mirror
from tensorhub.hub.namespaces import Namespaces
from tensorhub.hub.pages.page_data import KEEP_SIZES_S, PageData
from tensorhub.hub.pools import Pool
from tensorhub.hub.profile import Profile
from tensorhub.hub.pull_requests import PullRequests
from tensorhub.hub.repositories import Repositories
from tensorhub.hub.repository_locks import RepositoryLocks
from tensorhub.hub.revision_view import (
    ATTRIBUTES_PATH,
    MAX_ATTRIBUTES_NBYTES,
    FileView,
    LfsRules,
    RevisionView,
)
from tensorhub.hub.signing import Signer
from tensorhub.hub.streaming import Streams
from tensorhub.hub.tree_index import TreeIndex
from tensorhub.hub.upkeep import Upkeep
from tensorhub.hub.uploads import SWEEP_S, Uploads
from tensorhub.hub.upstream import Upstream
from tensorhub.hub.upstream_http import UpstreamHttp
from tensorhub.hub.xet.grants import Grants
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.schema.records import CommitReference, FileMode, TreeEntry
from tensorhub.store.file_facts import file_facts
from tensorhub.store.files import follow_link, read_range
from tensorhub.store.read_plan import FileMap
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store
from tensorhub.store.values import RefInfo

_VIEWS = 64  # revisions kept as clients see them; one of 10,000 files takes some 5 MB
_VIEW_FILES = 200_000  # files in the kept ones together
_KEEP_USES_S = 60.0  # as exact as people need to know when a token was used last
_SIZES = 20_000  # repositories whose size is kept; a hundred bytes each, and one for each ref
_PROFILES = 256  # profiles kept, with their cards; the largest card takes some 500 kB
_META_THREADS = 8  # look-ups wait for SQLite and the file system, not for the processor
_NETWORK_THREADS = 16  # they only wait
_WRITE_THREADS = 4  # commits at a time; each has coding threads of its own


def forbidden(identity: Identity, what: str) -> ForbiddenError:
    """Make the error for what an identity may not do."""
    reads_only = identity.user is not None and not identity.can_write
    return ForbiddenError(
        what,
        expected="a token with the right to write" if reads_only else "the right to do so",
        found="a token that may only read" if reads_only else (identity.user or "nobody known"),
        action="Use another token, or ask an administrator.",
    )


class Hub:
    """One store being served. Close it at the end.

    Parameters
    ----------
    store
        Open; closed by whoever opened it.
    config
        Settings of the server.

    Attributes
    ----------
    accounts, repositories, namespaces, audit, signer
        Users and tokens; what was decided about repositories and namespaces; the log of who did what; signatures of
        links.
    streams
        Responses that are being sent.
    digests
        The background job that computes SHA-256.
    upkeep
        Small jobs that are done again and again; add to it before :meth:`start`.
    uploads, grants
        What came and waits for its commit; tokens for the Xet endpoints.
    network
        Threads that wait for another hub.
    mirror
        Fetches what is missing from another hub; None where there is none.
    pulls, locks
        Pull requests; one change at a time to each repository.
    directory
        Every repository with what lists show of it.
    trees, last_commits, histories, profiles, storage
        What was computed of trees and commits, for the handlers that compute it.
    page_data
        What pages show of the whole store.
    """

    def __init__(self, store: Store, config: HubConfig) -> None:
        self.store = store
        self.config = config
        self.accounts = Accounts(store.state)
        self.repositories = Repositories(store.state)
        self.namespaces = Namespaces(store.state)
        self.audit = AuditLog(store.state)
        self.signer = Signer(store.state)
        self.streams = Streams()
        workers = config.workers or os.cpu_count() or 1
        self.reads = Pool("read", workers, 8192)
        self.meta = Pool("look-up", _META_THREADS, 1024)
        self.writes = Pool("write", _WRITE_THREADS, 64)
        self.digests = DigestJob(store)
        self.upkeep = Upkeep()
        self.upkeep.add("noting when tokens were used", self.accounts.keep_uses, every_s=_KEEP_USES_S)
        self.uploads = Uploads(store, store.state)
        self.upkeep.add("removing old uploads", self.uploads.sweep, every_s=SWEEP_S)
        self.grants = Grants(store, self.signer)
        self.pulls = PullRequests(store)
        self.locks = RepositoryLocks()
        self.directory = Directory(store)
        self.trees: Memo[tuple[Digest, int], TreeIndex] = Memo(_VIEW_FILES)
        self.last_commits: Memo[Digest, Mapping[str, CommitReference]] = Memo(_VIEW_FILES)
        self.storage: Memo[tuple[RepositoryId, tuple[RefInfo, ...]], int] = Memo(_SIZES)
        self.histories: Memo[Digest, Sequence[CommitReference]] = Memo(_VIEW_FILES)
        self.profiles: Memo[tuple[str, Digest], tuple[Profile, Mapping[str, Any]]] = Memo(_PROFILES)
        self.page_data = PageData(store, self.directory)
        self.upkeep.add("looking stored sizes up", self.page_data.keep_sizes, every_s=KEEP_SIZES_S)
        self.network = Pool("network", _NETWORK_THREADS, 1024)
        self.mirror: Mirror | None = None
        if config.upstream:
            self.mirror = Mirror(self, Upstream(UpstreamHttp(config.upstream, config.upstream_token)))
        self._views: OrderedDict[Digest, tuple[dict[str, FileView], LfsRules]] = OrderedDict()
        self._views_files = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin background work."""
        self.uploads.start()
        self.digests.start()
        self.upkeep.start()
        self.directory.start()

    def close(self) -> None:
        """End background work and wait for jobs that run."""
        self.page_data.close()  # first: upkeep does each job once more, and this one is for readers to come
        self.digests.stop()
        self.upkeep.stop()
        self.directory.stop()
        if self.mirror is not None:
            self.mirror.close()
        for pool in (self.reads, self.meta, self.writes, self.network):
            pool.close()

    # -- repositories -------------------------------------------------------------------------------------------

    def find(self, asked: RepositoryId, identity: Identity) -> RepositoryId:
        """Find a repository that an identity may read.

        Parameters
        ----------
        asked
            In any spelling; a former name does, too.
        identity
            Who asks.

        Returns
        -------
        RepositoryId
            As written in the store.

        Raises
        ------
        RepositoryNotFoundError
            There is none, or it is hidden from the identity.
        """
        found = self.store.ref_store.find_repository(asked)
        if found is None:
            renamed = self.repositories.follow(asked)
            found = self.store.ref_store.find_repository(renamed) if renamed else None
        if found is None or not self.can_read(identity, found):
            raise RepositoryNotFoundError(
                f"repository {asked}",
                expected="one that exists and may be read by who asks",
                found="none",
                action="Check the name, and whether a token with access is used.",
            )
        return found

    def find_for_write(self, asked: RepositoryId, identity: Identity) -> RepositoryId:
        """Find a repository that an identity may write to.

        Raises
        ------
        RepositoryNotFoundError
            There is none, or it is hidden from the identity.
        ForbiddenError
            The identity may only read it.
        """
        found = self.find(asked, identity)
        if not can_write(identity, found, self.repositories.row(found)):
            raise forbidden(identity, f"writing to {found}")
        return found

    def can_read(self, identity: Identity, repository: RepositoryId) -> bool:
        """Say whether an identity may know of a repository."""
        row = self.repositories.row(repository)
        return can_read(identity, repository, row, anonymous_read=self.config.allows_anonymous_read)

    def readable(self, identity: Identity, repo_type: RepoType | None = None) -> list[Entry]:
        """List the repositories that an identity may know of, ordered by type and id."""
        rows, is_open = self.repositories.rows(), self.config.allows_anonymous_read

        def may_read(repository: RepositoryId) -> bool:
            return identity.is_admin or can_read(
                identity, repository, rows.get(repository.key), anonymous_read=is_open
            )

        return self.directory.readable(may_read, repo_type)

    def check_files(self, identity: Identity, repository: RepositoryId) -> None:
        """Make sure that an identity may read the content of a repository that it knows of.

        Raises
        ------
        GatedRepositoryError
            Its readers must be let in first.
        """
        row = self.repositories.row(repository)
        if not can_read_files(identity, repository, row, anonymous_read=self.config.allows_anonymous_read):
            raise GatedRepositoryError(
                f"Access to {repository.repo_type.value} {repository.repo_id} is restricted and you are not in the "
                "authorized list",  # clients and people look for these words
                expected="a member of its namespace",
                found=identity.user or "nobody known",
                action="Ask a member of its namespace to let you in.",
            )

    # -- revisions ----------------------------------------------------------------------------------------------

    def view(self, repository: RepositoryId, revision: str | None) -> RevisionView:
        """Open a revision as clients see it.

        Parameters
        ----------
        repository
            As :meth:`find` gave it.
        revision
            Branch, tag, ``refs/…`` or commit id; of a branch or tag the newest commit that is ready.

        Raises
        ------
        RevisionNotFoundError
            There is no such revision.
        RevisionNotReadyError
            SHA-256 digests of its files are still being computed.
        """
        fetches = self.mirror.fetches_of(repository) if self.mirror is not None else []
        reference = self.store.snapshots.resolve(repository, revision or "main")
        newest = reference
        is_id = revision is not None and newest.commit_id.startswith(revision)
        while (view := self.view_at(repository, reference)) is None:
            parents = self.store.snapshots.commit(reference.digest).parents
            if is_id or not parents:
                self.digests.wake()
                raise RevisionNotReadyError(
                    f"revision {revision or 'main'} of {repository}",
                    expected="SHA-256 digests of all of its files",
                    found=self.digests.progress.describe(),
                    action="It is shown when they are known; try again in a while.",
                )
            reference = parents[0]
        if reference != newest:
            self.digests.wake()
        for fetch in fetches:
            view = fetch.overlay(view)
        return view

    def view_at(self, repository: RepositoryId, reference: CommitReference) -> RevisionView | None:
        """Open a commit as clients see it; None where a SHA-256 of its files is not known yet."""
        snapshot = self.store.snapshots.open(repository, reference)
        key = snapshot.commit.tree
        with self._lock:
            held = self._views.get(key)
            if held is not None:
                self._views.move_to_end(key)
        if held is None:
            held = self._make_view(snapshot)
            if held is None:
                return None
            with self._lock:
                if key not in self._views:
                    self._views[key] = held
                    self._views_files += len(held[0])
                while len(self._views) > 1 and (len(self._views) > _VIEWS or self._views_files > _VIEW_FILES):
                    self._views_files -= len(self._views.popitem(last=False)[1][0])
        return RevisionView(snapshot.repository, reference, snapshot.commit, *held)

    def _make_view(self, snapshot: Snapshot) -> tuple[dict[str, FileView], LfsRules] | None:
        """Put a view together; None where a SHA-256 is not known yet."""
        entries = [(entry.path, self._target(snapshot, entry)) for entry in snapshot.tree.entries]
        files = list({target.file for _, target in entries})
        facts = file_facts(self.store, files)
        sizes = self.store.snapshots.file_sizes(files)
        rules = LfsRules(self.small_text(snapshot, ATTRIBUTES_PATH))
        views: dict[str, FileView] = {}
        for path, target in entries:
            fact = facts.get(target.file)
            if fact is None or fact.sha256 is None:
                return None
            nbytes = sizes[target.file][0]
            is_lfs = nbytes > 0 and (fact.git_sha1 is None or rules.is_lfs(path, nbytes))
            views[path] = FileView(path, target.mode, nbytes, target.file, fact.sha256, fact.git_sha1, is_lfs)
        return views, rules

    def _target(self, snapshot: Snapshot, entry: TreeEntry) -> TreeEntry:
        """Give what a symlink points at; a link that leads nowhere stands for its own text."""
        if entry.mode is not FileMode.SYMLINK:
            return entry
        try:
            return follow_link(snapshot, entry, self.store.reader)
        except FileEntryNotFoundError:
            return entry

    def small_text(self, snapshot: Snapshot, path: str) -> str:
        """Read a small text file of a snapshot; empty where it is absent or too large."""
        try:
            record = snapshot.record(snapshot.entry(path))
        except FileEntryNotFoundError:
            return ""
        if record.nbytes > MAX_ATTRIBUTES_NBYTES:
            return ""
        out = bytearray(record.nbytes)
        read_range(FileMap(record.segments), self.store.reader, 0, memoryview(out))
        return out.decode("utf-8", "replace")
