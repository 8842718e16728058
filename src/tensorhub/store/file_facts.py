"""File facts: SHA-256 and git SHA-1 of stored files.

Duty: look them up, say which files lack them, compute them by streaming, keep them in packs. Not its duty: when
that is done (the hub's background work), or facts that a commit brings itself (``transaction``).
Invariants: what is computed here is computed from stored bytes that passed their checksums; a claimed fact counts as
unknown unless it is asked for; memory is bounded by ``PIECE_NBYTES`` for each worker, whatever the file's size.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from tensorhub.errors import IntegrityError
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.schema.records import CHUNK_NBYTES, FileRecord
from tensorhub.store import catalog_schema as schema
from tensorhub.store.leases import Lease
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.progress import Progress, Quiet

if TYPE_CHECKING:
    from tensorhub.store.store import Store

PIECE_NBYTES = 4 * CHUNK_NBYTES  # hashed in some 3 ms, against which handing it over costs nothing
GIT_SHA1_MAX_NBYTES = 10_000_000  # Hugging Face's limit for files that are kept as git blobs
_TEXT_PROBE_NBYTES = 8000  # git takes content with a NUL among so many first bytes for binary
_FLUSH_S = 2.0  # a client waits for its revision; sealing a pack takes some milliseconds
_FLUSH_FACTS = 2000  # some 150 kB of a pack table

Run = tuple[Digest, int, int, int]  # blob, first byte, bytes, size of the blob


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file's content.

    Attributes
    ----------
    sha256, git_sha1
        32 and 20 bytes; None where it is not known.
    """

    sha256: bytes | None
    git_sha1: bytes | None


@dataclass(frozen=True, slots=True)
class FileWithoutFacts:
    """A live file whose SHA-256 nobody computed yet, and some of the repositories that wait for it."""

    file: Digest
    nbytes: int
    repositories: tuple[RepositoryId, ...]


@dataclass(slots=True)
class FilledFacts:
    """What :func:`fill_file_facts` did.

    Attributes
    ----------
    files, nbytes
        Files whose facts were computed, and their sizes together.
    failures
        Files that cannot be read, and why: asking again is no use before they are repaired.
    is_stopped
        Whether it was told to stop.
    """

    files: int = 0
    nbytes: int = 0
    failures: dict[Digest, str] = field(default_factory=dict)
    is_stopped: bool = False


# -- looking up ---------------------------------------------------------------------------------------------------


def file_facts(
    store: Store, files: Iterable[Digest], *, with_claimed: bool = False
) -> dict[Digest, FileFacts]:
    """Look facts of many files up, in one query for 500; files without any are left out.

    Parameters
    ----------
    store, files
        Digests of file records.
    with_claimed
        Take facts that their origin says, and nobody computed, too.
    """
    columns, values = schema.fact.c, [digest.value for digest in files]
    kinds = (int(FactKind.FILE_SHA256), int(FactKind.FILE_GIT_SHA1))
    found: dict[bytes, dict[int, bytes]] = {}
    with store.catalog.read() as connection:
        for start in range(0, len(values), 500):
            query = select(columns.subject, columns.kind, columns.value).where(
                columns.subject.in_(values[start : start + 500]), columns.kind.in_(kinds)
            )
            if not with_claimed:
                query = query.where(columns.is_claimed == 0)
            for subject, kind, value in connection.execute(query):
                found.setdefault(subject, {})[kind] = value
    return {
        Digest(subject): FileFacts(values.get(kinds[0]), values.get(kinds[1]))
        for subject, values in found.items()
    }


_WITHOUT = """
FROM object CROSS JOIN tree_entry ON tree_entry.file = object.id
CROSS JOIN repository_tree ON repository_tree.tree = tree_entry.tree
WHERE object.kind = 3 AND NOT EXISTS (
    SELECT 1 FROM fact WHERE fact.subject = object.digest AND fact.kind = 1 AND fact.is_claimed = 0)
"""
_MANY = text(
    "SELECT object.digest, object.nbytes, group_concat(DISTINCT repo_type || ' ' || repo_id) "
    + _WITHOUT
    + "GROUP BY object.id ORDER BY max(repository_tree.date_ms) DESC, object.nbytes, object.id LIMIT :limit"
)
_OF_ONE = text(
    "SELECT object.digest, object.nbytes, group_concat(DISTINCT repo_type || ' ' || repo_id) "
    "FROM repository_tree CROSS JOIN tree_entry ON tree_entry.tree = repository_tree.tree "
    "CROSS JOIN object ON object.id = tree_entry.file "
    "WHERE repo_type = :repo_type AND repo_id = :repo_id AND NOT EXISTS ("
    "SELECT 1 FROM fact WHERE fact.subject = object.digest AND fact.kind = 1 AND fact.is_claimed = 0) "
    "GROUP BY object.id ORDER BY max(repository_tree.date_ms) DESC, object.nbytes, object.id LIMIT :limit"
)
_COUNT = text(
    "SELECT count(*), coalesce(sum(nbytes), 0) FROM (SELECT DISTINCT object.id, object.nbytes "
    + _WITHOUT
    + ")"
)


def files_without_facts(
    store: Store, repository: RepositoryId | None = None, *, limit: int = 1000
) -> list[FileWithoutFacts]:
    """List live files whose SHA-256 was not computed: those of the newest commits first, of these the small ones.

    Parameters
    ----------
    store
        Whose.
    repository
        Only this one's, as it is written in the store.
    limit
        At most so many; when they are done, ask again.

    Notes
    -----
    One query over the catalogue: what the refs reach, as the catalogue knows it. It looks at every file record
    once, and at the trees of those only that lack something.
    """
    parameters: dict[str, str | int] = {"limit": limit}
    if repository is not None:
        parameters |= {"repo_type": repository.repo_type.value, "repo_id": repository.repo_id}
    with store.catalog.read() as connection:
        rows = connection.execute(_MANY if repository is None else _OF_ONE, parameters).all()
    return [FileWithoutFacts(Digest(row[0]), row[1], _parse_names(row[2])) for row in rows]


def count_without_facts(store: Store) -> tuple[int, int]:
    """Count the live files whose SHA-256 was not computed; gives their number and bytes."""
    with store.catalog.read() as connection:
        row = connection.execute(_COUNT).one()
    return row[0], row[1]


def _parse_names(joined: str) -> tuple[RepositoryId, ...]:
    pairs = (name.split(" ", 1) for name in joined.split(","))  # an id holds neither comma nor blank
    return tuple(
        sorted((RepositoryId(RepoType(pair[0]), pair[1]) for pair in pairs), key=lambda item: item.key)
    )


# -- computing ----------------------------------------------------------------------------------------------------


def compute_file_facts(
    store: Store,
    file: Digest,
    *,
    wants_git_sha1: bool | None = None,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    workers: int = 1,
) -> list[Fact]:
    """Read a stored file once and compute its SHA-256, and its git SHA-1 where that is wanted.

    Parameters
    ----------
    store, file
        The file record's digest.
    wants_git_sha1
        None for content that is text to git and no larger than ``GIT_SHA1_MAX_NBYTES``.
    progress
        Told the bytes hashed (``advance`` only).
    should_stop
        Asked before each piece.
    workers
        Threads that decode ahead of the hashing; 1 for none.

    Returns
    -------
    list of Fact
        To be kept with :func:`append_facts`; empty where it was told to stop.

    Raises
    ------
    IntegrityError
        Something that the file needs is damaged or missing.
    """
    listener = progress or Quiet()
    record = store.snapshots.file_record(file)
    sha256, git_sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % record.nbytes, usedforsecurity=False)
    takes_git = record.nbytes <= GIT_SHA1_MAX_NBYTES if wants_git_sha1 is None else wants_git_sha1
    is_first = True
    for piece in _read_pieces(store, record, workers):
        if should_stop is not None and should_stop():
            return []
        if is_first and wants_git_sha1 is None and b"\0" in bytes(piece[:_TEXT_PROBE_NBYTES]):
            takes_git = False
        is_first = False
        sha256.update(piece)
        if takes_git:
            git_sha1.update(piece)
        listener.advance(len(piece))
    facts = [Fact(FactKind.FILE_SHA256, file, sha256.digest())]
    if takes_git:
        facts.append(Fact(FactKind.FILE_GIT_SHA1, file, git_sha1.digest()))
    return facts


def _plan_pieces(record: FileRecord) -> Iterator[list[Run]]:
    """Cut a file into pieces that end where chunks end, so that no chunk is decoded twice."""
    piece: list[Run] = []
    nbytes = 0
    for segment in record.segments:
        at = 0
        while at < segment.nbytes:
            step = min(PIECE_NBYTES - at % PIECE_NBYTES, segment.nbytes - at)
            if piece and nbytes + step > PIECE_NBYTES:
                yield piece
                piece, nbytes = [], 0
            piece.append((segment.digest, at, step, segment.nbytes))
            nbytes += step
            at += step
    if piece:
        yield piece


def _read_pieces(store: Store, record: FileRecord, workers: int) -> Iterator[memoryview]:
    """Yield a file's bytes in order; each piece is borrowed until the next is asked for."""

    def read(piece: list[Run], buffer: bytearray) -> memoryview:
        view, at = memoryview(buffer), 0
        if len(piece) > 1:
            store.reader.prefetch({digest for digest, *_ in piece})
        for digest, start, nbytes, blob_nbytes in piece:
            store.reader.read_into(digest, start, view[at : at + nbytes], blob_nbytes=blob_nbytes)
            at += nbytes
        return view[:at]

    plan = _plan_pieces(record)
    if workers < 2 or record.nbytes <= PIECE_NBYTES:
        buffer = bytearray(min(PIECE_NBYTES, record.nbytes))
        for piece in plan:
            yield read(piece, buffer)
        return
    free = [bytearray(PIECE_NBYTES) for _ in range(workers + 1)]
    waiting: deque[Future[memoryview]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="tensorhub-facts") as pool:
        try:
            for piece in plan:
                waiting.append(pool.submit(read, piece, free.pop()))
                if not free:
                    done = waiting.popleft().result()
                    yield done
                    free.append(_buffer_of(done))
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _buffer_of(view: memoryview) -> bytearray:
    buffer = view.obj
    return buffer if isinstance(buffer, bytearray) else bytearray(PIECE_NBYTES)


# -- keeping ------------------------------------------------------------------------------------------------------


def append_facts(store: Store, facts: Collection[Fact]) -> None:
    """Keep facts in a pack of their own; the caller collects enough of them to be worth one.

    Facts of which the store has the like are not written again; one that was computed counts more than a claimed one.
    """
    subjects = {fact.subject for fact in facts}
    computed, known = file_facts(store, subjects), file_facts(store, subjects, with_claimed=True)
    new = [fact for fact in facts if _value((known if fact.is_claimed else computed), fact) is None]
    if not new:
        return
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        try:
            output.writer().table.facts.extend(new)
            output.seal()
        finally:
            output.discard()


def _value(known: Mapping[Digest, FileFacts], fact: Fact) -> bytes | None:
    found = known.get(fact.subject)
    if found is None:
        return None
    return found.sha256 if fact.kind is FactKind.FILE_SHA256 else found.git_sha1


def fill_file_facts(
    store: Store,
    files: Iterable[FileWithoutFacts],
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
    workers: int = 1,
) -> FilledFacts:
    """Compute and keep the facts of files, in packs that hold those of a few seconds each.

    Parameters
    ----------
    store, files
        As a rule what :func:`files_without_facts` gives.
    progress, should_stop, workers
        See :func:`compute_file_facts`; what was computed before a stop is kept. ``notice`` tells of a file that is
        not what its origin claims, and of one that cannot be read.

    Returns
    -------
    FilledFacts
        A damaged file is told there, and holds nothing up.
    """
    listener, done = progress or Quiet(), FilledFacts()
    waiting: list[Fact] = []
    flush_at = time.monotonic() + _FLUSH_S
    try:
        for item in files:
            try:
                found = compute_file_facts(
                    store, item.file, progress=listener, should_stop=should_stop, workers=workers
                )
            except IntegrityError as error:
                done.failures[item.file] = str(error)
                listener.notice(f"{', '.join(map(str, item.repositories))}: {error}")
                continue
            if not found:
                done.is_stopped = True
                break
            _compare_with_claim(store, item, found[0], listener)
            waiting += found
            done.files += 1
            done.nbytes += item.nbytes
            if len(waiting) >= _FLUSH_FACTS or time.monotonic() >= flush_at:
                append_facts(store, waiting)
                waiting, flush_at = [], time.monotonic() + _FLUSH_S
    finally:
        append_facts(store, waiting)
    return done


def _compare_with_claim(store: Store, item: FileWithoutFacts, found: Fact, listener: Progress) -> None:
    claimed = file_facts(store, [item.file], with_claimed=True).get(item.file)
    if claimed is not None and claimed.sha256 not in (None, found.value):
        names = ", ".join(map(str, item.repositories))
        listener.notice(
            f"{names}: a file of {item.nbytes} bytes has SHA-256 {found.value.hex()}; its origin says another"
        )
