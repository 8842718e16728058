"""The xorb map: who sent which xorb, and where its chunks lie in the store since they were committed.

Duty: the rows in the state, and finding chunks of a xorb in stored files. Not its duty: received xorbs
(``xorb_files``), or how gc is kept from those files (``store.retention``).
Invariants: who did not send a xorb cannot refer to it, so that nobody learns from an answer what others have;
a place is believed only as long as its file is retained, which every commit and every use makes 30 days more.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.sqlite import insert

from tensorhub.hub.xet.shard import ChunkRun
from tensorhub.schema.digest import Digest
from tensorhub.store import state_schema as schema
from tensorhub.store.retention import retain, touch
from tensorhub.store.state import State
from tensorhub.store.store import Store

T = TypeVar("T")

# Clients remember for three weeks which chunks of which xorbs they sent, and a little time is lost between.
KEPT_MS = 30 * 24 * 3600 * 1000
HOLDER = "xet"
_TOUCH_MS = 3600 * 1000  # how often the time of a file that is used again and again is moved
_MAX_TOUCHED = 100_000  # times of touching that are remembered; some 20 MB
_BATCH = 500  # values in one query; SQLite takes 32,766


@dataclass(frozen=True, slots=True)
class Place:
    """Where chunks of a xorb lie in the store.

    Attributes
    ----------
    first, stop
        The chunks.
    file
        Digest of the file record.
    offset
        Of the first chunk in the file.
    """

    first: int
    stop: int
    file: Digest
    offset: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of a stored file that holds a part of a run.

    Attributes
    ----------
    file
        Digest of the file record.
    offset, nbytes
        The range.
    """

    file: Digest
    offset: int
    nbytes: int


class XorbMap:
    """The rows about xorbs.

    Parameters
    ----------
    store, state
        Whose files, whose rows.
    """

    def __init__(self, store: Store, state: State) -> None:
        self._store = store
        self._state = state
        self._touched: dict[Digest, int] = {}

    def add(self, xorb: bytes, lengths: array[int], user: str) -> None:
        """Note a xorb that a user sent."""
        row = {"xorb": xorb, "user": user, "sent_at_ms": _now_ms()}
        sent = insert(schema.xorb_sender).values(row)
        with self._state.write() as connection:
            known = insert(schema.xorb).values(hash=xorb, lengths=np.asarray(lengths, "<u4").tobytes())
            connection.execute(known.on_conflict_do_nothing())
            connection.execute(
                sent.on_conflict_do_update(
                    index_elements=["xorb", "user"], set_={"sent_at_ms": row["sent_at_ms"]}
                )
            )

    def sent_by(self, user: str, xorbs: Iterable[bytes]) -> set[bytes]:
        """Give those of some xorbs that a user sent."""
        columns = schema.xorb_sender.c
        found: set[bytes] = set()
        with self._state.read() as connection:
            for batch in _batches(list(xorbs)):
                query = select(columns.xorb).where(columns.user == user, columns.xorb.in_(batch))
                found.update(connection.execute(query).scalars())
        return found

    def starts(self, xorb: bytes) -> Sequence[int] | None:
        """Give the offsets of a xorb's chunks in its decoded content, with its length at the end; None: not known."""
        with self._state.read() as connection:
            query = select(schema.xorb.c.lengths).where(schema.xorb.c.hash == xorb)
            lengths = connection.execute(query).scalar()
        return None if lengths is None else [0, *np.cumsum(np.frombuffer(lengths, "<u4")).tolist()]

    def places(self, xorb: bytes) -> list[Place]:
        """Give where chunks of a xorb lie, in order."""
        columns, kept = schema.xorb_place.c, schema.retained.c
        is_kept = (kept.file == columns.file) & (kept.holder == HOLDER) & (kept.expires_at_ms > _now_ms())
        query = select(columns.first, columns.stop, columns.file, columns.offset)
        query = query.where(columns.xorb == xorb, exists().where(is_kept))
        with self._state.read() as connection:
            rows = connection.execute(query.order_by(columns.first, columns.stop.desc())).all()
        return [Place(row.first, row.stop, Digest(row.file), row.offset) for row in rows]

    def find(self, run: ChunkRun) -> list[Piece] | None:
        """Find the chunks of a run in stored files; None where some are not there."""
        starts = self.starts(run.xorb)
        if starts is None or run.stop >= len(starts):
            return None
        places = self.places(run.xorb)
        pieces: list[Piece] = []
        at = run.first
        while at < run.stop:
            usable = (place for place in places if place.first <= at < place.stop)
            best = max(usable, key=lambda place: place.stop, default=None)
            if best is None:
                return None
            stop = min(best.stop, run.stop)
            offset = best.offset + starts[at] - starts[best.first]
            pieces.append(Piece(best.file, offset, starts[stop] - starts[at]))
            at = stop
        return pieces if self._touch({piece.file for piece in pieces}) else None

    def _touch(self, files: set[Digest]) -> bool:
        """Keep files for longer; False where gc was faster."""
        now_ms = _now_ms()
        due = {file for file in files if self._touched.get(file, 0) < now_ms - _TOUCH_MS}
        if due:
            if touch(self._store, due, now_ms=now_ms, until_ms=now_ms + KEPT_MS) != due:
                return False
            if len(self._touched) > _MAX_TOUCHED:
                self._touched.clear()
            self._touched.update(dict.fromkeys(due, now_ms))
        return True

    def commit(self, files: Sequence[tuple[Digest, Sequence[ChunkRun]]]) -> None:
        """Note that files made of runs of chunks lie in the store, and keep them there."""
        now_ms = _now_ms()
        present = retain(self._store, {file for file, _ in files}, holder=HOLDER, until_ms=now_ms + KEPT_MS)
        places: dict[bytes, list[Place]] = {}
        for file, runs in files:
            offset = 0
            for run in runs if file in present else ():
                places.setdefault(run.xorb, []).append(Place(run.first, run.stop, file, offset))
                offset += run.nbytes
        for xorb, found in places.items():
            self._put(xorb, found)

    def _put(self, xorb: bytes, places: Sequence[Place]) -> None:
        rows = [
            {
                "xorb": xorb,
                "first": place.first,
                "stop": place.stop,
                "file": place.file.value,
                "offset": place.offset,
            }
            for place in places
        ]
        if not rows:
            return
        with self._state.write() as connection:
            for batch in _batches(rows):
                added = insert(schema.xorb_place).values(batch)
                changed = {"file": added.excluded.file, "offset": added.excluded.offset}
                connection.execute(
                    added.on_conflict_do_update(index_elements=["xorb", "first", "stop"], set_=changed)
                )

    def place_repeated(self, xorb: bytes, hashes: Sequence[bytes]) -> None:
        """Note that chunks lie in the store which are equal to others of their xorb that do.

        Files that a client sends at the same time leave equal chunks in one xorb, and it names any of them later.

        Parameters
        ----------
        xorb, hashes
            The xorb, and the hash of each of its chunks.
        """
        starts = self.starts(xorb)
        if starts is None or len(starts) != len(hashes) + 1:
            return
        where: list[tuple[Digest, int] | None] = [None] * len(hashes)
        for place in self.places(xorb):
            for index in range(place.first, min(place.stop, len(hashes))):
                where[index] = place.file, place.offset + starts[index] - starts[place.first]
        known = {value: found for value, found in zip(hashes, where, strict=True) if found is not None}
        places: list[Place] = []
        for index, value in enumerate(hashes):
            if where[index] is None and (found := known.get(value)) is not None:
                file, offset = found
                first, begin = index, offset
                if places and _ends_at(places[-1], starts, index, file, offset):
                    last = places.pop()
                    first, begin = last.first, last.offset
                places.append(Place(first, index + 1, file, begin))
        self._put(xorb, places)

    def covers(self, xorb: bytes, chunks: int) -> bool:
        """Say whether every chunk of a xorb lies in the store."""
        at = 0
        for place in self.places(xorb):
            if place.first > at:
                return False
            at = max(at, place.stop)
        return at >= chunks

    def forget_dead(self, staged: set[bytes], before_ms: int) -> None:
        """Remove rows that lead nowhere: places in files that are no longer kept, and xorbs that lie nowhere any more.

        Parameters
        ----------
        staged
            Xorbs that lie among the uploads.
        before_ms
            Xorbs that were sent later are left, since one of them may just be arriving.
        """
        place, known, sender = schema.xorb_place.c, schema.xorb.c, schema.xorb_sender.c
        with self._state.read() as connection:
            kept = select(schema.retained.c.file).where(
                schema.retained.c.holder == HOLDER, schema.retained.c.expires_at_ms > _now_ms()
            )
            dead = (
                connection.execute(select(place.file).where(place.file.not_in(kept)).distinct())
                .scalars()
                .all()
            )
            query = select(known.hash).where(
                known.hash.not_in(select(place.xorb)),
                known.hash.not_in(select(sender.xorb).where(sender.sent_at_ms >= before_ms)),
            )
            lost = [xorb for xorb in connection.execute(query).scalars() if xorb not in staged]
        if not dead and not lost:
            return
        with self._state.write() as connection:
            for batch in _batches(dead):  # xorbs that lie nowhere else are lost the next time
                connection.execute(delete(schema.xorb_place).where(place.file.in_(batch)))
            for batch in _batches(lost):
                connection.execute(delete(schema.xorb_sender).where(sender.xorb.in_(batch)))
                connection.execute(delete(schema.xorb).where(known.hash.in_(batch)))

    def last_sent_ms(self) -> dict[bytes, int]:
        """Give, for each xorb, when any of its senders last sent one: an upload of many hours is one upload."""
        columns = schema.xorb_sender.c
        with self._state.read() as connection:
            query = select(columns.user, func.max(columns.sent_at_ms)).group_by(columns.user)
            by_user = {row[0]: int(row[1]) for row in connection.execute(query)}
            last: dict[bytes, int] = {}
            for xorb, user in connection.execute(select(columns.xorb, columns.user)):
                last[xorb] = max(last.get(xorb, 0), by_user[user])
        return last

    def senders(self) -> dict[bytes, str]:
        """Give one sender of each xorb."""
        columns = schema.xorb_sender.c
        with self._state.read() as connection:
            return {row.xorb: row.user for row in connection.execute(select(columns.xorb, columns.user))}


def _ends_at(place: Place, starts: Sequence[int], index: int, file: Digest, offset: int) -> bool:
    """Say whether a place ends where a chunk begins, in the xorb and in the file."""
    end = place.offset + starts[place.stop] - starts[place.first]
    return (place.stop, place.file, end) == (index, file, offset)


def _batches(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[start : start + _BATCH] for start in range(0, len(values), _BATCH))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
