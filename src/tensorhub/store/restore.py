"""Restoring: a snapshot's files back onto disk, byte for byte.

Duty: write files from read plans with several threads; prove each by its segments' digests.
Not its duty: what a range is made of (``read_plan``).
Invariants: nothing is written outside the destination or through a symlink; a file appears under its name
only when it is complete and proven; an interrupted restore leaves only files that are right, and is
finished by running it again with ``overwrite``.
"""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

from tensorhub.errors import (
    AlreadyExistsError,
    DigestMismatchError,
    InvalidNameError,
    UsageError,
    from_os_error,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, parse_path
from tensorhub.schema.records import CHUNK_NBYTES, FileMode, FileRecord, TreeEntry
from tensorhub.store.files import read_link
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.read_plan import FileMap
from tensorhub.store.reader import chunk_nbytes
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store
from tensorhub.store.values import RestoreResult

_PREFETCH = 1024  # records read ahead: a quarter of what the reader keeps
_MAX_LINKS = 40  # as Linux follows
_IN_FLIGHT = 8  # chunks per thread that may wait to be hashed; bounds memory at one chunk buffer each


def restore(
    store: Store,
    repository: str | RepositoryId,
    destination: Path,
    *,
    revision: str | None = None,
    paths: Sequence[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> RestoreResult:
    """Write a snapshot, or some of its files, into a folder.

    Parameters
    ----------
    store, repository, revision
        What.
    destination
        A folder; made where it does not exist.
    paths
        Only these files, or folders of them; None for all.
    overwrite
        Replace files that exist. Without it, an existing file is an error before anything is written.
    progress, workers
        Told the bytes done; threads that decode (one per processor).

    Raises
    ------
    AlreadyExistsError
        A file exists and ``overwrite`` is False.
    UsageError
        The destination lies inside the store.
    InvalidNameError
        A path would leave the destination or go through a symlink there.
    NotFoundError
        There is no such repository, revision or path.
    IntegrityError
        Stored bytes are damaged; files restored before are right.
    """
    snapshot = store.snapshots.snapshot(repository, revision)
    entries = _select(snapshot, paths)
    root = destination.absolute()
    if root.resolve().is_relative_to(store.path.resolve()):
        raise UsageError(
            f"destination {destination}",
            expected="a folder outside the store",
            found=f"one inside {store.path}",
            path=str(destination),
            action="Choose another folder.",
        )
    links = {
        entry.path: read_link(snapshot.record(entry), store.reader)
        for entry in snapshot.tree.entries
        if entry.mode is FileMode.SYMLINK
    }
    for entry in entries:
        _check_target(root, entry, overwrite=overwrite)
        if entry.path in links and leaves_tree(entry.path, links):
            raise InvalidNameError(
                f"symlink {entry.path!r}",
                expected="a target inside the snapshot",
                found=links[entry.path],
                path=entry.path,
                action="The snapshot was not made by add; get never makes links that lead outside.",
            )
    records = {entry.path: snapshot.record(entry) for entry in entries}
    listener = progress or Quiet()
    listener.begin(f"Restoring {snapshot.repository}", sum(record.nbytes for record in records.values()))
    with ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="tensorhub-restore") as pool:
        writer = _Restorer(store, pool, listener, workers or os.cpu_count() or 1, links)
        # Symlinks last, so that no file could ever be written through one of ours.
        for entry in sorted(entries, key=lambda item: item.mode is FileMode.SYMLINK):
            _check_target(root, entry, overwrite=overwrite)
            writer.restore_entry(root / entry.path, entry, records[entry.path])
    listener.end()
    return RestoreResult(
        str(snapshot.repository),
        snapshot.reference.commit_id,
        destination,
        len(entries),
        sum(record.nbytes for record in records.values()),
        snapshot.commit.is_partial,
    )


def _select(snapshot: Snapshot, paths: Sequence[str] | None) -> list[TreeEntry]:
    if paths is None:
        return list(snapshot.tree.entries)
    chosen: dict[str, TreeEntry] = {}
    for path in paths:
        prefix = path.rstrip("/") + "/"
        inside = [entry for entry in snapshot.tree.entries if entry.path.startswith(prefix)]
        for entry in inside or [snapshot.entry(path)]:
            chosen[entry.path] = entry
    return list(chosen.values())


def _check_target(root: Path, entry: TreeEntry, *, overwrite: bool) -> None:
    parse_path(entry.path)
    parts = entry.path.split("/")
    current = root
    for part in parts[:-1]:
        current = current / part
        if current.is_symlink():
            raise InvalidNameError(
                f"path {entry.path!r}",
                expected=f"{current} to be a folder",
                found="a symlink",
                path=str(current),
                action="Remove the link or restore into an empty folder; get never writes through links.",
            )
    target = root / entry.path
    if not overwrite and (target.exists() or target.is_symlink()):
        raise AlreadyExistsError(
            f"file {target}",
            expected="no file there yet",
            found="one",
            path=str(target),
            action="Choose an empty folder, or pass --overwrite.",
        )


def leaves_tree(path: str, links: Mapping[str, str]) -> bool:
    """Say whether a symlink of a snapshot leads out of it, other links of the snapshot followed.

    Parameters
    ----------
    path
        Path of the symlink.
    links
        Path -> target of every symlink of the snapshot.
    """
    if links[path].startswith("/"):
        return True
    at, waiting, hops = path.split("/")[:-1], deque([links[path]]), 0
    while waiting:
        part, _, rest = waiting.popleft().partition("/")
        if rest:
            waiting.appendleft(rest.lstrip("/"))
        if part == "..":
            if not at:
                return True
            at.pop()
        elif part not in ("", "."):
            at.append(part)
            target = links.get("/".join(at))
            if target is not None:
                hops += 1
                if target.startswith("/"):
                    return True
                if hops > _MAX_LINKS:
                    return False  # a circle leads nowhere
                at.pop()
                waiting.appendleft(target)
    return False


class _Restorer:
    """Writes files of one restore."""

    def __init__(
        self,
        store: Store,
        pool: ThreadPoolExecutor,
        progress: Progress,
        workers: int,
        links: Mapping[str, str],
    ) -> None:
        self._store = store
        self._links = links
        self._pool = pool
        self._progress = progress
        self._limit = _IN_FLIGHT * workers
        self._free: list[bytearray] = []

    def restore_entry(self, target: Path, entry: TreeEntry, record: FileRecord) -> None:
        """Write one file, link included, through a temporary sibling."""
        temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if entry.mode is FileMode.SYMLINK:
                temporary.symlink_to(self._links[entry.path])
            else:
                self._restore_file(temporary, record, entry.mode)
            temporary.replace(target)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise from_os_error(error, f"writing {target}") from error
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _restore_file(self, temporary: Path, record: FileRecord, mode: FileMode) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o777 if mode is FileMode.EXECUTABLE else 0o666)
        waiting: deque[tuple[int, Future[memoryview]]] = deque()
        try:
            self._write_segments(descriptor, record, waiting)
        finally:
            # After an error jobs are left that know the descriptor's number, which another file may soon have.
            wait([future for _, future in waiting if not future.cancel()])
            os.close(descriptor)

    def _write_segments(
        self, descriptor: int, record: FileRecord, waiting: deque[tuple[int, Future[memoryview]]]
    ) -> None:
        """Decode chunks in worker threads, hash them here in order, so that every segment is proven."""
        hasher = self._store.settings.hasher
        file_map = FileMap(record.segments)
        states: deque[tuple[int, int]] = deque()  # segment ordinal, chunks still to come

        state = hasher.start()

        def take() -> None:
            nonlocal state
            ordinal, future = waiting[0]
            decoded = future.result()
            waiting.popleft()  # only now, so that whoever is interrupted above still knows of it
            state.update(decoded)
            self._progress.advance(len(decoded))
            if isinstance(decoded.obj, bytearray):
                self._free.append(decoded.obj)
            left = states[0][1] - 1
            states[0] = (ordinal, left)
            if not left:
                states.popleft()
                if (found := hasher.finish(state)) != record.segments[ordinal].digest:
                    raise DigestMismatchError(
                        f"segment {ordinal} of the file",
                        expected=str(record.segments[ordinal].digest),
                        found=str(found),
                        digest=str(record.segments[ordinal].digest),
                        action="Run `tensorhub verify` to see what is damaged.",
                    )
                state = hasher.start()

        for ordinal, segment in enumerate(record.segments):
            if ordinal % _PREFETCH == 0:
                ahead = record.segments[ordinal : ordinal + _PREFETCH]
                self._store.reader.prefetch({item.digest for item in ahead if item.nbytes})
            if not segment.nbytes:
                continue
            blob = self._store.reader.record(segment.digest, nbytes=segment.nbytes)
            states.append((ordinal, len(blob.chunks)))
            for index in range(len(blob.chunks)):
                offset = file_map.start_of(ordinal) + index * blob.chunk_nbytes
                nbytes = chunk_nbytes(blob, index)
                buffer = self._free.pop() if self._free else bytearray()
                start = index * blob.chunk_nbytes
                future = self._pool.submit(
                    self._write_chunk, descriptor, offset, segment.digest, start, nbytes, buffer
                )
                waiting.append((ordinal, future))
                while len(waiting) >= self._limit:
                    take()
        while waiting:
            take()

    def _write_chunk(
        self, descriptor: int, offset: int, digest: Digest, start: int, nbytes: int, buffer: bytearray
    ) -> memoryview:
        """Decode one chunk and write it at its place; runs in a worker. Gives the decoded bytes."""
        if len(buffer) < nbytes:
            buffer = bytearray(max(nbytes, CHUNK_NBYTES))
        view = memoryview(buffer)[:nbytes]
        self._store.reader.read_into(digest, start, view)
        written = 0
        while written < nbytes:
            written += os.pwrite(descriptor, view[written:], offset + written)
        return view
