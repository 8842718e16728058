"""The directory: every repository with what lists show of it, in memory.

Duty: keep entries current, give those that a reader may see. Not its duty: who may see what (``access``, given as a
function); the page or the API that shows them.
Invariants: entries are values that never change, and a list of them is of one moment. New, removed and renamed
repositories are seen at once, whichever process made them; a commit is seen at once when :meth:`Directory.note` tells
of it, else within a few seconds. Damage in one repository does not hide others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tensorhub.errors import IntegrityError, NotFoundError, TensorHubError
from tensorhub.hub.profile import Profile
from tensorhub.hub.profile_reader import read_profile
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.schema.records import CommitReference
from tensorhub.store.store import Store

_LOG = logging.getLogger("tensorhub.hub")
_LOOK_S = 2.0  # how soon a commit by another process is seen
_LOOK_SHARE = (
    20  # looking takes at most a twentieth of one processor: it is done less often where it takes long
)
_SETTLED_NS = 2_000_000_000  # a folder's time that is younger may stay the same over a later change
_BATCH = 200  # profiles read before the entries are replaced, which copies them all
_STAMPED_KINDS = tuple(kind.value for kind in RefKind)

Key = tuple[str, str]
Stamp = tuple[int, ...]  # empty: do not trust it


@dataclass(frozen=True, slots=True)
class Entry:
    """A repository as lists show it; sizes are those of its default revision.

    Attributes
    ----------
    repository
        As written.
    head
        Newest commit of ``main``, else of the first ref; None for an empty repository.
    created_at_ms, modified_at_ms
        Dates of the first commit that is known and of ``head``, milliseconds since 1970 UTC; 0 without commits.
    files, tensors, nbytes
        Numbers and decoded size.
    refs
        How many it has.
    damage
        Why it cannot be listed; empty for a sound one.
    profile
        What it says of itself; None while nobody has read that yet (:meth:`Directory.profile` does).
    """

    repository: RepositoryId
    head: CommitReference | None = None
    created_at_ms: int = 0
    modified_at_ms: int = 0
    files: int = 0
    tensors: int = 0
    nbytes: int = 0
    refs: int = 0
    damage: str = ""
    profile: Profile | None = None


class Directory:
    """The entries of one store, for many threads.

    Parameters
    ----------
    store
        Whose.

    Notes
    -----
    Between :meth:`start` and :meth:`stop` a thread looks for changes; without it every question looks first.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._entries: Mapping[Key, Entry] = {}  # replaced as a whole, never changed
        self._stamps: dict[Key, Stamp] = {}
        self._names: list[RepositoryId] = []  # as they were when everything was looked at
        self._looking = threading.Lock()  # one looks at a time; guards what is above
        self._first_look = threading.Event()
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    # -- questions ----------------------------------------------------------------------------------------------

    def entries(self) -> Sequence[Entry]:
        """Give every entry, ordered by type and id; call from a thread that may wait."""
        if self._thread is None:
            self.look()
        else:
            self._first_look.wait()
            self._look_at_names()
        return list(self._entries.values())

    def readable(
        self, may_read: Callable[[RepositoryId], bool], repo_type: RepoType | None = None
    ) -> list[Entry]:
        """Give the entries that somebody may see.

        Parameters
        ----------
        may_read
            Says so of each.
        repo_type
            Only this type's.
        """
        return [
            entry
            for entry in self.entries()
            if (repo_type is None or entry.repository.repo_type is repo_type) and may_read(entry.repository)
        ]

    def entry(self, repository: RepositoryId) -> Entry:
        """Give the entry of one repository, as it is at this moment.

        Raises
        ------
        NotFoundError
            There is no such repository.
        """
        self.note(repository)
        found = self._entries.get(repository.key)
        if found is None:
            raise NotFoundError(f"repository {repository}", expected="one of the store's", found="none")
        return found

    def profile(self, entry: Entry) -> Profile:
        """Give what a repository says of itself; reads it where that was not done yet."""
        if entry.profile is not None:
            return entry.profile
        profile = self._read_profile(entry)
        self._keep_profiles([(entry, profile)])
        return profile

    def _keep_profiles(self, found: Sequence[tuple[Entry, Profile]]) -> None:
        with self._looking:
            entries = dict(self._entries)
            for entry, profile in found:
                present = entries.get(entry.repository.key)
                if present is not None and present.head == entry.head:
                    entries[entry.repository.key] = replace(present, profile=profile)
            self._entries = entries

    @property
    def is_profiled(self) -> bool:
        """Whether every entry has its profile, so that lists can be filtered by tags at once."""
        return all(entry.profile is not None for entry in self._entries.values())

    # -- changes ------------------------------------------------------------------------------------------------

    def note(self, repository: RepositoryId) -> None:
        """Look at one repository now: it was made, removed or changed."""
        with self._looking:
            found = self._store.ref_store.find_repository(repository)
            entries = dict(self._entries)
            if found is None:
                entries.pop(repository.key, None)
                self._stamps.pop(repository.key, None)
                self._entries = entries
                return
            stamp = self._stamp(found)
            known = entries.get(found.key)
            if known is not None and self._is_current(known, found, stamp):
                return
            entries[found.key] = self._describe(found, known)
            self._stamps[found.key] = stamp
            self._entries = entries if known is not None else _ordered(entries)

    def look(self) -> None:
        """Look at every repository, and describe those that changed anew."""
        with self._looking:
            names = self._list_names()
            entries: dict[Key, Entry] = {}
            for repository in names:
                stamp = self._stamp(repository)
                known = self._entries.get(repository.key)
                if known is None or not self._is_current(known, repository, stamp):
                    known = self._describe(repository, known)
                    self._stamps[repository.key] = stamp
                entries[repository.key] = known
            for key in self._stamps.keys() - entries.keys():
                del self._stamps[key]
            self._entries = _ordered(entries)
            self._names = names
        self._first_look.set()

    def _look_at_names(self) -> None:
        """Take notice of repositories that came and went; costs three ``stat`` calls where none did."""
        if self._list_names() != self._names:
            self.look()

    def _list_names(self) -> list[RepositoryId]:
        return self._store.ref_store.repositories()

    def _is_current(self, known: Entry, repository: RepositoryId, stamp: Stamp) -> bool:
        return bool(stamp) and stamp == self._stamps.get(repository.key) and known.repository == repository

    def _stamp(self, repository: RepositoryId) -> Stamp:
        """Give what is another after any ref of a repository moved: the times of its folders."""
        folder = self._store.layout.repository(repository)
        times = []
        for kind in _STAMPED_KINDS:
            try:
                times.append((folder / kind).stat().st_mtime_ns)
            except OSError:
                times.append(0)
        return tuple(times) if time.time_ns() - max(times) > _SETTLED_NS else ()

    def _describe(self, repository: RepositoryId, known: Entry | None) -> Entry:
        try:
            refs = self._store.ref_store.list(repository)
            head = refs.get(RefName(RefKind.HEADS, "main")) or next(iter(refs.values()), None)
            if head is None:
                return Entry(repository, refs=len(refs), profile=Profile())
            snapshots = self._store.snapshots
            commit = snapshots.commit(head.digest)
            files, tensors, nbytes = snapshots.tree_totals(commit.tree)
            created = min(self._first_date_ms(repository) or commit.date_ms, commit.date_ms)
        except (IntegrityError, NotFoundError) as error:
            return Entry(repository, damage=str(error), profile=Profile())
        profile = known.profile if known is not None and known.head == head else None
        return Entry(
            repository, head, created, commit.date_ms, files, tensors, nbytes, len(refs), profile=profile
        )

    def _first_date_ms(self, repository: RepositoryId) -> int | None:
        rows = self._store.catalog.ask(
            "SELECT min(date_ms) FROM repository_tree WHERE repo_type = ? AND repo_id = ?",
            (repository.repo_type.value, repository.repo_id),
        )
        return rows[0][0] if rows else None

    def _read_profile(self, entry: Entry) -> Profile:
        if entry.head is None:
            return Profile()
        try:
            return read_profile(self._store, self._store.snapshots.open(entry.repository, entry.head))
        except TensorHubError as error:
            _LOG.warning("reading the card of %s: %s", entry.repository, error)
            return Profile()

    # -- background ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look for changes in a thread."""
        self._thread = threading.Thread(target=self._run, name="hub-directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End that thread, and wait for its end."""
        self._is_stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._is_stopping:
            began = time.monotonic()
            took_s = 0.0
            try:
                self.look()
                took_s = time.monotonic() - began
                self._fill_profiles()
            except TensorHubError as error:
                _LOG.warning("looking at the repositories: %s", error)
            finally:
                self._first_look.set()  # whoever waits is better off with what there is
            self._wake.wait(min(60.0, max(_LOOK_S, _LOOK_SHARE * took_s)))

    def _fill_profiles(self) -> None:
        found: list[tuple[Entry, Profile]] = []
        for entry in list(self._entries.values()):
            if self._is_stopping:
                return
            if entry.profile is None:
                found.append((entry, self._read_profile(entry)))
            if len(found) >= _BATCH:
                self._keep_profiles(found)
                found = []
        if found:
            self._keep_profiles(found)


def _ordered(entries: Mapping[Key, Entry]) -> dict[Key, Entry]:
    return dict(sorted(entries.items()))
