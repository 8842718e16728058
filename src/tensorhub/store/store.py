"""The store: one hub directory, opened.

Duty: the face that callers hold: open, list, read, begin commits, delete. Not its duty: long work on whole
stores, which are functions beside it (``add``, ``restore``, ``stats``, ``verify``, ``gc`` …).
Invariants: opening never changes packs or refs. A ``Store`` may be used from many threads; a
transaction from one.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorhub.codecs.mode import Mode, parse_mode
from tensorhub.errors import (
    BackendPermissionError,
    StoreNotFoundError,
    TensorNotFoundError,
    UsageError,
)
from tensorhub.schema.names import RepositoryId, RepoType, parse_ref
from tensorhub.schema.records import FileMode, TreeEntry
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.store.files import check_before_allocating, follow_link, open_buffered, read_range
from tensorhub.store.layout import Layout, Settings, create_layout, open_layout
from tensorhub.store.leases import store_lock
from tensorhub.store.listing import list_commits, list_files, list_repositories, list_tensors
from tensorhub.store.numpy_dtypes import to_numpy_dtype
from tensorhub.store.places import Places, fill_places, has_unfinished_move, mend_moves
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.read_plan import FileMap
from tensorhub.store.reader import BlobReader
from tensorhub.store.ref_changes import create_ref, move_repository
from tensorhub.store.refs import RefStore
from tensorhub.store.remove import delete_ref, delete_repository, squash
from tensorhub.store.snapshots import Snapshots, as_repository
from tensorhub.store.state import State
from tensorhub.store.sync import open_catalog
from tensorhub.store.transaction import CommitTransaction
from tensorhub.store.values import CommitInfo, FileInfo, RefInfo, RemoveResult, RepositoryInfo, TensorInfo


class Store:
    """An open store. Make one with :meth:`create` or :meth:`open`; close it, or use it as a context manager.

    Attributes
    ----------
    path
        The hub directory.
    store_id
        32 hexadecimal digits that tell stores apart.
    state
        What an operator decided; touches the disk on first use.
    """

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self.layout = layout
        self.settings = settings
        self.state = State(layout.state)
        self.catalog = open_catalog(layout, settings)
        self.ref_store = RefStore(layout)
        self.snapshots = Snapshots(self.catalog, self.ref_store, settings.hasher)
        self.reader = BlobReader(self.catalog, layout)
        self.places = Places(self.catalog)
        if self.catalog.is_new or self.catalog.has_news:
            fill_places(self.catalog, self.ref_store, self.snapshots)
        if has_unfinished_move(self.catalog) and os.access(layout.root, os.W_OK):
            with store_lock(layout):
                mend_moves(self.catalog, self.ref_store, self.snapshots)

    @classmethod
    def create(cls, path: Path | str, *, is_keyed: bool = False, mode: str | Mode = Mode.BALANCED) -> Store:
        """Make an empty store and open it.

        Parameters
        ----------
        path
            A new or empty folder.
        is_keyed
            Name blobs by keyed BLAKE3 under a random key, so that digests say nothing to those without it.
        mode
            How hard encoders try where a call does not say.

        Raises
        ------
        UsageError
            There is no mode of this name.
        AlreadyExistsError
            The folder is not empty.
        BackendError
            It cannot be written.
        """
        chosen = mode if isinstance(mode, Mode) else parse_mode(mode)
        return cls(*create_layout(Path(path), is_keyed=is_keyed, mode=chosen))

    @classmethod
    def open(cls, path: Path | str, *, create: bool = False) -> Store:
        """Open a store.

        Parameters
        ----------
        path
            The hub directory.
        create
            Make it when there is none.

        Raises
        ------
        StoreNotFoundError, UnsupportedVersionError
            There is no store, or a newer version wrote it.
        CorruptIndexError
            ``hub.json`` or the catalogue is damaged.
        """
        try:
            return cls(*open_layout(Path(path)))
        except StoreNotFoundError:
            if not create:
                raise
        return cls.create(path)

    @property
    def path(self) -> Path:
        """The hub directory."""
        return self.layout.root

    @property
    def store_id(self) -> str:
        """The store's id, 32 hexadecimal digits."""
        return self.settings.store_id.hex()

    @property
    def mode(self) -> Mode:
        """How hard encoders try where a call does not say; chosen when the store was made."""
        return self.settings.mode

    def close(self) -> None:
        """Give files back."""
        self.reader.forget()
        self.catalog.close()
        self.state.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writing ------------------------------------------------------------------------------------------------

    def create_repository(self, repository: str | RepositoryId) -> RepositoryId:
        """Make an empty repository; gives the existing one as it is written where there is one."""
        self._check_writable()
        with store_lock(self.layout):  # two spellings of one id must not both be made
            return self.ref_store.create_repository(as_repository(repository))

    def create_ref(self, repository: str | RepositoryId, name: str, revision: str | None = None) -> RefInfo:
        """Make a branch, a tag or another ref on a commit that the repository has.

        Parameters
        ----------
        repository
            Where.
        name
            A branch, or ``refs/tags/...``, ``refs/pr/...``, ``refs/convert/...``.
        revision
            Where it points, as for :meth:`resolve`; None for ``main``, else for the repository's only ref.

        Raises
        ------
        RepositoryNotFoundError, RevisionNotFoundError
            There is no such repository, or no such revision in it.
        AlreadyExistsError
            There is a ref of this name.
        """
        self._check_writable()
        ref = parse_ref(name)
        reference = create_ref(self, self.snapshots.repository(repository), ref, revision)
        return RefInfo(str(ref), reference.commit_id)

    def move_repository(self, repository: str | RepositoryId, new: str | RepositoryId) -> RepositoryId:
        """Give a repository another id, with all of its refs.

        The old id means nothing afterwards; a commit that somebody began under it is refused when it is published.

        Raises
        ------
        RepositoryNotFoundError
            There is none.
        AlreadyExistsError
            The new id is taken. Another spelling of its own is not.
        UsageError
            The new one is of another type.
        """
        self._check_writable()
        return move_repository(self, self.snapshots.repository(repository), as_repository(new))

    def begin_commit(
        self,
        repository: str | RepositoryId,
        *,
        revision: str = "main",
        start: str | None = None,
        mode: str | Mode | None = None,
        progress: Progress | None = None,
        workers: int | None = None,
    ) -> CommitTransaction:
        """Begin a commit on top of a ref's present tree.

        Parameters
        ----------
        repository
            Made on ``publish`` if it does not exist.
        revision
            The ref that will move; made if it does not exist.
        start
            Where such a new ref begins: a revision of the same repository, whose tree this commit changes and
            which becomes its parent. Not used where the ref exists; None for an empty tree.
        mode
            How hard encoders try; by default as hard as the store says.
        progress
            Told the bytes done.
        workers
            Threads that digest and code; by default one per processor.

        Returns
        -------
        CommitTransaction
            A context manager; nothing is visible before its ``publish``.

        Raises
        ------
        UsageError
            There is no mode of this name.
        RepositoryNotFoundError, RevisionNotFoundError
            There is no such ``start``.
        """
        self._check_writable()
        asked, chosen = as_repository(repository), self.settings.choose_mode(mode)
        found = self.ref_store.find_repository(asked) or asked
        return CommitTransaction(
            self,
            found,
            parse_ref(revision),
            chosen,
            progress or Quiet(),
            workers or os.cpu_count() or 1,
            start,
        )

    def delete_ref(
        self, repository: str | RepositoryId, name: str, *, is_dry_run: bool = False
    ) -> RemoveResult:
        """Remove a ref; its content stays until gc, and for good where something else reaches it.

        Raises
        ------
        RepositoryNotFoundError, RevisionNotFoundError
            There is none.
        """
        return delete_ref(self, self.snapshots.repository(repository), parse_ref(name), is_dry_run=is_dry_run)

    def squash(
        self,
        repository: str | RepositoryId,
        name: str = "main",
        *,
        message: str = "",
        is_dry_run: bool = False,
    ) -> RemoveResult:
        """Drop a ref's history: its present tree becomes a first commit.

        Raises
        ------
        RepositoryNotFoundError, RevisionNotFoundError
            There is none.
        """
        found = self.snapshots.repository(repository)
        return squash(self, found, parse_ref(name), message=message, is_dry_run=is_dry_run)

    def delete_repository(self, repository: str | RepositoryId, *, is_dry_run: bool = False) -> RemoveResult:
        """Remove a repository with all of its refs; its content stays until gc.

        Raises
        ------
        RepositoryNotFoundError
            There is none.
        """
        return delete_repository(self, self.snapshots.repository(repository), is_dry_run=is_dry_run)

    def _check_writable(self) -> None:
        if not os.access(self.layout.root, os.W_OK):
            raise BackendPermissionError(
                f"store {self.path}",
                expected="a writable folder",
                found="one that is read-only",
                path=str(self.path),
                action="Reading works; to write, remount the disk or change the folder's mode.",
            )

    # -- listing ------------------------------------------------------------------------------------------------

    def repositories(self, repo_type: str | None = None) -> list[RepositoryInfo]:
        """List repositories with the size of their default revision."""
        return list_repositories(self, RepoType(repo_type) if repo_type else None)

    def refs(self, repository: str | RepositoryId) -> list[RefInfo]:
        """List a repository's refs."""
        refs = self.ref_store.list(self.snapshots.repository(repository))
        return [RefInfo(str(ref), reference.commit_id) for ref, reference in refs.items()]

    def commits(self, repository: str | RepositoryId, revision: str | None = None) -> list[CommitInfo]:
        """List a revision's history, newest first."""
        return list_commits(self, repository, revision)

    def resolve(self, repository: str | RepositoryId, revision: str | None = None) -> str:
        """Give the commit id that a revision means now."""
        return self.snapshots.resolve(repository, revision).commit_id

    def files(self, repository: str | RepositoryId, revision: str | None = None) -> list[FileInfo]:
        """List the files of a snapshot."""
        return list_files(self, repository, revision)

    def tensors(
        self, repository: str | RepositoryId, revision: str | None = None, *, path: str | None = None
    ) -> list[TensorInfo]:
        """List the tensors of a snapshot, or of one of its files, with how each is stored."""
        return list_tensors(self, repository, revision, path)

    # -- reading ------------------------------------------------------------------------------------------------

    def read(
        self,
        repository: str | RepositoryId,
        path: str,
        *,
        revision: str | None = None,
        offset: int = 0,
        length: int | None = None,
    ) -> bytes:
        """Read a range of a file; cut off at its end.

        Raises
        ------
        NotFoundError
            There is no such repository, revision or file.
        IntegrityError
            Something that the range needs is damaged.
        """
        if offset < 0 or (length is not None and length < 0):
            raise UsageError(
                f"range of {path}",
                expected="offset and length of at least 0",
                found=f"offset {offset}, length {length}",
                action="Give a range inside the file.",
            )
        file_map = FileMap(self._record(repository, path, revision)[1].segments)
        nbytes = max(0, min(file_map.nbytes - offset, file_map.nbytes if length is None else length))
        check_before_allocating(file_map, self.reader, offset, nbytes)
        out = bytearray(nbytes)
        read_range(file_map, self.reader, offset, memoryview(out))
        return bytes(out)

    def open_file(
        self, repository: str | RepositoryId, path: str, *, revision: str | None = None
    ) -> io.BufferedReader:
        """Open a file for reading: seekable, binary; use it from one thread."""
        entry, record = self._record(repository, path, revision)
        return open_buffered(record, self.reader, entry.path)

    def read_tensor(
        self,
        repository: str | RepositoryId,
        name: str,
        *,
        revision: str | None = None,
        path: str | None = None,
    ) -> NDArray[Any]:
        """Read one tensor as a NumPy array of its shape; BF16 and FP8 through ``ml_dtypes``.

        Raises
        ------
        TensorNotFoundError
            No file of the snapshot (or not this one) has a tensor of that name.
        UnsupportedDTypeError
            NumPy cannot view its type; use :meth:`read_tensor_bytes`.
        """
        spec, segment = self._tensor(repository, name, revision, path)
        if segment.nbytes:
            self.reader.record(segment.digest, nbytes=segment.nbytes)
        array = np.empty(spec.shape, to_numpy_dtype(spec.dtype))
        if segment.nbytes:
            self.reader.read_into(segment.digest, 0, array.reshape(-1).view(np.uint8).data)
        return array

    def read_tensor_bytes(
        self,
        repository: str | RepositoryId,
        name: str,
        *,
        revision: str | None = None,
        path: str | None = None,
    ) -> bytes:
        """Read one tensor's bytes, whatever its type.

        Raises
        ------
        TensorNotFoundError
            No file of the snapshot (or not this one) has a tensor of that name.
        """
        _, segment = self._tensor(repository, name, revision, path)
        if segment.nbytes:
            self.reader.record(segment.digest, nbytes=segment.nbytes)
        out = bytearray(segment.nbytes)
        if out:
            self.reader.read_into(segment.digest, 0, out)
        return bytes(out)

    def _record(
        self, repository: str | RepositoryId, path: str, revision: str | None
    ) -> tuple[TreeEntry, Any]:
        snapshot = self.snapshots.snapshot(repository, revision)
        entry = snapshot.entry(path)
        if entry.mode is FileMode.SYMLINK:
            entry = follow_link(snapshot, entry, self.reader)
        return entry, snapshot.record(entry)

    def _tensor(
        self, repository: str | RepositoryId, name: str, revision: str | None, path: str | None
    ) -> tuple[TensorSpec, Segment]:
        snapshot = self.snapshots.snapshot(repository, revision)
        for entry in [snapshot.entry(path)] if path is not None else snapshot.tree.entries:
            for segment in snapshot.record(entry).segments:
                if segment.tensor is not None and segment.tensor.name == name:
                    return segment.tensor, segment
        raise TensorNotFoundError(
            f"tensor {name!r} in {snapshot.repository}" + (f":{path}" if path else ""),
            expected="a tensor of that name",
            found="none",
            path=path,
            action="See `tensorhub ls --tensors`.",
        )
