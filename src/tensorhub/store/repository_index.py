"""The repository index: every repository with its size and date, in memory, brought up to date for little.

Duty: what :meth:`tensorhub.Store.repositories` lists, for a page that is asked many times a second. Not its duty: who
may see which (the hub), or search.
Invariants: after :meth:`RepositoryIndex.refresh` it says what the refs said at some moment after the call began;
changes by this store's own object cost only what they touch, those of other processes one look at every
repository's folders. Safe to use from many threads.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tensorhub.schema.names import RepositoryId
from tensorhub.store.layout import SETTLED_NS
from tensorhub.store.listing import describe_repositories
from tensorhub.store.values import RepositoryInfo

if TYPE_CHECKING:
    from tensorhub.store.store import Store

# Every so often all folders are looked at, whatever ``leases/refs-changed`` says: a crash between a change and its
# note, or somebody's hand, is seen then. It takes 0.2 s for 10,000 repositories.
RESCAN_S = 60.0

Folders = tuple[tuple[str, int], ...]


class RepositoryIndex:
    """Knows every repository of a store.

    Parameters
    ----------
    store
        Whose; the first :meth:`refresh` reads all of it.

    Attributes
    ----------
    generation
        Counts the refreshes that found something; what was made from an equal one is still right.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._stamp = -1
        self._scanned_at_s = float("-inf")
        self._folders: dict[RepositoryId, Folders] = {}
        self._infos: dict[RepositoryId, RepositoryInfo] = {}  # replaced as a whole, never changed
        self.generation = 0

    @property
    def repositories(self) -> Mapping[RepositoryId, RepositoryInfo]:
        """What the last refresh found, ordered by type and id; it does not change any more."""
        return MappingProxyType(self._infos)

    def refresh(self) -> int:
        """Take notice of what changed; gives the generation. Costs microseconds where nothing did."""
        with self._lock:
            stamp, changed = self._store.ref_store.changes_since(self._stamp)
            is_due = time.monotonic() - self._scanned_at_s > RESCAN_S
            if is_due or changed is None:
                self._rescan()
            elif changed:
                self._look_again(changed)
            self._stamp = stamp
            return self.generation

    def _rescan(self) -> None:
        """Compare the times of all folders with those of the last look."""
        started_ns = time.time_ns()
        repositories = self._store.ref_store.repositories()
        before, self._folders = self._folders, {}
        changed: list[RepositoryId] = []
        for repository in repositories:
            folders = self._look(repository, started_ns)
            if folders is not None:
                self._folders[repository] = folders
            if folders is None or before.get(repository) != folders:
                changed.append(repository)
        described = describe_repositories(self._store, changed)
        self._replace({item: described.get(item) or self._infos[item] for item in repositories})
        self._scanned_at_s = time.monotonic()

    def _look_again(self, changed: set[RepositoryId]) -> None:
        """Describe some repositories anew; others were not touched."""
        infos = dict(self._infos)
        here = []
        for repository in changed:
            self._folders.pop(repository, None)  # so that the next full look reads it
            if self._store.layout.repository(repository).is_dir():
                here.append(repository)
            else:
                infos.pop(repository, None)
        is_new = any(item not in infos for item in here)
        infos |= describe_repositories(self._store, here)
        self._replace(dict(sorted(infos.items(), key=lambda item: item[0].key)) if is_new else infos)

    def _replace(self, infos: dict[RepositoryId, RepositoryInfo]) -> None:
        if infos != self._infos or not self.generation:
            self._infos = infos
            self.generation += 1

    def _look(self, repository: RepositoryId, now_ns: int) -> Folders | None:
        """Give the times of a repository's folders of refs; None where they are too young to be trusted."""
        found: list[tuple[str, int]] = []
        try:
            with os.scandir(self._store.layout.repository(repository)) as entries:
                for entry in entries:
                    mtime_ns = entry.stat().st_mtime_ns
                    if now_ns - mtime_ns < SETTLED_NS:
                        return None
                    found.append((entry.name, mtime_ns))
        except OSError:
            return None
        return tuple(sorted(found))
