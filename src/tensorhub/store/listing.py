"""Listings: repositories, commits, files and tensors as values.

Duty: put together what :class:`tensorhub.Store` lists. Not its duty: finding snapshots (``snapshots``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorhub.errors import IntegrityError
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.schema.records import FileMode
from tensorhub.store.values import CommitInfo, FileInfo, RefInfo, RepositoryInfo, TensorInfo

if TYPE_CHECKING:
    from tensorhub.store.store import Store

_MODES = {FileMode.FILE: "file", FileMode.EXECUTABLE: "executable", FileMode.SYMLINK: "symlink"}


def list_repositories(store: Store, repo_type: RepoType | None) -> list[RepositoryInfo]:
    """List repositories with the size of their default revision."""
    found: list[RepositoryInfo] = []
    for repository in store.ref_store.repositories(repo_type):
        try:
            found.append(_describe(store, repository))
        except IntegrityError as error:  # damage in one must not hide the others
            name = repository.repo_type.value, repository.repo_id
            found.append(RepositoryInfo(*name, (), 0, 0, None, str(error)))
    return found


def _describe(store: Store, repository: RepositoryId) -> RepositoryInfo:
    refs = store.ref_store.list(repository)
    default = refs.get(RefName(RefKind.HEADS, "main")) or next(iter(refs.values()), None)
    files, nbytes, date_ms = 0, 0, None
    if default is not None:
        commit = store.snapshots.commit(default.digest)
        files, _, nbytes = store.snapshots.tree_totals(commit.tree)
        date_ms = commit.date_ms
    infos = tuple(RefInfo(str(ref), reference.commit_id) for ref, reference in refs.items())
    return RepositoryInfo(repository.repo_type.value, repository.repo_id, infos, files, nbytes, date_ms)


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
