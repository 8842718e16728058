"""Commits that came from elsewhere under their own ids, and what becomes of them when a ref moves on.

Duty: give a commit that no ref would reach a ref of its own; move a ref to a commit that is here. Not its duty:
bringing commits in (``import_cache``, ``tensorhub.hub.fetching``).
Invariants: the order of such commits is not known here, so they have no parents; what a ref reached once stays
readable by its commit id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorhub.errors import IntegrityError
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store.leases import store_lock
from tensorhub.store.places import record_places, refresh_places
from tensorhub.store.progress import Progress

if TYPE_CHECKING:
    from tensorhub.store.store import Store


def keeping_ref(commit_id: str, suffix: str = "") -> RefName:
    """Name the ref that keeps a commit known only by its id."""
    return RefName(RefKind.CONVERT, f"commit-{commit_id}{suffix}")


def keep_commit(
    store: Store, repository: RepositoryId, moving: RefName, old: CommitReference, listener: Progress
) -> None:
    """Give a commit that only ``moving`` reaches a ref of its own. Call under the store lock."""
    try:
        store.snapshots.commit(old.digest)
    except IntegrityError:
        return  # it is lost already
    refs = store.ref_store.list(repository)
    for ref, reference in refs.items():
        if ref != moving and _reaches(store, reference, old):
            return
    ref = keeping_ref(old.commit_id)
    if ref in refs or ref == moving:  # another import of the same commit, with other files
        ref = keeping_ref(old.commit_id, f"-{old.digest.hex[:12]}")
    store.ref_store.swap(repository, ref, refs.get(ref), old)
    listener.notice(f"{repository}: {moving} moves; the commit {old.commit_id} stays as {ref}")


def _reaches(store: Store, start: CommitReference, wanted: CommitReference) -> bool:
    try:
        return any(item.digest == wanted.digest for item in store.snapshots.walk([start]))
    except IntegrityError:
        return False  # what a damaged history reaches cannot be relied on


def advance_ref(
    store: Store, repository: RepositoryId, ref: RefName, new: CommitReference, listener: Progress
) -> None:
    """Move a ref to a commit that has a keeping ref; what it reached until now gets one in its place.

    Raises
    ------
    RevisionMovedError
        Another writer moved it meanwhile.
    """
    own = keeping_ref(new.commit_id)
    with store_lock(store.layout):
        old = store.ref_store.read(repository, ref)
        if old == new:
            return
        if old is not None:
            keep_commit(store, repository, ref, old, listener)
        commit = store.snapshots.commit(new.digest)
        record_places(store.catalog, repository, commit.tree, commit.date_ms)
        store.ref_store.swap(repository, ref, old, new)
        if ref != own and store.ref_store.read(repository, own) == new:
            store.ref_store.delete(repository, own)
        refresh_places(store.catalog, store.ref_store, store.snapshots, repository)
