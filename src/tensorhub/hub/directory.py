"""The directory: every repository with what lists show of it, in memory.

Duty: entries made of the store's index and of profiles; those that a reader may see. Not its duty: noticing changes
(:class:`tensorhub.store.repository_index.RepositoryIndex`); who may see what (``access``, given as a function); the
page or the API that shows them.
Invariants: entries are values that never change, and a list of them is of one moment: later than the question began,
whichever process changed something. Damage in one repository does not hide others.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tensorhub.errors import NotFoundError, TensorHubError
from tensorhub.hub.profile import Profile
from tensorhub.hub.profile_reader import read_profile
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store.repository_index import RepositoryIndex
from tensorhub.store.store import Store
from tensorhub.store.values import RepositoryInfo

_LOG = logging.getLogger("tensorhub.hub")
_LOOK_S = 2.0  # how soon the profile of a new commit is read when nobody asks for it
_BATCH = 200  # profiles read before the entries are replaced, which copies them all

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """A repository as lists show it; sizes are those of its default revision.

    Attributes
    ----------
    repository
        As written.
    info
        What the store's index says.
    created_at_ms
        Date of the first commit that is known, milliseconds since 1970 UTC; 0 without commits.
    profile
        What it says of itself; None while nobody has read that yet (:meth:`Directory.profile` does).
    """

    repository: RepositoryId
    info: RepositoryInfo
    created_at_ms: int
    profile: Profile | None = None

    @property
    def commit_id(self) -> str | None:
        """Newest commit of ``main``, else of the first ref; None for an empty repository."""
        names = {ref.name: ref.commit_id for ref in self.info.refs}
        return names.get("refs/heads/main") or next(iter(names.values()), None)

    @property
    def modified_at_ms(self) -> int:
        """Date of that commit; 0 without one."""
        return self.info.date_ms or 0

    @property
    def files(self) -> int:
        """How many it has."""
        return self.info.files

    @property
    def nbytes(self) -> int:
        """Decoded size of its files together."""
        return self.info.nbytes

    @property
    def damage(self) -> str:
        """Why it cannot be listed; empty for a sound one."""
        return self.info.damage or ""


class Directory:
    """The entries of one store, for many threads.

    Parameters
    ----------
    store
        Whose.

    Notes
    -----
    Between :meth:`start` and :meth:`stop` a thread reads profiles ahead of who asks for them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._index = RepositoryIndex(store)
        self._generation = -1
        self._entries: Mapping[Key, Entry] = {}  # replaced as a whole, never changed
        self._lock = threading.Lock()  # guards the two above
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    # -- questions ----------------------------------------------------------------------------------------------

    def entries(self) -> Sequence[Entry]:
        """Give every entry, ordered by type and id. The first call reads the whole store's refs; others take little."""
        return list(self._refreshed().values())

    @property
    def generation(self) -> int:
        """Another number after anything but a profile changed, for whoever keeps what he made of entries."""
        self._refreshed()
        return self._generation

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
            for entry in self._refreshed().values()
            if (repo_type is None or entry.repository.repo_type is repo_type) and may_read(entry.repository)
        ]

    def entry(self, repository: RepositoryId) -> Entry:
        """Give the entry of one repository.

        Raises
        ------
        NotFoundError
            There is no such repository.
        """
        found = self._refreshed().get(repository.key)
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

    @property
    def is_profiled(self) -> bool:
        """Whether every entry has its profile, so that lists can be filtered by tags at once."""
        return all(entry.profile is not None for entry in self._refreshed().values())

    # -- keeping them current -----------------------------------------------------------------------------------

    def _refreshed(self) -> Mapping[Key, Entry]:
        if self._index.refresh() != self._generation:
            with self._lock:
                generation, infos = self._index.generation, self._index.repositories
                if generation != self._generation:
                    self._entries = {
                        repository.key: self._make_entry(repository, info)
                        for repository, info in infos.items()
                    }
                    self._generation = generation
        return self._entries

    def _make_entry(self, repository: RepositoryId, info: RepositoryInfo) -> Entry:
        known = self._entries.get(repository.key)
        if known is not None and known.info is info and known.repository == repository:
            return known
        entry = Entry(repository, info, known.created_at_ms if known and known.created_at_ms else 0)
        if entry.commit_id is None:
            return replace(entry, created_at_ms=0, profile=Profile())
        if known is not None and known.commit_id == entry.commit_id:
            entry = replace(entry, profile=known.profile)
        return entry if entry.created_at_ms else replace(entry, created_at_ms=self._first_date_ms(entry))

    def _first_date_ms(self, entry: Entry) -> int:
        rows = self._store.catalog.ask(
            "SELECT min(date_ms) FROM repository_tree WHERE repo_type = ? AND repo_id = ?",
            (entry.repository.repo_type.value, entry.repository.repo_id),
        )
        return min(rows[0][0] or entry.modified_at_ms, entry.modified_at_ms)

    def _read_profile(self, entry: Entry) -> Profile:
        if entry.commit_id is None:
            return Profile()
        try:
            snapshot = self._store.snapshots.snapshot(entry.repository, entry.commit_id)
            return read_profile(self._store, snapshot)
        except TensorHubError as error:
            _LOG.warning("reading the card of %s: %s", entry.repository, error)
            return Profile()

    def _keep_profiles(self, found: Sequence[tuple[Entry, Profile]]) -> None:
        with self._lock:
            entries = dict(self._entries)
            for entry, profile in found:
                present = entries.get(entry.repository.key)
                if present is not None and present.commit_id == entry.commit_id:
                    entries[entry.repository.key] = replace(present, profile=profile)
            self._entries = entries

    # -- background ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to read profiles in a thread."""
        self._thread = threading.Thread(target=self._run, name="hub-directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End that thread, and wait for its end."""
        self._is_stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._fill_profiles()
            except TensorHubError as error:
                _LOG.warning("looking at the repositories: %s", error)
            self._wake.wait(_LOOK_S)

    def _fill_profiles(self) -> None:
        found: list[tuple[Entry, Profile]] = []
        for entry in self.entries():
            if self._is_stopping:
                return
            if entry.profile is None:
                found.append((entry, self._read_profile(entry)))
            if len(found) >= _BATCH:
                self._keep_profiles(found)
                found = []
        if found:
            self._keep_profiles(found)
