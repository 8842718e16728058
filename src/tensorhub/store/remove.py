"""Removing: refs, histories, repositories.

Duty: move or delete refs under the lock; say what that frees. Not its duty: freeing it (``gc``). Saying it means
looking at all that lives; ``drop_ref``, ``drop_history`` and ``drop_repository`` only do it, at once in any store.
Invariants: removing touches refs only; what anything else reaches, or leans on, stays for good. A damaged ref or
history never keeps anything from being removed; what is freed then counts what can be known.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tensorhub.errors import IntegrityError, RevisionNotFoundError
from tensorhub.schema.names import RefName, RepositoryId
from tensorhub.schema.records import Commit, CommitReference
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.leases import store_lock
from tensorhub.store.liveness import (
    Live,
    add_retained,
    blobs_of_files,
    coded_nbytes,
    find_live,
    refs_of,
    refs_without,
    sources_of,
)
from tensorhub.store.places import refresh_places
from tensorhub.store.retention import retained_files
from tensorhub.store.values import RemoveResult

if TYPE_CHECKING:
    from tensorhub.store.store import Store


def _estimate(
    store: Store,
    repository: RepositoryId,
    removed: tuple[str, ...],
    gone: list[CommitReference],
    kept: list[CommitReference],
    *,
    is_dry_run: bool,
) -> RemoveResult:
    try:
        before, after = find_live(store, gone), _kept(store, kept)
    except IntegrityError:  # a ref whose history is damaged can be removed; what that frees cannot be said
        return RemoveResult(str(repository), removed, 0, 0, is_dry_run)
    doomed = (before.blobs | before.leaned_on) - after.blobs - after.leaned_on
    stay = before.blobs - doomed
    return RemoveResult(
        str(repository), removed, coded_nbytes(store, doomed), coded_nbytes(store, stay), is_dry_run
    )


def _kept(store: Store, kept: list[CommitReference]) -> Live:
    """Find what stays: what other refs reach, and what is retained."""
    live = find_live(store, kept)
    add_retained(store, live, retained_files(store, time.time_ns() // 1_000_000))
    return live


def _refresh(store: Store, repository: RepositoryId) -> None:
    with suppress(IntegrityError):  # another ref of the repository is damaged: its places stay as they were
        refresh_places(store.catalog, store.ref_store, store.snapshots, repository)


def _absent(repository: RepositoryId, ref: RefName) -> RevisionNotFoundError:
    return RevisionNotFoundError(
        f"{ref} of {repository}",
        expected="an existing ref",
        found="none",
        action=f"See `tensorhub show {repository}` for its refs.",
    )


def delete_ref(store: Store, repository: RepositoryId, ref: RefName, *, is_dry_run: bool) -> RemoveResult:
    """Remove one ref; see :meth:`tensorhub.Store.delete_ref`."""
    refs = refs_of(store, repository)
    if ref not in refs:
        raise _absent(repository, ref)
    reference = refs[ref]
    kept = refs_without(store, repository, ref)
    gone = [] if reference is None else [reference]
    result = _estimate(store, repository, (str(ref),), gone, kept, is_dry_run=is_dry_run)
    if not is_dry_run:
        drop_ref(store, repository, ref)
    return result


def drop_ref(store: Store, repository: RepositoryId, ref: RefName) -> None:
    """Remove one ref; one that is not there is left so."""
    with store_lock(store.layout):
        store.ref_store.delete(repository, ref)
        _refresh(store, repository)


def delete_repository(store: Store, repository: RepositoryId, *, is_dry_run: bool) -> RemoveResult:
    """Remove a repository; see :meth:`tensorhub.Store.delete_repository`."""
    refs = refs_of(store, repository)
    kept = refs_without(store, repository)
    removed = tuple(str(ref) for ref in refs)
    gone = [reference for reference in refs.values() if reference is not None]
    result = _estimate(store, repository, removed, gone, kept, is_dry_run=is_dry_run)
    if not is_dry_run:
        drop_repository(store, repository)
    return result


def drop_repository(store: Store, repository: RepositoryId) -> None:
    """Remove a repository with all of its refs.

    Raises
    ------
    NotFoundError, BackendError
        There is none; its folder cannot be changed.
    """
    with store_lock(store.layout):
        store.ref_store.delete_repository(repository)
        _refresh(store, repository)


def squash(
    store: Store, repository: RepositoryId, ref: RefName, *, message: str, is_dry_run: bool
) -> RemoveResult:
    """Drop a ref's history; see :meth:`tensorhub.Store.squash`."""
    reference = store.ref_store.read(repository, ref)
    if reference is None:
        raise _absent(repository, ref)
    commit = store.snapshots.commit(reference.digest)
    others = refs_without(store, repository, ref)
    alone = CommitReference(reference.commit_id, reference.digest)
    history = [item for item in store.snapshots.walk([alone]) if item.digest != alone.digest]
    after = _kept(store, others)
    mine = store.snapshots.tree(commit.tree)
    before = find_live(store, [reference])
    from_tree = blobs_of_files(store, {entry.file for entry in mine.entries})
    from_tree |= sources_of(store, from_tree)
    doomed = (before.blobs | before.leaned_on) - after.blobs - after.leaned_on - from_tree
    removed = tuple(item.commit_id for item in history)
    result = RemoveResult(
        str(repository),
        removed,
        coded_nbytes(store, doomed),
        coded_nbytes(store, before.blobs - doomed),
        is_dry_run,
    )
    if is_dry_run or not commit.parents:
        return result
    drop_history(store, repository, ref, message=message)
    return result


def drop_history(store: Store, repository: RepositoryId, ref: RefName, *, message: str) -> CommitReference:
    """Make a ref's present tree a first commit; gives it. A ref without history stays as it is.

    Raises
    ------
    RevisionNotFoundError
        There is no such ref.
    RevisionMovedError
        Another writer moved it meanwhile.
    """
    reference = store.ref_store.read(repository, ref)
    if reference is None:
        raise _absent(repository, ref)
    commit = store.snapshots.commit(reference.digest)
    if not commit.parents:
        return reference
    title, _, rest = message.strip().partition("\n")
    squashed = Commit(
        commit.tree,
        (),
        commit.author,
        time.time_ns() // 1_000_000,
        title or commit.title,
        rest.strip() if message else commit.message,
        commit.is_partial,
    )
    with store.begin_commit(repository, revision=str(ref)) as transaction:
        digest = transaction.put_object(ObjectKind.COMMIT, squashed.to_bytes())
        transaction.seal()
        with store_lock(store.layout):  # inside the transaction, whose lease keeps the new commit from gc
            new = CommitReference(squashed.commit_id(digest), digest)
            store.ref_store.swap(repository, ref, reference, new)
            refresh_places(store.catalog, store.ref_store, store.snapshots, repository)
    return new
