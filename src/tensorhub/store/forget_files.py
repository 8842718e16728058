"""Forgetting files: a repository's history written anew without some contents.

Duty: new commits and trees for every ref that reaches such a file. Not its duty: freeing space (``gc``), or which
files.
Invariants: all refs move together under the store lock, or none does; commits that neither hold such a file nor
stand on one that does keep their ids, all others get new ones of our own, because an upstream's id would name
another content.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from tensorhub.errors import RevisionMovedError
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefName, RepositoryId
from tensorhub.schema.records import Commit, CommitReference, Tree
from tensorhub.store.catalog_index import complete_trees
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.leases import store_lock
from tensorhub.store.places import refresh_places

if TYPE_CHECKING:
    from tensorhub.store.store import Store
    from tensorhub.store.transaction import CommitTransaction


def forget_files(
    store: Store, repository: RepositoryId, files: Collection[Digest]
) -> dict[RefName, CommitReference]:
    """Write a repository's history anew without some files.

    Parameters
    ----------
    store, repository
        Where; the repository as it is written in the store.
    files
        Digests of file records.

    Returns
    -------
    dict
        The refs that moved, and where to.

    Raises
    ------
    RevisionMovedError
        Another writer moved one of the refs meanwhile; nothing was changed.
    MissingBlobError
        A part of the history is lost.
    """
    refs = store.ref_store.list(repository)
    if not refs:
        return {}
    with store.begin_commit(repository, revision=str(next(iter(refs)))) as transaction:  # for its lease
        rewriting = _Rewriting(store, transaction, frozenset(files))
        moved = {
            ref: new for ref, reference in refs.items() if (new := rewriting.rewrite(reference)) != reference
        }
        if not moved:
            return {}
        transaction.seal()
        with store_lock(store.layout):
            for ref in moved:
                if store.ref_store.read(repository, ref) != refs[ref]:
                    raise RevisionMovedError(
                        f"{repository} {ref}",
                        expected=refs[ref].commit_id,
                        found="another commit",
                        action="Do it again.",
                    )
            for tree in rewriting.trees:
                complete_trees(store.catalog, tree)
            for ref, new in moved.items():
                store.ref_store.swap(repository, ref, refs[ref], new)
            refresh_places(store.catalog, store.ref_store, store.snapshots, repository)
    return moved


class _Rewriting:
    """One rewriting: which commit became which."""

    def __init__(self, store: Store, transaction: CommitTransaction, files: frozenset[Digest]) -> None:
        self._store = store
        self._transaction = transaction
        self._files = files
        self._done: dict[Digest, CommitReference] = {}
        self._trees: dict[Digest, Digest] = {}

    @property
    def trees(self) -> list[Digest]:
        """The trees that were made."""
        return [new for old, new in self._trees.items() if new != old]

    def rewrite(self, start: CommitReference) -> CommitReference:
        """Write what a commit reaches anew, parents first; gives what the commit became."""
        waiting = [start]
        while waiting:
            reference = waiting[-1]
            if reference.digest in self._done:
                waiting.pop()
                continue
            commit = self._store.snapshots.commit(reference.digest)
            missing = [parent for parent in commit.parents if parent.digest not in self._done]
            if missing:
                waiting += missing
                continue
            self._done[reference.digest] = self._rewrite_one(reference, commit)
            waiting.pop()
        return self._done[start.digest]

    def _rewrite_one(self, reference: CommitReference, commit: Commit) -> CommitReference:
        tree = self._rewrite_tree(commit.tree)
        parents = tuple(self._done[parent.digest] for parent in commit.parents)
        if tree == commit.tree and parents == commit.parents:
            return reference
        changed = replace(commit, tree=tree, parents=parents, origin="", upstream_id="")
        digest = self._transaction.put_object(ObjectKind.COMMIT, changed.to_bytes())
        return CommitReference(changed.commit_id(digest), digest)

    def _rewrite_tree(self, tree: Digest) -> Digest:
        if tree not in self._trees:
            entries = self._store.snapshots.tree(tree).entries
            kept = tuple(entry for entry in entries if entry.file not in self._files)
            is_same = len(kept) == len(entries)
            self._trees[tree] = (
                tree if is_same else self._transaction.put_object(ObjectKind.TREE, Tree(kept).to_bytes())
            )
        return self._trees[tree]
