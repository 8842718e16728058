"""Commits: from a parsed request to a commit of the store.

Duty: check the parent, put, link, copy and delete what the request says, publish, and begin again where another
process was faster. Not its duty: the request's form (``commit_operations``), rights, or queueing
(``repository_locks``).
Invariants: an upload is taken only from who sent it, and with the SHA-256 that it has by now; a known file only from
repositories that he may read;
digests that were computed while receiving become facts, so that the revision is shown at once; a request that is
sent again changes nothing.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tensorhub.errors import (
    FileEntryNotFoundError,
    InvalidRequestError,
    ParentMovedError,
    RevisionMovedError,
    RevisionNotFoundError,
    StoreLockedError,
)
from tensorhub.formats.model_card import read_base_models
from tensorhub.hub.commit_operations import CommitRequest, CopyFile, DeletePath, PutFile, PutLfsFile
from tensorhub.hub.known_content import KnownFile, find_known
from tensorhub.hub.uploads import UploadedFile, Uploads
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.store import Store
from tensorhub.store.transaction import CommitTransaction

_TRIES = 5  # of a commit that another process overtakes; this one's own wait in line before
_WAIT_S = 0.1  # before the second, then twice as long each time
_REPEAT_S = 600  # clients try again within a minute; later the same request means the same change once more
_BLOCK_NBYTES = 1 << 20  # read at once while an upload is hashed
_UNUSED = Digest(bytes(32))  # ``claim`` fills the subject in


@dataclass(frozen=True, slots=True)
class Committer:
    """Who commits.

    Attributes
    ----------
    author
        As the commit names him.
    user
        Whose uploads may be taken.
    may_read
        Which repositories' files he may read.
    """

    author: str
    user: str
    may_read: Callable[[RepositoryId], bool]


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of a commit request.

    Attributes
    ----------
    commit_id
        The branch's commit now.
    is_new
        Whether it was made just now; else nothing was to be changed.
    """

    commit_id: str
    is_new: bool


def commit(
    store: Store,
    uploads: Uploads,
    repository: RepositoryId,
    ref: RefName,
    request: CommitRequest,
    committer: Committer,
    *,
    start: str | None = None,
) -> Committed:
    """Make a commit; blocks until it is durable.

    Parameters
    ----------
    store, uploads
        The hub's.
    repository, ref
        Where to; the ref must be there, unless it is the first one or ``start`` is given.
    request
        What to do.
    committer
        Who does it.
    start
        Where a new ref begins.

    Raises
    ------
    RepositoryNotFoundError
        There is no such repository any more.
    ParentMovedError
        The ref is not at the commit that the request says.
    RevisionMovedError
        Other processes were faster each time.
    RevisionNotFoundError
        There is no such ref.
    FileEntryNotFoundError
        What is to be deleted or copied is not there.
    InvalidRequestError
        An LFS file was never uploaded, or has another size.
    InvalidNameError
        A path collides with another one.
    """
    wait_s = _WAIT_S
    for _ in range(_TRIES - 1):
        try:
            return _attempt(store, uploads, repository, ref, request, committer, start)
        except ParentMovedError:
            raise
        except (RevisionMovedError, StoreLockedError):
            time.sleep(wait_s)
            wait_s *= 2
    return _attempt(store, uploads, repository, ref, request, committer, start)


def _attempt(
    store: Store,
    uploads: Uploads,
    repository: RepositoryId,
    ref: RefName,
    request: CommitRequest,
    committer: Committer,
    start: str | None,
) -> Committed:
    store.snapshots.repository(
        repository
    )  # it may be deleted or renamed since this began to wait for its turn
    description = request.header.description.strip()
    message = request.header.summary.strip() + (f"\n\n{description}" if description else "")
    with ExitStack() as stack:
        transaction = stack.enter_context(store.begin_commit(repository, revision=str(ref), start=start))
        _check_parent(store, repository, ref, request, transaction)
        change = _Change(store, uploads, transaction, request, committer)
        stack.enter_context(change.opened())
        change.apply()
        result = transaction.publish(message, facts=CommitFacts(message=message, author=committer.author))
        if transaction.last_commit is not None:
            change.give_back(transaction.last_commit)
    return Committed(result.commit_id, result.is_new_commit)


def _check_parent(
    store: Store,
    repository: RepositoryId,
    ref: RefName,
    request: CommitRequest,
    transaction: CommitTransaction,
) -> None:
    parent, wanted = transaction.parent, request.header.parent
    if parent is None and (ref != RefName(RefKind.HEADS, "main") or store.ref_store.list(repository)):
        raise RevisionNotFoundError(
            f"{ref} of {repository}",
            expected="an existing branch",
            found="none",
            action="Create the branch first.",
        )
    if wanted is not None and (parent is None or not parent.commit_id.startswith(wanted)):
        raise ParentMovedError(
            "The branch was updated since you opened this page. Please refresh and try again.",
            expected=f"{ref} at {wanted}",
            found=parent.commit_id if parent else "no commit",
        )


class _Change:
    """One request being applied to one transaction."""

    def __init__(
        self,
        store: Store,
        uploads: Uploads,
        transaction: CommitTransaction,
        request: CommitRequest,
        committer: Committer,
    ) -> None:
        self._store = store
        self._uploads = uploads
        self._transaction = transaction
        self._request = request
        self._committer = committer
        self._known: dict[bytes, KnownFile] = {}
        self._lfs_paths: dict[str, bytes] = {}  # where the new tree has which LFS file of the request
        self._stack = ExitStack()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keep uploads open until the commit is published."""
        with self._stack:
            yield

    def apply(self) -> None:
        """Do what the request says, in its order."""
        operations = self._request.operations
        wanted = [item.sha256 for item in operations if isinstance(item, PutLfsFile)]
        self._known = find_known(self._store, wanted, self._committer.may_read)
        for item in operations:
            if isinstance(item, PutFile) and item.path == "README.md":
                self._transaction.hint_base_models(read_base_models(item.source))
        is_repeated: bool | None = None
        for item in operations:
            if isinstance(item, PutFile | CopyFile):
                self._lfs_paths.pop(item.path, None)
            if isinstance(item, PutFile):
                self._put(item)
            elif isinstance(item, PutLfsFile):
                self._put_lfs(item)
            elif isinstance(item, CopyFile):
                self._copy(item)
            else:
                try:
                    self._delete(item)
                except FileEntryNotFoundError:
                    is_repeated = self._is_repeated() if is_repeated is None else is_repeated
                    if not is_repeated:
                        raise

    def _put(self, item: PutFile) -> None:
        self._transaction.put_file(item.path, item.source)
        self._claim(item.path, FactKind.FILE_SHA256, item.sha256)
        if item.git_sha1 is not None:
            self._claim(item.path, FactKind.FILE_GIT_SHA1, item.git_sha1)

    def _claim(self, path: str, kind: FactKind, value: bytes) -> None:
        self._transaction.claim(path, Fact(kind, _UNUSED, value, is_claimed=False))

    def _put_lfs(self, item: PutLfsFile) -> None:
        self._lfs_paths[item.path] = item.sha256
        known = self._known.get(item.sha256)
        if known is not None and item.nbytes in (None, known.nbytes):
            self._transaction.link(item.path, known.file)
            return
        source = self._uploads.find(item.sha256, self._committer.user, item.nbytes)
        if source is None:
            raise InvalidRequestError(
                f"LFS file {item.path!r}",
                expected="one that was uploaded before the commit, with the size that the commit says",
                found=f"no upload with the SHA-256 {item.sha256.hex()}"
                + (f" of {item.nbytes} bytes" if item.nbytes is not None else ""),
                path=item.path,
                action="Upload it, then commit again.",
            )
        self._stack.callback(source.close)
        self._transaction.put_file(item.path, source)
        self._check_upload(item, source)
        self._claim(item.path, FactKind.FILE_SHA256, item.sha256)

    def _check_upload(self, item: PutLfsFile, source: UploadedFile) -> None:
        """Compare an upload with its SHA-256 once more, while the store reads it.

        Up to a day has gone by since it came, and this is the last moment at which its sender still has it.
        """
        hasher = hashlib.sha256()
        block = bytearray(min(_BLOCK_NBYTES, source.nbytes))
        for at in range(0, source.nbytes, _BLOCK_NBYTES):
            view = memoryview(block)[: min(_BLOCK_NBYTES, source.nbytes - at)]
            source.read_into(at, view)
            hasher.update(view)
        if hasher.digest() != item.sha256:
            self._uploads.doubt(item.sha256, self._committer.user)
            raise InvalidRequestError(
                f"LFS file {item.path!r}",
                expected=f"content with the SHA-256 {item.sha256.hex()}",
                found=f"{hasher.hexdigest()}: it was damaged after it had been uploaded",
                path=item.path,
                action="Upload it again, and have a look at the disk of the hub.",
            )

    def _copy(self, item: CopyFile) -> None:
        if item.revision is None:
            self._transaction.copy(item.source_path, item.path)
        else:
            self._transaction.copy(
                item.source_path,
                item.path,
                repository=self._transaction.repository,
                revision=item.revision,
            )

    def _delete(self, item: DeletePath) -> None:
        try:
            self._transaction.delete(item.path)
        except FileEntryNotFoundError as error:
            kind = "folder" if item.is_folder else "file"
            raise FileEntryNotFoundError(
                f"A {kind} with this name doesn't exist: {item.path}",
                expected=error.expected,
                found=error.found,
                path=item.path,
                action="See the list of files.",
            ) from error

    def _is_repeated(self) -> bool:
        """Whether the branch's commit is what this very request made: its answer was lost, and it is sent again."""
        reference = self._transaction.parent
        if reference is None:
            return False
        made, header = self._store.snapshots.commit(reference.digest), self._request.header
        is_same = (made.title, made.message, made.author) == (
            header.summary.strip().partition("\n")[0],
            header.description.strip(),
            self._committer.author,
        )
        if not is_same or not made.parents or time.time() - made.date_ms / 1000 > _REPEAT_S:
            return False
        before = [entry.path for entry in self._store.snapshots.tree_of(made.parents[0]).entries]
        return all(
            any(path == item.path or path.startswith(item.path + "/") for path in before)
            for item in self._request.operations
            if isinstance(item, DeletePath)
        )

    def give_back(self, reference: CommitReference) -> None:
        """Tell the uploads which of them the commit took up."""
        wanted = self._lfs_paths
        if wanted:
            entries = self._store.snapshots.tree_of(reference).entries
            taken = [(wanted[entry.path], entry.file) for entry in entries if entry.path in wanted]
            self._uploads.committed(taken, self._committer.user)
