"""What is to be fetched from another hub, and how far that is: values.

Duty: ask for a revision's list; the counts. Not its duty: fetching (``fetching``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tensorhub.hub.upstream import Upstream, UpstreamCommit, UpstreamFile, UpstreamRevision, resolve_ref
from tensorhub.schema.names import RefName, parse_ref


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What is to be brought in.

    Attributes
    ----------
    revision
        The repository and commit there.
    commit
        What the commit says of itself.
    ref
        The ref here that shall lead to it; None for the commit's id alone.
    files
        All files of the commit.
    selected
        Paths that are wanted.
    """

    revision: UpstreamRevision
    commit: UpstreamCommit
    ref: RefName | None
    files: tuple[UpstreamFile, ...]
    selected: frozenset[str]


def plan_fetch(
    upstream: Upstream,
    revision: UpstreamRevision,
    name: str,
    *,
    select: Callable[[str], bool] = lambda _: True,
) -> FetchPlan:
    """Ask the other hub for all that is needed to fetch a revision.

    Parameters
    ----------
    upstream
        The other hub.
    revision
        As it gave it.
    name
        What was asked for: a branch, a tag, ``refs/…`` or a commit id.
    select
        Which paths are wanted.

    Raises
    ------
    TensorHubError
        See :class:`Upstream`.
    """
    ref = resolve_ref(upstream, revision.repository, name)
    files = upstream.files(revision.repository, revision.commit_id)
    commit = upstream.commit(revision.repository, revision.commit_id)
    selected = frozenset(file.path for file in files if select(file.path))
    return FetchPlan(revision, commit, parse_ref(ref) if ref else None, tuple(files), selected)


@dataclass(slots=True)
class FetchProgress:
    """How far a fetch is.

    Attributes
    ----------
    present_files
        That the store had.
    fetched_files, fetched_nbytes
        That came.
    left_files, left_nbytes
        That are still to come.
    """

    present_files: int = 0
    fetched_files: int = 0
    fetched_nbytes: int = 0
    left_files: int = 0
    left_nbytes: int = 0
