"""Changes of refs that bring no content: a new branch or tag, a repository's new name.

Duty: make refs on commits that are there, rename repositories, under the store lock. Not its duty: commits
(``transaction``), removing (``remove``), or remembering old names (that is state).
Invariants: a ref is made only on a commit that the repository's own refs reach; a repository has, whenever
somebody looks, its old name or its new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorhub.errors import AlreadyExistsError, UsageError
from tensorhub.schema.names import RefName, RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store.leases import store_lock
from tensorhub.store.places import begin_move, finish_move, mend_moves, record_places

if TYPE_CHECKING:
    from tensorhub.store.store import Store


def create_ref(store: Store, repository: RepositoryId, ref: RefName, revision: str | None) -> CommitReference:
    """Make a ref; see :meth:`tensorhub.Store.create_ref`."""
    with store_lock(store.layout):  # gc removes under it, too: what the refs reach now stays
        found = store.snapshots.repository(repository)
        if store.layout.ref(found, ref).exists():
            raise AlreadyExistsError(
                f"{ref} of {found}",
                expected="no ref of this name",
                found="one",
                action="Choose another name, or delete the ref first.",
            )
        reference = store.snapshots.resolve(found, revision)
        commit = store.snapshots.commit(reference.digest)
        record_places(store.catalog, found, commit.tree, commit.date_ms)
        store.ref_store.swap(found, ref, None, reference)
    return reference


def move_repository(store: Store, repository: RepositoryId, new: RepositoryId) -> RepositoryId:
    """Rename a repository; see :meth:`tensorhub.Store.move_repository`."""
    if new.repo_type is not repository.repo_type:
        raise UsageError(
            f"renaming {repository} to {new}",
            expected=f"another {repository.repo_type.value}",
            found=f"a {new.repo_type.value}",
            action="A repository keeps its type; add its files to a new one instead.",
        )
    with store_lock(store.layout):
        found = store.snapshots.repository(repository)
        present = store.ref_store.find_repository(new)
        if present is not None and present != found:
            raise AlreadyExistsError(
                f"repository {present}",
                expected="no repository of this name",
                found="one",
                action="Choose another name, or delete that repository first.",
            )
        if new == found:
            return found
        mend_moves(
            store.catalog, store.ref_store, store.snapshots
        )  # by one that was cut short: the note is needed
        begin_move(store.catalog, found, new)
        store.ref_store.rename_repository(found, new)
        finish_move(store.catalog, found, new)
    return new
