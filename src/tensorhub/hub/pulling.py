"""Pulling: one revision of another hub, by hand.

Duty: :func:`pull_revision`. Not its duty: when a server does so by itself (``mirror``), the fetching (``fetching``).
Invariants: a branch that has commits of our own is not moved; what came before an error or an interruption is kept,
and the same call goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tensorhub.errors import AlreadyExistsError, UsageError
from tensorhub.hub.fetch_plan import FetchPlan, plan_fetch
from tensorhub.hub.fetching import Fetch
from tensorhub.hub.upstream import Upstream
from tensorhub.hub.values import PullResult
from tensorhub.schema.names import RepositoryId
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.store import Store


def pull_revision(
    store: Store,
    upstream: Upstream,
    repository: RepositoryId,
    revision: str = "main",
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    progress: Progress | None = None,
    workers: int | None = None,
) -> PullResult:
    """Bring a revision of another hub into the store, under its own commit id.

    Parameters
    ----------
    store, upstream
        Where to, where from.
    repository
        As it is called there, and will be here.
    revision
        Branch, tag, ``refs/…`` or commit id there.
    include, exclude
        Patterns of paths, as shells have them (``*`` goes over ``/``, too); without ``include`` all. What is left out
        is missing from the commit, which is marked partial; a later call without them completes it.
    progress
        Told bytes.
    workers
        Threads that code; by default one per processor.

    Returns
    -------
    PullResult
        What came, and what was here.

    Raises
    ------
    RepositoryNotFoundError, RevisionNotFoundError
        The other hub has none, or does not show it.
    AlreadyExistsError
        The branch here has commits of its own.
    UsageError
        No file fits the patterns.
    WrongContentError
        What came is not what the other hub says that it is; the other files are kept.
    BackendUnavailableError
        The other hub does not answer; what came is kept.
    """
    listener = progress or Quiet()
    found = upstream.revision(repository, revision)
    plan = plan_fetch(upstream, found, revision, select=lambda path: is_selected(path, include, exclude))
    if plan.files and not plan.selected:
        raise UsageError(
            f"patterns for {repository}",
            expected=f"some that fit one of its {len(plan.files)} files",
            found="none that do",
            action="See the list of files at the other hub.",
        )
    name = store.ref_store.find_repository(found.repository) or found.repository
    _check_not_ours(store, name, plan)
    local = store.create_repository(name)
    fetch = Fetch(store, upstream, local, plan, progress=listener, workers=workers)
    fetch.begin()
    listener.begin(f"Pulling {local}@{found.commit_id[:12]}", fetch.counts.left_nbytes)
    if fetch.counts.left_files:
        fetch.run()
    listener.end()
    for path, failure in fetch.failures.items():
        listener.notice(f"{local}: {path} did not come: {failure}")
    for failure in fetch.failures.values():
        raise failure
    return _describe(fetch, revision)


def is_selected(path: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Say whether patterns take a path; one that ends in ``/`` means all below it."""

    def fits(pattern: str) -> bool:
        return fnmatchcase(path, pattern + "*" if pattern.endswith("/") else pattern)

    return (not include or any(map(fits, include))) and not any(map(fits, exclude))


def _check_not_ours(store: Store, repository: RepositoryId, plan: FetchPlan) -> None:
    present = store.ref_store.read(repository, plan.ref) if plan.ref is not None else None
    if present is None or present.commit_id == plan.revision.commit_id:
        return
    if not store.snapshots.commit(present.digest).origin:
        raise AlreadyExistsError(
            f"{plan.ref} of {repository}",
            expected="no commits of its own here",
            found=f"the commit {present.commit_id[:12]}, which was made here",
            action="Rename the repository here first, or pull the commit by its id with --revision.",
        )


def _describe(fetch: Fetch, revision: str) -> PullResult:
    selected = [file for file in fetch.plan.files if file.path in fetch.plan.selected]
    return PullResult(
        repository=str(fetch.repository),
        revision=revision,
        commit_id=fetch.commit_id,
        files=len(selected),
        nbytes=sum(file.nbytes for file in selected),
        fetched_files=fetch.counts.fetched_files,
        fetched_nbytes=fetch.counts.fetched_nbytes,
        is_partial=not fetch.is_complete,
    )
