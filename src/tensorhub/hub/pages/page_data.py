"""What pages show of the whole store, kept in memory.

Duty: repositories with their stored sizes, totals, growth, families and disk use, for one reader. Not its duty: pages
of one repository, which read the store.
Invariants: an answer for a reader is made of repositories that he may see, and is kept under the set of them, never
under his name: whoever loses a right gets another answer at once. Nothing here walks the store within a request.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tensorhub.errors import TensorHubError
from tensorhub.hub.directory import Directory, Entry
from tensorhub.hub.pages.listing import RepositoryRow
from tensorhub.hub.pages.reader import Reader
from tensorhub.hub.pages.remembered import Remembered
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId
from tensorhub.store.disk_usage import disk_usage
from tensorhub.store.gc import collect_garbage
from tensorhub.store.last_verified import LastVerified, read_last_verified
from tensorhub.store.store import Store
from tensorhub.store.stored_sizes import stored_size_of_tree
from tensorhub.store.survey import Survey, Surveyor, survey
from tensorhub.store.values import GcReport

_FRESH_S = 5.0  # how old totals may be, where working them out takes less than a quarter of a second
_WAIT_S = 0.025  # how long a first reader waits for each of three answers: the page is to come within 0.1 s
KEEP_SIZES_S = 1.0  # between turns of looking stored sizes up ahead
_TURN_S = 0.2  # of looking up stored sizes at a time
_COMMIT = "SELECT digest FROM object WHERE commit_id = ? ORDER BY id DESC LIMIT 1"
_UNSETTLED_S = 3.0  # how long a list is kept in which stored sizes are missing
_MAX_VISIBLE = 32  # lists kept, for readers of different rights; one of 10,000 repositories takes 2 MB
FAMILY_WAIT_S = (
    3.0  # for a page that shows nothing else: four times what a survey of 10,000 repositories takes
)
_FORGET_S = 600.0  # how soon stored sizes follow `optimize`, which changes them without a commit


Commit = tuple[
    RepositoryId, str | None
]  # commit ids of imports are those of elsewhere, so the same in copies


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What the store takes on disk, by what it is for, and what the disk has; all in bytes."""

    packs: int
    packs_nbytes: int
    catalog_nbytes: int
    refs_nbytes: int
    state_nbytes: int
    other_nbytes: int
    stored_nbytes: int
    disk_nbytes: int
    free_nbytes: int


@dataclass(frozen=True)
class Visible:
    """The repositories that a reader may see, by type and name; ``name`` tells one set of them from another."""

    rows: tuple[RepositoryRow, ...]
    name: bytes

    @property
    def repositories(self) -> list[RepositoryId]:
        """Their ids."""
        return [row.repository for row in self.rows]

    @cached_property
    def by_repository(self) -> Mapping[RepositoryId, RepositoryRow]:
        """Give the row of each."""
        return {row.repository: row for row in self.rows}


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made for a reader, and of what; ``is_settled`` says that every stored size is known."""

    visible: Visible
    generation: int
    rules: object
    is_settled: bool
    made_at_s: float


class PageData:
    """Answers about one store; close it at the end. Safe for many threads.

    Parameters
    ----------
    store, directory
        Whose; borrowed.
    """

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory
        self._lock = threading.Lock()
        self._visible: OrderedDict[Hashable, _Made] = OrderedDict()
        self._surveyor = Surveyor(store)
        self._remembered = Remembered()
        self._stored: Mapping[Commit, int] = {}
        self._stored_since_s = time.monotonic()
        self._is_closed = False
        self._sized_generation = -1  # of the directory, when all sizes were known

    def close(self) -> None:
        """End the work in the background."""
        self._is_closed = True
        self._remembered.close()

    # -- repositories -------------------------------------------------------------------------------------------

    def visible(
        self, reader: Reader, is_private: Callable[[RepositoryId], bool] = lambda _: False
    ) -> Visible:
        """List every repository that a reader may see, by type and name.

        Parameters
        ----------
        reader
            Who asks.
        is_private
            Says which to mark as private.
        """
        generation = self._directory.generation
        with self._lock:
            kept = self._visible.get(reader.rights)
        if (
            reader.rights is not None
            and kept is not None
            and kept.generation == generation
            and kept.rules is reader.rules
            and (kept.is_settled or time.monotonic() - kept.made_at_s < _UNSETTLED_S)
            and time.monotonic() - self._stored_since_s <= _FORGET_S
        ):
            return kept.visible
        made = self._make_visible(reader, is_private, generation)
        if reader.rights is not None:
            with self._lock:
                self._visible[reader.rights] = made
                self._visible.move_to_end(reader.rights)
                while len(self._visible) > _MAX_VISIBLE:
                    self._visible.popitem(last=False)
        return made.visible

    def _make_visible(
        self, reader: Reader, is_private: Callable[[RepositoryId], bool], generation: int
    ) -> _Made:
        entries = self._directory.readable(reader.may_read)
        stored = self._stored_by_commit(entries)
        rows = tuple(
            RepositoryRow(
                entry.repository,
                entry.files,
                entry.nbytes,
                stored.get(_commit_of(entry)) if entry.files else 0,
                entry.modified_at_ms or None,
                is_private(entry.repository),
                bool(entry.damage),
            )
            for entry in entries
        )
        is_settled = all(row.stored_nbytes is not None or row.is_damaged for row in rows)
        visible = Visible(rows, _name(row.repository for row in rows))
        return _Made(visible, generation, reader.rules, is_settled, time.monotonic())

    def _stored_by_commit(self, entries: Sequence[Entry]) -> Mapping[Commit, int]:
        known = self._stored
        is_old = time.monotonic() - self._stored_since_s > _FORGET_S
        if is_old or any(_commit_of(entry) not in known for entry in entries if entry.files):
            found = self._remembered.ask(
                "stored",
                lambda: self._read_stored(entries),
                max_age_s=_TURN_S,
                wait_s=_WAIT_S,
                rest_share=3,  # there are turns until all are known, and then none
            )
            known = found if found is not None else known
        return known

    def keep_sizes(self) -> None:
        """Look stored sizes up ahead of who asks for them, one turn at a time; for the hub's upkeep."""
        if self._is_closed:
            return
        generation = self._directory.generation
        if generation == self._sized_generation and time.monotonic() - self._stored_since_s <= _FORGET_S:
            return
        entries = self._directory.entries()
        self._read_stored(entries)
        if all(_commit_of(entry) in self._stored for entry in entries if entry.files):
            self._sized_generation = generation

    def _read_stored(self, entries: Iterable[Entry]) -> Mapping[Commit, int]:
        """Look up sizes that are missing for as long as a turn lasts, so that other questions have theirs."""
        is_old = time.monotonic() - self._stored_since_s > _FORGET_S
        found: dict[Commit, int] = {} if is_old else dict(self._stored)
        until_s = time.monotonic() + _TURN_S
        for entry in entries:
            commit = _commit_of(entry)
            if commit not in found and entry.commit_id is not None:
                found[commit] = self._read_one(entry.commit_id)
                if time.monotonic() > until_s:
                    break
        if is_old:
            self._stored_since_s = time.monotonic()
        self._stored = found
        return found

    def _read_one(self, commit_id: str) -> int:
        """Give the stored size of a commit's files; 0 for one that is damaged, or was removed a moment ago."""
        try:
            rows = self._store.catalog.ask(_COMMIT, (bytes.fromhex(commit_id),))
            if not rows:
                return 0
            tree = self._store.snapshots.commit(Digest(rows[0][0])).tree
            return stored_size_of_tree(self._store.catalog, tree).stored_nbytes
        except TensorHubError:
            return 0

    # -- the whole ----------------------------------------------------------------------------------------------

    def survey(self, visible: Visible, *, is_whole: bool, wait_s: float = _WAIT_S) -> Survey | None:
        """Look at all that a reader may see.

        Parameters
        ----------
        visible
            That.
        is_whole
            Whether he may see the whole store, so that what it takes on disk may be told.
        wait_s
            How long to wait where there is none yet.

        Returns
        -------
        Survey or None
            None while the first one is made.
        """
        if is_whole:
            return self._remembered.ask("survey", self._surveyor.refresh, max_age_s=_FRESH_S, wait_s=wait_s)
        return self._remembered.ask(
            ("survey", visible.name),
            lambda: survey(self._store, visible.repositories),
            max_age_s=_FRESH_S,
            wait_s=wait_s,
        )

    def garbage(self) -> GcReport | None:
        """Say what gc would do; None while that is worked out."""
        return self._remembered.ask(
            "garbage",
            lambda: collect_garbage(self._store, is_dry_run=True),
            max_age_s=10 * _FRESH_S,
            wait_s=1.0,
        )

    def last_verified(self) -> LastVerified | None:
        """Say when the store was last verified as a whole, and what came of it; None where that is not known."""
        return read_last_verified(self._store)

    def disk_use(self, wait_s: float = 0.0) -> DiskUse | None:
        """Say what the store takes on disk; None while that is worked out for the first time."""
        return self._remembered.ask("disk", self._read_disk_use, max_age_s=_FRESH_S, wait_s=wait_s)

    def _read_disk_use(self) -> DiskUse:
        usage = disk_usage(self._store)
        disk = shutil.disk_usage(Path(self._store.path))
        return DiskUse(
            len(self._store.catalog.packs()),
            usage["packs"],
            usage["catalog"],
            usage["refs"],
            usage["state"],
            usage["other"],
            usage["all"],
            disk.total,
            disk.free,
        )


def _commit_of(entry: Entry) -> Commit:
    return entry.repository, entry.commit_id


def _name(repositories: Iterable[RepositoryId]) -> bytes:
    """Give a set of repositories a short name."""
    digest = hashlib.blake2b(digest_size=16)
    for repository in repositories:
        digest.update(f"{repository.repo_type.value} {repository.repo_id}\n".encode())
    return digest.digest()
