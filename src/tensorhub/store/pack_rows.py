"""Rows of packs, remembered: every commit asks for all of them, several times.

Duty: give the packs that the catalogue knows, reading rows that are new only. Not its duty: packs on disk (``layout``).
Invariants: an answer is that of the transaction it is read in, whoever changed rows before. Safe for many threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from tensorhub.schema.digest import Digest


class _Sums(NamedTuple):
    """Tells one set of rows from another: a row that went, and one that took its id, seal at other times."""

    number: int
    last_id: int
    nbytes: int
    sealed: int

    def plus(self, rows: Sequence[Any]) -> _Sums:
        """Give what it is with more rows: id, digest, size, and sealing time cut to 32 bits."""
        return _Sums(
            self.number + len(rows),
            max((row[0] for row in rows), default=self.last_id),
            self.nbytes + sum(row[2] for row in rows),
            self.sealed + sum(row[3] for row in rows),
        )


_NONE = _Sums(0, 0, 0, 0)
_SUMS = text(
    "SELECT count(*), coalesce(max(id), 0), coalesce(sum(nbytes), 0), "
    "coalesce(sum(sealed_at_ns & 4294967295), 0) FROM pack"
)
_NEW = text("SELECT id, digest, nbytes, sealed_at_ns & 4294967295 FROM pack WHERE id > :after ORDER BY id")


class PackRows:
    """Remembers the rows of one catalogue."""

    def __init__(self) -> None:
        self._known: tuple[_Sums, dict[Digest, int]] = (_NONE, {})  # replaced as a whole, never changed

    def read(self, connection: Connection) -> dict[Digest, int]:
        """Give every pack with its size in bytes; the caller may change the answer.

        Parameters
        ----------
        connection
            A read transaction.
        """
        sums = _Sums(*connection.execute(_SUMS).one())
        before, packs = self._known
        if sums != before:
            rows = connection.execute(_NEW, {"after": before.last_id}).all()
            if before.plus(rows) != sums:  # others are gone
                packs, rows = {}, connection.execute(_NEW, {"after": 0}).all()
            packs = packs | {Digest(digest): nbytes for _, digest, nbytes, _ in rows}
            self._known = (sums, packs)
        return dict(packs)
