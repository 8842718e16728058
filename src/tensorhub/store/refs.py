"""Refs: names that point at commits, one small file each.

Duty: read, list, compare-and-swap, rename, delete. Not its duty: whether the commit exists.
Invariants: a ref changes only under the store lock, by atomic rename; its file holds
``<commit id> <commit digest>`` and a newline; after every change ``leases/refs-changed`` has another time, so that
whoever remembers refs sees with one look that they are still so. Specified in ``docs/format.md``, section 9.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tensorhub.errors import CorruptIndexError, RevisionMovedError, from_os_error
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.schema.records import CommitReference
from tensorhub.store.layout import (
    SETTLED_NS,
    Layout,
    decode_ref,
    decode_repository,
    fsync_folder,
    write_durably,
)

_LINE = re.compile(rb"([0-9a-f]{40}) (blake3:[0-9a-f]{64})\n")  # exactly: a damaged byte is never overlooked


# How long a list of repositories is brought up to date by the changes that this store notes, before all are listed
# anew: by then what somebody's hand did is seen, too.
_RELIST_S = 5.0
_REMEMBERED = 10_000  # own changes, a hundred bytes each: more between two looks are found by looking at all
REF_NBYTES = 113  # of every ref file: a commit id, a blank, a digest, a newline


@dataclass(slots=True)
class _Listed:
    """The repositories of one type by key, as they were: the folder's time (0: do not trust), the stamp, and when."""

    mtime_ns: int
    stamp: int
    listed_at_s: float
    by_key: dict[tuple[str, str], RepositoryId]
    ordered: list[RepositoryId] | None = None  # made when it is asked for


class RefStore:
    """The refs of one store; every answer is what the disk says now. Safe to use from many threads."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._listed: dict[RepoType, _Listed] = {}  # replaced as a whole, never changed
        self._own: OrderedDict[int, tuple[int, RepositoryId]] = (
            OrderedDict()
        )  # stamp before -> after, and what

    def find_repository(self, repository: RepositoryId) -> RepositoryId | None:
        """Give the repository as it is written in the store, compared without case; None if there is none."""
        if self._layout.repository(repository).is_dir():
            return repository
        return self._list_type(repository.repo_type).by_key.get(repository.key)

    # -- changes ------------------------------------------------------------------------------------------------

    def stamp(self) -> int:
        """Give a number that is another one after any change of refs, by whichever process; 0 before the first."""
        try:
            return self._layout.refs_changed.stat().st_mtime_ns
        except OSError:
            return 0

    def changes_since(self, stamp: int) -> tuple[int, set[RepositoryId] | None]:
        """Give the present stamp, and the repositories that changed since another one.

        None instead of a set says that others wrote meanwhile, or too much happened: any may have changed.
        """
        present, at = self.stamp(), stamp
        changed: set[RepositoryId] = set()
        while at != present:
            step = self._own.get(at)
            if step is None:
                return present, None
            at = step[0]
            changed.add(step[1])
        return present, changed

    def _note_change(self, repository: RepositoryId) -> None:
        """Give ``leases/refs-changed`` another time; under the store lock, so that no two changes leave the same."""
        path, before = self._layout.refs_changed, self.stamp()
        with suppress(OSError):  # a full disk: what remembers refs looks at all of them now and then
            if not before:
                path.touch()
            for step_ns in (1, 10_000_000_000):  # the second where the file system keeps whole seconds only
                wanted = max(time.time_ns(), before + step_ns)
                os.utime(path, ns=(wanted, wanted))
                if (after := self.stamp()) > before:
                    self._own[before] = (after, repository)
                    break
            while len(self._own) > _REMEMBERED:
                self._own.popitem(last=False)

    # -- repositories and refs ----------------------------------------------------------------------------------

    def _list_type(self, repo_type: RepoType) -> _Listed:
        """List the repositories of one type; anew only where the folder changed, and not by this store alone."""
        folder = self._layout.refs / repo_type.value
        try:
            mtime_ns = folder.stat().st_mtime_ns
        except OSError:
            mtime_ns = 0
        known = self._listed.get(repo_type)
        if known is not None and known.mtime_ns and known.mtime_ns == mtime_ns:
            return known
        now_s = time.monotonic()
        trusted_ns = mtime_ns if time.time_ns() - mtime_ns > SETTLED_NS else 0
        stamp, changed = (self.stamp(), None) if known is None else self.changes_since(known.stamp)
        if known is not None and changed is not None and now_s - known.listed_at_s < _RELIST_S:
            changed = {repository for repository in changed if repository.repo_type is repo_type}
            if changed or trusted_ns or stamp != known.stamp:
                by_key = self._bring_up_to_date(known.by_key, changed)
                ordered = None if changed else known.ordered
                known = self._listed[repo_type] = _Listed(
                    trusted_ns, stamp, known.listed_at_s, by_key, ordered
                )
            return known
        found = (decode_repository(repo_type.value, name) for name in _names(folder))
        listed = _Listed(trusted_ns, stamp, now_s, {repository.key: repository for repository in found})
        self._listed[repo_type] = listed
        return listed

    def _bring_up_to_date(
        self, by_key: dict[tuple[str, str], RepositoryId], changed: set[RepositoryId]
    ) -> dict[tuple[str, str], RepositoryId]:
        """Give a list with what changed in it."""
        if not changed:
            return by_key
        found = dict(by_key)
        for repository in changed:
            if self._layout.repository(repository).is_dir():
                found[repository.key] = repository
            elif found.get(repository.key) == repository:
                del found[repository.key]
        return found

    def create_repository(self, repository: RepositoryId) -> RepositoryId:
        """Make a repository, empty until a ref is written; an existing one is left as it is."""
        existing = self.find_repository(repository)
        if existing is not None:
            return existing
        folder = self._layout.repository(repository)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            fsync_folder(folder.parent)
        except OSError as error:
            raise from_os_error(error, f"creating the repository {repository}") from error
        self._note_change(repository)
        return repository

    def repositories(self, repo_type: RepoType | None = None) -> list[RepositoryId]:
        """List repositories, ordered by type and id."""
        kinds = sorted(RepoType, key=lambda kind: kind.value) if repo_type is None else (repo_type,)
        found: list[RepositoryId] = []
        for kind in kinds:
            listed = self._list_type(kind)
            if listed.ordered is None:
                listed.ordered = sorted(listed.by_key.values(), key=lambda repository: repository.key)
            found += listed.ordered
        return found

    def read(self, repository: RepositoryId, ref: RefName) -> CommitReference | None:
        """Read a ref; None if it does not exist.

        Raises
        ------
        CorruptIndexError
            The file does not hold a ref.
        """
        path = self._layout.ref(repository, ref)
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - half the time, and all refs are read at times
                data = file.read(REF_NBYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise from_os_error(error, f"reading the ref {ref} of {repository}") from error
        found = _LINE.fullmatch(data)
        if found is None:
            raise _corrupt(path, data[:120])
        return CommitReference(found[1].decode(), Digest.parse(found[2].decode()))

    def list(self, repository: RepositoryId) -> dict[RefName, CommitReference]:
        """Read every ref of a repository, ordered by kind and name."""
        found: dict[RefName, CommitReference] = {}
        folder = self._layout.repository(repository)
        present = set(_names(folder))
        for kind in RefKind:
            for name in sorted(_names(folder / kind.value)) if kind.value in present else ():
                ref = decode_ref(kind.value, name)
                reference = self.read(repository, ref)
                if reference is not None:
                    found[ref] = reference
        return found

    def count(self) -> tuple[int, int]:
        """Count repositories and refs, without reading any."""
        folders = [self._layout.repository(repository) for repository in self.repositories()]
        return len(folders), sum(len(_names(folder / kind)) for folder in folders for kind in _names(folder))

    def all(self) -> Iterator[tuple[RepositoryId, RefName, CommitReference]]:
        """Read every ref of the store."""
        for repository in self.repositories():
            for ref, reference in self.list(repository).items():
                yield repository, ref, reference

    def swap(
        self, repository: RepositoryId, ref: RefName, expected: CommitReference | None, new: CommitReference
    ) -> None:
        """Move a ref, if it still points where the caller thinks. Call under the store lock.

        Raises
        ------
        RevisionMovedError
            Another writer moved it first.
        """
        present = self.read(repository, ref)
        if present != expected:
            raise RevisionMovedError(
                f"{repository} {ref}",
                expected=expected.commit_id if expected else "no such ref yet",
                found=present.commit_id if present else "no ref",
                action="Look at the new commit, then add again.",
            )
        path = self._layout.ref(repository, ref)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for left in path.parent.glob(".*.tmp"):
                left.unlink(missing_ok=True)  # by a writer that was killed: we hold the lock, nobody writes
            for folder in (path.parent.parent, path.parent.parent.parent):
                fsync_folder(folder)
        except OSError as error:
            raise from_os_error(error, f"making the folder of the ref {ref} of {repository}") from error
        write_durably(path, f"{new.commit_id} {new.digest}\n".encode("ascii"))
        self._note_change(repository)

    def delete(self, repository: RepositoryId, ref: RefName) -> None:
        """Remove a ref. Call under the store lock."""
        path = self._layout.ref(repository, ref)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                fsync_folder(path.parent)
        except OSError as error:
            raise from_os_error(error, f"removing the ref {ref} of {repository}") from error
        self._note_change(repository)

    def rename_repository(self, repository: RepositoryId, new: RepositoryId) -> None:
        """Give a repository another id, with all of its refs at once. Call under the store lock."""
        folder, target = self._layout.repository(repository), self._layout.repository(new)
        try:
            folder.rename(target)
            fsync_folder(target.parent)
        except OSError as error:
            raise from_os_error(error, f"renaming the repository {repository} to {new}") from error
        self._note_change(repository)
        self._note_change(new)

    def delete_repository(self, repository: RepositoryId) -> None:
        """Remove a repository and all of its refs. Call under the store lock."""
        folder = self._layout.repository(repository)
        try:
            doomed = folder.with_name(
                f".{folder.name[:200]}.deleted"
            )  # one rename, so that no half stays visible
            shutil.rmtree(doomed, ignore_errors=True)
            folder.rename(doomed)
            fsync_folder(folder.parent)
            shutil.rmtree(doomed)
        except OSError as error:
            raise from_os_error(error, f"removing the repository {repository}") from error
        self._note_change(repository)


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise from_os_error(error, f"listing {folder}") from error


def _corrupt(path: Path, found: bytes) -> CorruptIndexError:
    return CorruptIndexError(
        f"ref file {path}",
        expected="a commit id and a commit digest",
        found=repr(found),
        path=str(path),
        action="Restore the file from a backup, or remove it and add the revision again.",
    )
