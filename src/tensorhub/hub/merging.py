"""Merging pull requests: by path, against the commit where they left their branch.

Duty: what a merge would do, doing it, and which commits it is about. Not its duty: rows (``pull_requests``).
Invariants: a merge changes exactly the paths that the pull request changed, or nothing and says which paths both sides
changed; it is published only on top of the commit that it was planned for.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from tensorhub.errors import MergeConflictError, NotFoundError
from tensorhub.hub.pull_requests import PullRequest, find_branch, pull_ref
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId
from tensorhub.schema.records import CommitReference, FileMode
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.store import Store

_MAX_COMMITS = 1000  # of a pull request that are told; history is walked for them


Entry = tuple[FileMode, Digest]


@dataclass(frozen=True, slots=True)
class MergePlan:
    """What a merge does: paths to put, paths to remove, and paths that both sides changed."""

    put: Mapping[str, Entry]
    removed: tuple[str, ...]
    conflicts: tuple[str, ...]


def plan_merge(
    common: Mapping[str, Entry], base: Mapping[str, Entry], change: Mapping[str, Entry]
) -> MergePlan:
    """Merge two trees that come from a common one, by path.

    Parameters
    ----------
    common, base, change
        Path -> entry: where both began, the branch, the pull request.
    """
    put: dict[str, Entry] = {}
    removed: list[str] = []
    conflicts: list[str] = []
    for path in sorted({*common, *change}):
        before, after, there = common.get(path), change.get(path), base.get(path)
        if after in (before, there):
            continue
        if there != before:
            conflicts.append(path)
        elif after is None:
            removed.append(path)
        else:
            put[path] = after
    return MergePlan(put, tuple(removed), tuple(conflicts))


def plan_pull(store: Store, repository: RepositoryId, pull: PullRequest) -> MergePlan:
    """Say what merging a pull request now would do.

    Raises
    ------
    RevisionNotFoundError
        Its ref or its base is gone.
    """
    base = find_branch(store, repository, RefName(RefKind.HEADS, pull.base))
    head = find_branch(store, repository, pull_ref(pull.num))
    reached = {reference.digest for reference in store.snapshots.walk([base])}
    common = next((item for item in store.snapshots.walk([head]) if item.digest in reached), None)
    return plan_merge(
        _entries(store, common) if common is not None else {}, _entries(store, base), _entries(store, head)
    )


def _entries(store: Store, reference: CommitReference) -> dict[str, Entry]:
    return {entry.path: (entry.mode, entry.file) for entry in store.snapshots.tree_of(reference).entries}


def pull_commits(
    store: Store, repository: RepositoryId, pull: PullRequest, merge: str = ""
) -> list[CommitReference]:
    """Give the commits that a pull request adds to its base, oldest first.

    Parameters
    ----------
    store, repository, pull
        Which.
    merge
        Id of the commit that merged it: then what it added when that was made.
    """
    base = store.ref_store.read(repository, RefName(RefKind.HEADS, pull.base))
    if merge:
        with suppress(NotFoundError):  # a squash may have dropped it since
            parents = store.snapshots.commit(store.snapshots.resolve(repository, merge).digest).parents
            base = parents[0] if len(parents) > 1 else base
    head = store.ref_store.read(repository, pull_ref(pull.num))
    if base is None or head is None:
        return []
    reached = {reference.digest for reference in islice(store.snapshots.walk([base]), 10 * _MAX_COMMITS)}
    found: list[CommitReference] = []
    for reference in islice(store.snapshots.walk([head]), _MAX_COMMITS):
        if reference.digest in reached:
            break
        found.append(reference)
    return found[::-1]


def merge_pull(store: Store, repository: RepositoryId, pull: PullRequest, author: str) -> str:
    """Merge a pull request into its base; gives the base's commit id. The row's status is the caller's.

    Raises
    ------
    MergeConflictError
        Both sides changed the same paths.
    RevisionNotFoundError
        Its ref or its base is gone.
    RevisionMovedError
        Another process moved the base meanwhile.
    """
    base = find_branch(store, repository, RefName(RefKind.HEADS, pull.base))
    plan = plan_pull(store, repository, pull)
    if plan.conflicts:
        raise MergeConflictError(
            f"pull request {pull.num} of {repository}",
            expected=f"paths that {pull.base} did not change meanwhile",
            found=", ".join(plan.conflicts[:10]),
            action="Make the change anew on top of the branch.",
        )
    head = find_branch(store, repository, pull_ref(pull.num))
    with store.begin_commit(repository, revision=pull.base) as transaction:
        for path in plan.removed:
            transaction.delete(path)
        for path, (mode, file) in plan.put.items():
            transaction.link(path, file, mode=mode)
        facts = CommitFacts(f"{pull.title} (#{pull.num})\n\n{pull.description}", author=author)
        return transaction.publish(
            facts.message, facts=facts, expected_head=base.commit_id, parents=(base, head)
        ).commit_id
