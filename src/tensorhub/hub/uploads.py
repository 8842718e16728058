"""Uploads: content that came before the commit that names it.

Duty: one face over what came through LFS and through Xet: who uploaded what, opening it for a commit, giving its
space back afterwards, and removing what nobody took up. Not its duty: HTTP, or commits.
Invariants: content is found by its SHA-256, and only by the user who uploaded it, so that nobody gets a file by
knowing its digest; what :meth:`Uploads.find` gives has that SHA-256 for certain. Uploads lie in ``HUB/uploads`` and
are no part of the store: losing them costs an upload in progress, nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert

from tensorhub.errors import TensorHubError
from tensorhub.formats.source import ByteSource
from tensorhub.hub.lfs_files import LfsFiles, LfsWriter
from tensorhub.hub.upload_space import UploadSpace
from tensorhub.hub.xet.shard import ChunkRun, ShardFile
from tensorhub.hub.xet.staging import ChunkReader, StagedXetFile, check_senders, pack_runs, prove, unpack_runs
from tensorhub.hub.xet.xorb_files import XorbFiles
from tensorhub.hub.xet.xorb_map import XorbMap
from tensorhub.schema.digest import Digest
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State
from tensorhub.store.store import Store
from tensorhub.store.uploads import UPLOAD_AGE_S

_LOG = logging.getLogger("tensorhub.hub")
SWEEP_S = 3600  # how often old uploads are looked for
_BATCH_ROWS = 200  # rows in one insert


class UploadedFile(ByteSource, Protocol):
    """An uploaded file, as a source for ``put_file``; close it after the commit was published."""

    def close(self) -> None:
        """Give files back."""


class Uploads:
    """The uploads of one hub. Safe to use from many threads; every call may block.

    Parameters
    ----------
    store, state
        Where files go, and what is remembered.
    max_nbytes, max_user_nbytes
        Space that uploads may take in all and for each user; None for what the disk has, and half of that.

    Attributes
    ----------
    xorbs, map
        Received xorbs, and where the chunks of committed ones lie.
    space
        What uploads take now.
    """

    def __init__(
        self, store: Store, state: State, *, max_nbytes: int | None = None, max_user_nbytes: int | None = None
    ) -> None:
        self._store = store
        self._state = state
        self.folder = store.layout.uploads
        self.space = UploadSpace(store.layout.root, max_nbytes, max_user_nbytes)
        self._lfs = LfsFiles(self.folder, self.space)
        self.xorbs = XorbFiles(self.folder, self.space)
        self.map = XorbMap(store, state)
        self._reader = ChunkReader(store, self.xorbs, self.map)
        self._lock = threading.Lock()  # one commit or sweep at a time removes files

    def start(self) -> None:
        """Look at what an earlier process left, remove what is old, and charge the rest."""
        self.sweep()
        self._note_present()

    # -- for commits --------------------------------------------------------------------------------------------

    def find(self, sha256: bytes, user: str, nbytes: int | None = None) -> UploadedFile | None:
        """Open what a user uploaded.

        Parameters
        ----------
        sha256
            Of the content, 32 bytes.
        user
            Who asks; ``local`` where there are no users.
        nbytes
            Its length as the commit says, if it does.

        Returns
        -------
        UploadedFile or None
            None where this user uploaded nothing of the kind, or its bytes are gone. A file that is in the store
            already, for instance because the same commit is sent a second time, is not looked for here.
        """
        columns = schema.upload.c
        with self._state.read() as connection:
            row = connection.execute(
                select(columns.nbytes, columns.runs).where(
                    columns.sha256 == sha256, columns.user == _key(user)
                )
            ).first()
        if row is None or (nbytes is not None and row.nbytes != nbytes):
            return None
        if row.runs is None:
            return self._lfs.open(sha256)
        return StagedXetFile(f"upload {sha256.hex()[:12]}", unpack_runs(row.runs), self._reader)

    def committed(self, files: Iterable[tuple[bytes, Digest]], user: str) -> None:
        """Give back the space of files that a published commit took up.

        Parameters
        ----------
        files
            (SHA-256, digest of the file record) of each; those that were not uploaded are skipped.
        user
            Who uploaded them.

        Notes
        -----
        The commit is made, so no failure is told to its client: what could not be given back goes after a day.
        """
        try:
            self._take_up(list(files), user)
        except TensorHubError as error:
            _LOG.warning("giving back uploads of a commit: %s", error)

    def _take_up(self, files: Sequence[tuple[bytes, Digest]], user: str) -> None:
        columns = schema.upload.c
        taken, made = set[bytes](), list[tuple[Digest, Sequence[ChunkRun]]]()
        with self._lock:
            with self._state.read() as connection:
                for sha256, file in files:
                    query = select(columns.runs).where(columns.sha256 == sha256, columns.user == _key(user))
                    if (row := connection.execute(query).first()) is not None:
                        taken.add(sha256)
                        if row.runs is not None:
                            made.append((file, unpack_runs(row.runs)))
            self.map.commit(made)
            with self._state.write() as connection:
                for sha256 in taken:
                    mine = (columns.sha256 == sha256, columns.user == _key(user))
                    connection.execute(delete(schema.upload).where(*mine))
            for sha256 in taken:
                self._remove_lfs(sha256)
            for xorb in {run.xorb for _, runs in made for run in runs}:
                self._remove_placed(xorb)

    def doubt(self, sha256: bytes, user: str) -> None:
        """Forget an upload that turned out to be damaged; what it was made of is checked again before it is used."""
        columns = schema.upload.c
        mine = (columns.sha256 == sha256, columns.user == _key(user))
        with self._lock:
            with self._state.write() as connection:
                runs = connection.execute(select(columns.runs).where(*mine)).scalar()
                connection.execute(delete(schema.upload).where(*mine))
            if runs is None:
                self._lfs.remove(sha256)
                return
            for xorb in {run.xorb for run in unpack_runs(runs)}:
                self.xorbs.doubt(xorb)

    # -- for LFS ------------------------------------------------------------------------------------------------

    def lfs_writer(self, nbytes: int, user: str) -> LfsWriter:
        """Receive a whole file: ``write`` its bytes, then :meth:`lfs_finish`, or :meth:`lfs_abandon`.

        Raises
        ------
        OutOfSpaceError
            There is no room for it.
        """
        return self._lfs.begin(nbytes, _key(user))

    def lfs_finish(self, writer: LfsWriter, sha256: bytes, nbytes: int, user: str) -> None:
        """Keep a file that was received whole.

        Raises
        ------
        InvalidRecordError
            It has another length or SHA-256; it is removed.
        """
        self._lfs.finish(writer, sha256)
        self._add_rows([(sha256, nbytes, None)], user)

    def lfs_abandon(self, writer: LfsWriter) -> None:
        """Give up a file that was being received whole."""
        self._lfs.drop(writer)

    def lfs_part_writer(
        self, sha256: bytes, nbytes: int, user: str, *, offset: int, part_nbytes: int
    ) -> LfsWriter:
        """Receive a part of a file: ``write`` its bytes, then ``close`` gives a digest, or ``abandon``.

        Raises
        ------
        InvalidRecordError
            The part does not lie inside the file.
        OutOfSpaceError
            There is no room for the file.
        """
        return self._lfs.begin_part(sha256, nbytes, _key(user), offset, part_nbytes)

    def lfs_join_parts(self, sha256: bytes, nbytes: int, user: str) -> None:
        """Keep a file whose parts have all been received; reads all of it.

        Raises
        ------
        UploadNotFoundError
            No part of it came.
        InvalidRecordError
            The whole has another length or SHA-256; it is removed.
        """
        self._lfs.join_parts(sha256, nbytes, _key(user))
        self._add_rows([(sha256, nbytes, None)], user)

    # -- for Xet ------------------------------------------------------------------------------------------------

    def begin_body(self, nbytes: int, user: str) -> Path:
        """Make room for a body of the Xet protocol; gives the path to write it to, to be dropped in the end.

        Raises
        ------
        OutOfSpaceError
            There is no room for it.
        """
        return self.xorbs.begin(nbytes, _key(user))

    def finish_xorb(self, path: Path, xorb: bytes, user: str) -> None:
        """Check a xorb that was written, and keep it under its hash.

        Raises
        ------
        FormatError
            It is not the xorb that it is said to be; it is removed.
        """
        table = self.xorbs.finish(path, xorb, _key(user))
        self.map.add(xorb, table.lengths(), _key(user))

    def drop_body(self, path: Path) -> None:
        """Remove a body that was received, unless it was kept."""
        self.xorbs.drop(path)

    def stage(self, files: Sequence[ShardFile], user: str, should_stop: Callable[[], bool]) -> None:
        """Prove the files of a shard, and keep what they are made of until a commit names them.

        Parameters
        ----------
        files
            Of a parsed shard.
        user
            Who sent it, and must have sent every xorb in it.
        should_stop
            Asked now and then whether anybody still waits.

        Raises
        ------
        UploadNotFoundError
            It names chunks that are not here any more, or that this user never sent.
        FormatError
            A file is not what the shard says.
        """
        check_senders(files, self.map, _key(user))
        rows = []
        for file in files:
            sha256, nbytes = prove(file, self._reader, should_stop)
            rows.append((sha256, nbytes, pack_runs(file.runs)))
        self._add_rows(rows, user)

    # -- what nobody took up ------------------------------------------------------------------------------------

    def sweep(self, now_s: float | None = None) -> None:
        """Remove what waited for a commit for more than a day.

        Parameters
        ----------
        now_s
            The time; by default now.
        """
        before_s = (time.time() if now_s is None else now_s) - UPLOAD_AGE_S
        before_ms = int(before_s * 1000)
        with self._lock:
            columns = schema.upload.c
            with self._state.read() as connection:
                old = connection.execute(
                    select(columns.sha256, columns.user).where(columns.ready_at_ms < before_ms)
                ).all()
            if old:
                with self._state.write() as connection:
                    connection.execute(delete(schema.upload).where(columns.ready_at_ms < before_ms))
            for row in old:
                self._remove_lfs(row.sha256)
            last = self.map.last_sent_ms()
            for xorb in list(self.xorbs.names()):
                needed_ms, modified_ms = last.get(xorb, 0), self.xorbs.modified_ms(xorb)
                if max(needed_ms, modified_ms) < before_ms:
                    self.xorbs.remove(xorb)
                elif needed_ms > modified_ms:
                    self.xorbs.touch(xorb, needed_ms)
            self.map.forget_dead(set(self.xorbs.names()), before_ms)
            self._sweep_files(before_s)
            for name in ("xorbs", "lfs"):
                self.space.forget_missing(self.folder / name)

    def _sweep_files(self, before_s: float) -> None:
        """Remove parts of files that were never joined, and files without a row."""
        with self._state.read() as connection:
            known = {row.hex() for row in connection.execute(select(schema.upload.c.sha256)).scalars()}
        for name in ("parts", "lfs", "tmp"):
            for entry in _files_in(self.folder / name):
                with suppress(OSError):
                    if entry.stat().st_mtime < before_s and entry.name not in known:
                        entry.unlink()
                        self.space.release(str(entry))

    # -- shared -------------------------------------------------------------------------------------------------

    def _add_rows(self, rows: Sequence[tuple[bytes, int, bytes | None]], user: str) -> None:
        now_ms = time.time_ns() // 1_000_000
        values = [
            {"sha256": sha256, "user": _key(user), "nbytes": nbytes, "runs": runs, "ready_at_ms": now_ms}
            for sha256, nbytes, runs in rows
        ]
        with self._state.write() as connection:
            for start in range(0, len(values), _BATCH_ROWS):
                added = insert(schema.upload).values(values[start : start + _BATCH_ROWS])
                excluded = added.excluded
                connection.execute(
                    added.on_conflict_do_update(
                        index_elements=["sha256", "user"],
                        set_={
                            "nbytes": excluded.nbytes,
                            "runs": excluded.runs,
                            "ready_at_ms": excluded.ready_at_ms,
                        },
                    )
                )

    def _remove_lfs(self, sha256: bytes) -> None:
        """Remove an LFS file unless another user's upload is the same one."""
        columns = schema.upload.c
        with self._state.read() as connection:
            query = select(func.count()).where(columns.sha256 == sha256, columns.runs.is_(None))
            is_wanted = connection.execute(query).scalar()
        if not is_wanted:
            self._lfs.remove(sha256)

    def _remove_placed(self, xorb: bytes) -> None:
        """Remove a received xorb whose chunks all lie in the store by now."""
        starts = self.map.starts(xorb)
        if starts is None or not self.xorbs.has(xorb):
            return
        if not self.map.covers(xorb, len(starts) - 1) and (hashes := self.xorbs.chunk_hashes(xorb)):
            self.map.place_repeated(xorb, hashes)
        if self.map.covers(xorb, len(starts) - 1):
            self.xorbs.remove(xorb)

    def _note_present(self) -> None:
        """Charge what lies here already to who sent it."""
        senders = self.map.senders()
        columns = schema.upload.c
        with self._state.read() as connection:
            owners = {
                row.sha256.hex(): row.user for row in connection.execute(select(columns.sha256, columns.user))
            }
        for xorb in self.xorbs.names():
            path = self.xorbs.path(xorb)
            self.space.note(str(path), senders.get(xorb, ""), path.stat().st_size)
        for name in ("lfs", "parts", "tmp"):
            for entry in _files_in(self.folder / name):
                with suppress(OSError):  # another process may have finished with it
                    self.space.note(str(entry), owners.get(entry.name, ""), entry.stat().st_size)


def _files_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:  # gc removes folders that were empty for long
        return []


def _key(user: str) -> str:
    """Give the form in which users are compared."""
    return user.casefold()
