"""Listings: repositories, commits, files and tensors as values.

Duty: put together what :class:`tensorhub.Store` lists. Not its duty: finding snapshots (``snapshots``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tensorhub.errors import IntegrityError
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.schema.records import CommitReference, FileMode
from tensorhub.store.values import CommitInfo, FileInfo, RefInfo, RepositoryInfo, TensorInfo

if TYPE_CHECKING:
    from tensorhub.store.store import Store

_MAIN = RefName(RefKind.HEADS, "main")
_MODES = {FileMode.FILE: "file", FileMode.EXECUTABLE: "executable", FileMode.SYMLINK: "symlink"}


_AT_ONCE = 500  # repositories whose trees are in memory together


def list_repositories(store: Store, repo_type: RepoType | None) -> list[RepositoryInfo]:
    """List repositories with the size of their default revision."""
    return list(describe_repositories(store, store.ref_store.repositories(repo_type)).values())


def describe_repositories(
    store: Store, repositories: Sequence[RepositoryId]
) -> dict[RepositoryId, RepositoryInfo]:
    """Describe some repositories, in their order, by a few queries for many of them."""
    found: dict[RepositoryId, RepositoryInfo] = {}
    for start in range(0, len(repositories), _AT_ONCE):
        refs: dict[RepositoryId, dict[RefName, CommitReference]] = {}
        for repository in repositories[start : start + _AT_ONCE]:
            try:
                refs[repository] = store.ref_store.list(repository)
            except IntegrityError as error:  # damage in one must not hide the others
                found[repository] = _damaged(repository, error)
        found.update(_describe(store, refs))
    return {repository: found[repository] for repository in repositories}


def default_ref(refs: Mapping[RefName, CommitReference]) -> CommitReference | None:
    """Give what a repository shows when nobody says: ``main``, else its first ref; None for an empty one."""
    return refs.get(_MAIN) or next(iter(refs.values()), None)


def _damaged(repository: RepositoryId, error: IntegrityError) -> RepositoryInfo:
    return RepositoryInfo(repository.repo_type.value, repository.repo_id, (), 0, 0, None, str(error))


def _describe(
    store: Store, refs: Mapping[RepositoryId, Mapping[RefName, CommitReference]]
) -> dict[RepositoryId, RepositoryInfo]:
    """Describe repositories whose refs were read."""
    heads = {repository: default_ref(names) for repository, names in refs.items()}
    commits = store.snapshots.commits({head.digest for head in heads.values() if head is not None})
    trees = store.snapshots.trees({commit.tree for commit in commits.values()})
    sizes = store.snapshots.file_sizes(
        list({entry.file for tree in trees.values() for entry in tree.entries})
    )
    found: dict[RepositoryId, RepositoryInfo] = {}
    for repository, names in refs.items():
        head = heads[repository]
        files, nbytes, date_ms = 0, 0, None
        if head is not None:
            try:
                commit = commits.get(head.digest) or store.snapshots.commit(head.digest)
                entries = (trees.get(commit.tree) or store.snapshots.tree(commit.tree)).entries
            except IntegrityError as error:
                found[repository] = _damaged(repository, error)
                continue
            files, date_ms = len(entries), commit.date_ms
            nbytes = sum(sizes[entry.file][0] for entry in entries if entry.file in sizes)
        infos = tuple(RefInfo(str(ref), reference.commit_id) for ref, reference in names.items())
        name = repository.repo_type.value, repository.repo_id
        found[repository] = RepositoryInfo(*name, infos, files, nbytes, date_ms)
    return found


def list_commits(store: Store, repository: str | RepositoryId, revision: str | None) -> list[CommitInfo]:
    """List a revision's history, newest first."""
    found: list[CommitInfo] = []
    for reference in store.snapshots.walk([store.snapshots.resolve(repository, revision)]):
        commit = store.snapshots.commit(reference.digest)
        found.append(
            CommitInfo(
                reference.commit_id,
                tuple(parent.commit_id for parent in commit.parents),
                commit.author,
                commit.date_ms,
                commit.title,
                commit.message,
                commit.is_partial,
                commit.origin,
            )
        )
    return found


def list_files(store: Store, repository: str | RepositoryId, revision: str | None) -> list[FileInfo]:
    """List the files of a snapshot."""
    snapshot = store.snapshots.snapshot(repository, revision)
    found: list[FileInfo] = []
    for entry in snapshot.tree.entries:
        record = snapshot.record(entry)
        tensors = sum(1 for item in record.segments if item.tensor is not None)
        found.append(
            FileInfo(entry.path, _MODES[entry.mode], record.nbytes, record.format_name, tensors, entry.file)
        )
    return found


def list_tensors(
    store: Store, repository: str | RepositoryId, revision: str | None, path: str | None
) -> list[TensorInfo]:
    """List the tensors of a snapshot, or of one of its files, with how each is stored."""
    snapshot = store.snapshots.snapshot(repository, revision)
    entries = [snapshot.entry(path)] if path is not None else list(snapshot.tree.entries)
    found: list[TensorInfo] = []
    for entry in entries:
        segments = snapshot.record(entry).segments
        rows = store.catalog.blobs({item.digest for item in segments if item.tensor is not None})
        bases = store.catalog.bases([row.blob_id for row in rows.values() if not row.is_self_contained])
        offset = 0
        for segment in segments:
            if segment.tensor is not None:
                row = rows.get(segment.digest)
                found.append(
                    TensorInfo(
                        segment.tensor.name,
                        segment.tensor.dtype.name,
                        segment.tensor.shape,
                        entry.path,
                        offset,
                        segment.nbytes,
                        row.stored_nbytes if row else 0,
                        segment.digest,
                        "delta" if row and not row.is_self_contained else "standalone",
                        bases.get(row.blob_id) if row else None,
                    )
                )
            offset += segment.nbytes
    return found
