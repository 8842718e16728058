"""The survey: totals, where the bytes went, who leans on whom, and growth, of a store at one moment.

Duty: all that a page shows about the store, or about what one reader may see of it, by SQL over the catalogue. Not its
duty: the truth about a damaged store (``totals`` and ``verify`` walk what refs reach), or who may see what (the hub).
Invariants: everything comes from one read transaction, so that its parts agree; the splits of repositories add up to
the totals; where the catalogue is in step with the refs, the totals are those of :func:`tensorhub.stats`. In a survey
of some repositories, content of the others counts nowhere and changes nothing, so that it tells nothing about them,
except that a base which lies in none of those asked about is told as such.

Live content is counted: every distinct file of a repository once, whatever the number of its commits. Content that
lies in several repositories belongs to the one that had it first (by the date of its commit, then by name); to the
others it is identical.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store.disk_usage import outside_packs_nbytes
from tensorhub.store.growth import GrowthPoint, read_growth
from tensorhub.store.values import Saved

if TYPE_CHECKING:
    from tensorhub.store.store import Store

_MAX_DATE_MS = 1 << 41  # the year 2039; later dates, which commits may claim, sort as this one
_MAX_REPOSITORIES = 1 << 21  # date and repository share a 63-bit number


@dataclass(frozen=True, slots=True)
class Split:
    """Where the bytes of one repository went.

    Attributes
    ----------
    identical_files_nbytes, identical_tensors_nbytes
        Decoded bytes that take nothing: of files, and of segments of its own files, that were there before.
    delta_nbytes, delta_stored_nbytes
        Decoded bytes coded against a base, and what they take.
    standalone_nbytes, standalone_stored_nbytes
        Decoded bytes coded by themselves, and what they take.
    """

    identical_files_nbytes: int = 0
    identical_tensors_nbytes: int = 0
    delta_nbytes: int = 0
    delta_stored_nbytes: int = 0
    standalone_nbytes: int = 0
    standalone_stored_nbytes: int = 0

    @property
    def nbytes(self) -> int:
        """All decoded bytes."""
        return (
            self.identical_files_nbytes
            + self.identical_tensors_nbytes
            + self.delta_nbytes
            + self.standalone_nbytes
        )

    @property
    def stored_nbytes(self) -> int:
        """What they take: coded bytes of which this repository is the first."""
        return self.delta_stored_nbytes + self.standalone_stored_nbytes

    def __add__(self, other: Split) -> Split:
        return Split(
            self.identical_files_nbytes + other.identical_files_nbytes,
            self.identical_tensors_nbytes + other.identical_tensors_nbytes,
            self.delta_nbytes + other.delta_nbytes,
            self.delta_stored_nbytes + other.delta_stored_nbytes,
            self.standalone_nbytes + other.standalone_nbytes,
            self.standalone_stored_nbytes + other.standalone_stored_nbytes,
        )


@dataclass(frozen=True, slots=True)
class FamilyEdge:
    """What one repository has from another.

    Attributes
    ----------
    child, parent
        Who leans, and on whom: the first that held the content, or the base. None where no repository that was asked
        about holds the base.
    identical_nbytes
        Decoded bytes of tensors, and of whole files with tensors, that both have; a licence makes no family.
    delta_nbytes, delta_stored_nbytes
        Decoded bytes of the child coded against content of the parent, and what they take.
    """

    child: RepositoryId
    parent: RepositoryId | None
    identical_nbytes: int
    delta_nbytes: int
    delta_stored_nbytes: int

    @property
    def nbytes(self) -> int:
        """Decoded bytes that the child has from the parent, in either way."""
        return self.identical_nbytes + self.delta_nbytes


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals, as :class:`tensorhub.Stats` has them.

    Of some repositories, what is stored is coded content alone: packs' tables, refs and the like belong to none.
    """

    repositories: int
    files: int
    tensors: int
    blobs: int
    nbytes: int
    stored_nbytes: int
    packs_nbytes: int
    saved: Saved

    @property
    def ratio(self) -> float:
        """``nbytes / stored_nbytes``; 0 for an empty store."""
        return self.nbytes / self.stored_nbytes if self.nbytes and self.stored_nbytes else 0.0


@dataclass(frozen=True, slots=True)
class Survey:
    """A store at one moment.

    Attributes
    ----------
    taken_at_ms
        When, milliseconds since 1970 UTC.
    summary
        Totals.
    split
        Where the bytes of all repositories went: the sum of ``splits``.
    splits
        The same of each repository that holds something.
    edges
        Who leans on whom, the largest first.
    growth
        How the store grew.
    """

    taken_at_ms: int
    summary: Summary
    split: Split
    splits: Mapping[RepositoryId, Split]
    edges: tuple[FamilyEdge, ...]
    growth: tuple[GrowthPoint, ...]


_TABLES = (
    "CREATE TEMP TABLE live_repository (id INTEGER PRIMARY KEY, repo_type TEXT, repo_id TEXT)",
    # In the order of names, so that smaller ids win where dates are equal.
    "INSERT INTO live_repository (repo_type, repo_id) SELECT DISTINCT repo_type, repo_id FROM repository_tree "
    "WHERE :asked IS NULL OR (repo_type, repo_id) IN "
    "(SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:asked)) "
    f"ORDER BY 1, 2 LIMIT {_MAX_REPOSITORIES - 1}",
    # ``came_ms``: by its commit, yet not before its tree was in the store; commits that were imported are older.
    "CREATE TEMP TABLE live_file (repository INT, file INT, date_ms INT, came_ms INT, "
    "PRIMARY KEY (file, repository)) WITHOUT ROWID",
    "INSERT INTO live_file "
    "SELECT live_repository.id, file, min(date_ms), min(max(date_ms, sealed_at_ns / 1000000)) FROM live_repository "
    "CROSS JOIN repository_tree USING (repo_type, repo_id) CROSS JOIN object AS stored ON stored.id = tree "
    "CROSS JOIN pack AS sealed ON sealed.id = stored.pack CROSS JOIN tree_entry USING (tree) GROUP BY 1, 2",
    "CREATE TEMP TABLE file_home (file INTEGER PRIMARY KEY, home INT, came_ms INT)",
    f"INSERT INTO file_home SELECT file, min(max(0, min(date_ms, {_MAX_DATE_MS - 1})) * {_MAX_REPOSITORIES} "
    "+ repository), min(came_ms) FROM live_file GROUP BY file",
    "CREATE TEMP TABLE blob_home (blob INTEGER PRIMARY KEY, home INT, came_ms INT)",
    "INSERT INTO blob_home SELECT blob, min(home), min(came_ms) FROM segment INDEXED BY segment_blob "
    "CROSS JOIN file_home USING (file) GROUP BY blob",
    f"UPDATE file_home SET home = home % {_MAX_REPOSITORIES}",
    f"UPDATE blob_home SET home = home % {_MAX_REPOSITORIES}",
)
_DROPS = tuple(
    f"DROP TABLE IF EXISTS temp.{name}" for name in ("live_repository", "live_file", "file_home", "blob_home")
)

_FILES = """
SELECT repository, sum(nbytes), coalesce(sum(nbytes) FILTER (WHERE home = repository), 0),
       count(*), sum(tensors)
FROM live_file CROSS JOIN file_home USING (file) CROSS JOIN object ON object.id = file GROUP BY repository
"""
_BLOBS = """
SELECT home, sum(nbytes), sum(delta_nbytes), sum(delta_stored_nbytes), sum(stored_nbytes), count(*)
FROM blob_home CROSS JOIN blob ON blob.id = blob_home.blob WHERE pack IS NOT NULL GROUP BY home
"""
# Sources that no live file holds, at any depth.
_LEANED_ON = """
WITH RECURSIVE needed(blob) AS (
    SELECT base FROM blob_home CROSS JOIN source ON source.blob = blob_home.blob
    UNION SELECT base FROM needed CROSS JOIN source ON source.blob = needed.blob)
SELECT coalesce(sum(stored_nbytes), 0) FROM needed CROSS JOIN blob ON blob.id = needed.blob
WHERE pack IS NOT NULL AND NOT EXISTS (SELECT 1 FROM blob_home WHERE blob_home.blob = needed.blob)
"""
_SAME_FILES = """
SELECT repository, home, sum(nbytes) FROM live_file CROSS JOIN file_home USING (file)
CROSS JOIN object ON object.id = file WHERE repository <> home AND object.tensors > 0 GROUP BY 1, 2
"""
_SAME_BLOBS = """
SELECT file_home.home, blob_home.home, sum(nbytes) FROM file_home CROSS JOIN segment USING (file)
CROSS JOIN blob_home ON blob_home.blob = segment.blob CROSS JOIN blob ON blob.id = segment.blob
WHERE file_home.home <> blob_home.home AND blob.row_nelems IS NOT NULL GROUP BY 1, 2
"""
_DELTAS = """
SELECT child.home, parent.home, sum(delta_nbytes), sum(delta_stored_nbytes)
FROM blob_home AS child CROSS JOIN blob ON blob.id = child.blob
LEFT JOIN blob_home AS parent ON parent.blob = (SELECT min(base) FROM source WHERE source.blob = child.blob)
WHERE pack IS NOT NULL AND delta_nbytes > 0 AND child.home IS NOT parent.home GROUP BY 1, 2
"""


def survey(store: Store, repositories: Collection[RepositoryId] | None = None) -> Survey:
    """Look at a store.

    Parameters
    ----------
    store
        Which.
    repositories
        As if it held only these, written as there; None for all of it, with what belongs to no repository.

    Notes
    -----
    Takes as long as reading all rows of the catalogue's segments, in which readers and writers go on: 0.7 s for
    10,000 small repositories with 400,000 tensors. Its tables lie in memory, some 30 bytes for each distinct blob
    and file.
    """
    asked = None
    if repositories is not None:
        asked = json.dumps([[item.repo_type.value, item.repo_id] for item in repositories])
    now_ms = time.time_ns() // 1_000_000
    with store.catalog.read() as connection:
        try:
            for statement in (*_DROPS, *_TABLES):  # what a call that broke off left goes first
                connection.execute(text(statement), {"asked": asked} if ":asked" in statement else {})
            names = {
                row[0]: RepositoryId(RepoType(row[1]), row[2])
                for row in connection.execute(text("SELECT id, repo_type, repo_id FROM temp.live_repository"))
            }
            splits, counts = _read_splits(connection, names)
            edges = _read_edges(connection, names)
            growth = read_growth(connection, now_ms, is_whole=asked is None)
            leaned_on = connection.execute(text(_LEANED_ON)).scalar_one()
            packs = connection.execute(text("SELECT coalesce(sum(nbytes), 0) FROM pack")).scalar_one()
        finally:
            for statement in _DROPS:
                connection.execute(text(statement))
    split = sum(splits.values(), Split())
    if repositories is None:
        number, refs = store.ref_store.count()
        stored_nbytes = packs + outside_packs_nbytes(store, refs)
    else:
        number, leaned_on, packs, stored_nbytes = (
            len(repositories),
            0,
            split.stored_nbytes,
            split.stored_nbytes,
        )
    saved = Saved(
        split.identical_files_nbytes,
        split.identical_tensors_nbytes,
        split.delta_nbytes - split.delta_stored_nbytes - leaned_on,
        split.standalone_nbytes - split.standalone_stored_nbytes,
        stored_nbytes - split.stored_nbytes - leaned_on,
    )
    summary = Summary(number, *counts, split.nbytes, stored_nbytes, packs, saved)
    return Survey(now_ms, summary, split, splits, edges, growth)


def _read_splits(
    connection: Connection, names: Mapping[int, RepositoryId]
) -> tuple[dict[RepositoryId, Split], tuple[int, int, int]]:
    """Give the split of each repository, and the number of files, tensors and blobs in all."""
    blobs: dict[int, Any] = {row[0]: row[1:] for row in connection.execute(text(_BLOBS))}
    splits: dict[RepositoryId, Split] = {}
    files = tensors = 0
    for repository, nbytes, own_nbytes, file_count, tensor_count in connection.execute(text(_FILES)):
        first, delta, delta_stored, stored, _ = blobs.get(repository, (0, 0, 0, 0, 0))
        files += file_count
        tensors += tensor_count
        splits[names[repository]] = Split(
            nbytes - own_nbytes, own_nbytes - first, delta, delta_stored, first - delta, stored - delta_stored
        )
    return splits, (files, tensors, sum(row[4] for row in blobs.values()))


def _read_edges(connection: Connection, names: Mapping[int, RepositoryId]) -> tuple[FamilyEdge, ...]:
    found: dict[tuple[int, int | None], list[int]] = {}
    for query in (_SAME_FILES, _SAME_BLOBS):
        for child, parent, nbytes in connection.execute(text(query)):
            found.setdefault((child, parent), [0, 0, 0])[0] += nbytes
    for child, parent, nbytes, stored_nbytes in connection.execute(text(_DELTAS)):
        found.setdefault((child, parent), [0, 0, 0])[1:] = [nbytes, stored_nbytes]
    edges = [
        FamilyEdge(names[child], None if parent is None else names[parent], *sums)
        for (child, parent), sums in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 0))
    ]
    return tuple(sorted(edges, key=lambda edge: -edge.nbytes))


class Surveyor:
    """Keeps the last survey of a whole store, and makes a new one where something changed. Safe for many threads.

    Parameters
    ----------
    store
        Whose.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._making = threading.Lock()
        self._change: tuple[int, int] | None = None
        self._latest: Survey | None = None

    @property
    def latest(self) -> Survey | None:
        """The last survey; None before the first :meth:`refresh`."""
        return self._latest

    def refresh(self) -> Survey:
        """Give a survey of the store as it is now: the last one where nothing changed since. May take seconds."""
        with self._making:
            change = self._store.catalog.change(), self._store.ref_store.stamp()
            if self._latest is None or change != self._change:
                self._latest = survey(self._store)
                self._change = change
            return self._latest
