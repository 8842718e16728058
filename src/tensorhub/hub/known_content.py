"""Known content: which files the store has already, as far as who asks may know.

Duty: from SHA-256 digests to file records of repositories that may be read. Not its duty: deciding who may read.
Invariants: what lies only in repositories that may not be read is answered as what is not there; only digests that were
computed here count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import text

from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store.store import Store

# The first two conditions are literals, so that SQLite uses the index of SHA-256 facts.
_HOLDERS = text(
    "SELECT object.digest, object.nbytes, repository_tree.repo_type, repository_tree.repo_id FROM fact "
    "CROSS JOIN object ON object.digest = fact.subject "
    "CROSS JOIN tree_entry ON tree_entry.file = object.id "
    "CROSS JOIN repository_tree ON repository_tree.tree = tree_entry.tree "
    "WHERE fact.kind = 1 AND fact.is_claimed = 0 AND fact.value = :sha256"
)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that the store has: digest of its record, and size."""

    file: Digest
    nbytes: int


def find_known(
    store: Store, sha256s: Iterable[bytes], may_read: Callable[[RepositoryId], bool]
) -> dict[bytes, KnownFile]:
    """Find files by their SHA-256.

    Parameters
    ----------
    store
        Where.
    sha256s
        32 bytes each.
    may_read
        Whether who asks may read the files of a repository; asked once for each.

    Returns
    -------
    dict
        What is there and may be known of.
    """
    asked: dict[tuple[str, str], bool] = {}
    found: dict[bytes, KnownFile] = {}
    with store.catalog.read() as connection:
        for sha256 in set(sha256s):
            for row in connection.execute(_HOLDERS, {"sha256": sha256}):
                key = row.repo_type, row.repo_id
                if key not in asked:
                    asked[key] = may_read(RepositoryId(RepoType(row.repo_type), row.repo_id))
                if asked[key]:
                    found[sha256] = KnownFile(Digest(row.digest), row.nbytes)
                    break
    return found
