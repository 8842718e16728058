"""What the store answers: frozen values that callers read and print.

Duty: the results of the public functions, JSON-ready through :func:`to_json`.
Not its duty: how they are found. All sizes are decoded bytes (``nbytes``) or bytes on disk (``stored_nbytes``).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from tensorhub.schema.digest import Digest


def to_json(value: Any) -> Any:
    """Turn a result into what ``json.dumps`` takes: dataclasses to objects, digests and paths to text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Digest):
            return str(value)
        if type(value).__name__ in ("RepositoryId", "RefName"):
            return str(value)
        return {item.name: to_json(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class RefInfo:
    """A ref and the commit it points at; ``name`` as in ``refs/heads/main``."""

    name: str
    commit_id: str


@dataclass(frozen=True, slots=True)
class RepositoryInfo:
    """A repository in a listing.

    Attributes
    ----------
    repo_type, repo_id
        As written.
    refs
        Its refs; empty for an empty repository.
    files, nbytes
        Of the default revision (``main``, else the first ref).
    date_ms
        Date of that revision's commit, milliseconds since 1970 UTC; None when empty.
    damage
        Why its refs cannot be listed; None for a sound repository.
    """

    repo_type: str
    repo_id: str
    refs: tuple[RefInfo, ...]
    files: int
    nbytes: int
    date_ms: int | None
    damage: str | None = None


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """A commit in a history, newest first; ``parents`` are commit ids."""

    commit_id: str
    parents: tuple[str, ...]
    author: str
    date_ms: int
    title: str
    message: str
    is_partial: bool
    origin: str


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of a snapshot.

    Attributes
    ----------
    path
        Path in the repository.
    mode
        ``file``, ``executable`` or ``symlink``.
    nbytes
        Size.
    format_name
        What cut it into segments.
    tensors
        Number of tensor segments.
    digest
        Digest of the file record.
    """

    path: str
    mode: str
    nbytes: int
    format_name: str
    tensors: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor of a snapshot.

    Attributes
    ----------
    name, dtype, shape
        As the file says; dtype in safetensors spelling.
    path
        File that holds it.
    offset
        First byte in that file.
    nbytes
        Decoded size.
    stored_nbytes
        Coded size of its blob, however many share it.
    digest
        Blob digest.
    coding
        ``standalone`` or ``delta``.
    base
        Digest of the first base, for a delta.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    path: str
    offset: int
    nbytes: int
    stored_nbytes: int
    digest: Digest
    coding: str
    base: Digest | None


@dataclass(frozen=True, slots=True)
class AddResult:
    """What adding did to one repository.

    Attributes
    ----------
    repository, revision, commit_id
        Where it went; ``revision`` is the ref's short name.
    is_new_commit
        False where the tree was already the ref's tree.
    files, tensors, nbytes
        Of the resulting tree.
    added_nbytes
        Bytes of the content handed in this time.
    new_nbytes
        Bytes among them that no blob of the store held yet.
    delta_nbytes
        Bytes among the new ones that were coded against a base.
    stored_nbytes
        Coded bytes that the new ones took.
    bases
        Repository -> number of tensors coded against one of its tensors.
    notices
        What a person should know: links followed, files kept as bytes, and why.
    """

    repository: str
    revision: str
    commit_id: str
    is_new_commit: bool
    files: int
    tensors: int
    nbytes: int
    added_nbytes: int
    new_nbytes: int
    delta_nbytes: int
    stored_nbytes: int
    bases: dict[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What adding would do, told from sketches and samples without storing anything.

    ``identical_nbytes`` are held already; ``delta_nbytes`` would lean on a base;
    ``predicted_stored_nbytes`` is the coded size of everything new.
    """

    repository: str
    files: int
    tensors: int
    nbytes: int
    identical_nbytes: int
    delta_nbytes: int
    predicted_stored_nbytes: int
    bases: dict[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What restoring wrote."""

    repository: str
    commit_id: str
    destination: Path
    files: int
    nbytes: int
    is_partial: bool


@dataclass(frozen=True, slots=True)
class Saved:
    """Where the saving comes from, in bytes; adds up to ``nbytes - stored_nbytes``.

    ``overhead`` counts against the others: records, catalogue, refs, uploads, what is retained, and what gc could free.
    """

    identical_files: int
    identical_tensors: int
    delta: int
    standalone: int
    overhead: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Totals of a store.

    Attributes
    ----------
    repositories, revisions, files, tensors, blobs
        Live counts: repositories, commits reached, distinct files per repository, tensor segments in them,
        distinct blobs.
    nbytes
        Each distinct file content once per repository over all live commits, as the Hugging Face
        cache would keep it.
    stored_nbytes
        Every byte the store takes on disk.
    packs_nbytes, catalog_nbytes, refs_nbytes, state_nbytes, other_nbytes
        Its parts; other is above all uploads that no commit took up yet.
    retained_nbytes
        Coded bytes, among those of the packs, that no ref reaches but clients of the hub may refer to again.
    ratio
        ``nbytes / stored_nbytes``; 0 for an empty store.
    saved
        The split of ``nbytes - stored_nbytes``.
    mode
        The store's: ``fast``, ``balanced`` or ``max``.
    """

    repositories: int
    revisions: int
    files: int
    tensors: int
    blobs: int
    nbytes: int
    stored_nbytes: int
    packs_nbytes: int
    catalog_nbytes: int
    refs_nbytes: int
    state_nbytes: int
    other_nbytes: int
    retained_nbytes: int
    ratio: float
    saved: Saved
    mode: str


@dataclass(frozen=True, slots=True)
class LineageEdge:
    """What a repository shares with, or leans on in, another one.

    Attributes
    ----------
    repository
        The other one.
    identical_tensors, identical_nbytes
        Tensors that both have.
    delta_tensors, delta_nbytes
        Tensors here that are coded against a tensor there, and their decoded size.
    delta_stored_nbytes
        What they take now.
    standalone_nbytes
        What they are predicted to take without the other repository's tensors.
    """

    repository: str
    identical_tensors: int
    identical_nbytes: int
    delta_tensors: int
    delta_nbytes: int
    delta_stored_nbytes: int
    standalone_nbytes: int


@dataclass(frozen=True, slots=True)
class LineageReport:
    """Which repositories a repository's tensors lean on (``edges``) and which lean on it (``dependents``)."""

    repository: str
    commit_id: str
    tensors: int
    nbytes: int
    stored_nbytes: int
    edges: tuple[LineageEdge, ...]
    dependents: tuple[LineageEdge, ...]


@dataclass(frozen=True, slots=True)
class SimilarTensor:
    """A tensor near another one.

    Attributes
    ----------
    repository, path, name, shape, dtype
        Where it is; the first place where a blob occurs in several.
    digest
        Its blob.
    bit_distance
        Mean number of differing bits per element, estimated from sketches.
    predicted_ratio
        Predicted ratio of the asked tensor coded against this one.
    is_base
        Whether it is self-contained, so that it can serve as a base.
    """

    repository: str
    path: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    digest: Digest
    bit_distance: float
    predicted_ratio: float
    is_base: bool


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged thing and what it affects.

    ``kind`` is ``pack``, ``chunk``, ``blob``, ``file``, ``object``, ``ref`` or ``state``; ``affected`` are
    ``repository@commit:path`` of every live file that needs it.
    """

    kind: str
    thing: str
    detail: str
    affected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What verify looked at and what it found.

    ``set_aside`` are the ids of packs that a repair took out of service.
    """

    packs: int
    blobs: int
    chunks: int
    files: int
    nbytes: int
    stored_nbytes: int
    sha256_checked: int
    damages: tuple[Damage, ...]
    set_aside: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not self.damages


@dataclass(frozen=True, slots=True)
class RemoveResult:
    """What removing did, or would do.

    Attributes
    ----------
    repository, removed
        What was asked to go: the refs, or the whole repository.
    freed_nbytes
        Coded bytes that nothing live needs afterwards; gc gives them back.
    kept_for_others_nbytes
        Coded bytes of the removed content that stay because others share or lean on them.
    is_dry_run
        Nothing was changed.
    """

    repository: str
    removed: tuple[str, ...]
    freed_nbytes: int
    kept_for_others_nbytes: int
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class OptimizeReport:
    """What optimizing did, or would do; of the blobs that were asked for, with the bases that they lean on.

    Attributes
    ----------
    mode
        ``fast``, ``balanced`` or ``max``.
    blobs
        All of them.
    blobs_settled
        Those of which an earlier run had found out that nothing is to be done.
    blobs_rewritten
        Those of which chunks were coded anew.
    blobs_kept
        Those that the mode would code in another way, but not smaller.
    nbytes, stored_nbytes_before, stored_nbytes_after
        Decoded size, and coded size as it was and is; gc gives the difference back.
    damaged
        Digests of blobs that could not be read, and stay as they are.
    is_dry_run
        Nothing was changed.
    """

    mode: str
    blobs: int
    blobs_settled: int
    blobs_rewritten: int
    blobs_kept: int
    nbytes: int
    stored_nbytes_before: int
    stored_nbytes_after: int
    damaged: tuple[str, ...]
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class GcReport:
    """What gc did, or would do; sizes are bytes on disk.

    ``retained_files`` and ``retained_nbytes`` are what stays only because clients of the hub may refer to it again;
    ``temporary_files_removed`` are unsealed packs and leases of dead writers, and old uploads.
    """

    packs_before: int
    packs_removed: int
    packs_rewritten: int
    blobs_removed: int
    freed_nbytes: int
    kept_recent_nbytes: int
    retained_files: int
    retained_nbytes: int
    temporary_files_removed: int
    is_dry_run: bool
