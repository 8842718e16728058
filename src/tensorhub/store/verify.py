"""Verify: find out whether every byte is what it claims to be.

Duty: check packs, chunks, digests, known SHA-256, refs and objects; name what is damaged and which files it
affects. Not its duty: taking damaged packs out of service (``salvage``), or a new catalogue (``rebuild``).
Invariants: verify changes nothing unless it is asked to repair; a damaged thing never stops the check of the others.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from tensorhub.errors import (
    CorruptPackError,
    CorruptStateError,
    DigestMismatchError,
    IntegrityError,
    MissingBaseError,
    MissingBlobError,
    TensorHubError,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import FactKind
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.records import CommitReference
from tensorhub.store import catalog_schema as schema
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.last_verified import note_verified
from tensorhub.store.leases import store_lock
from tensorhub.store.pack import PackFile
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.reader import chunk_nbytes
from tensorhub.store.salvage import retire_packs
from tensorhub.store.store import Store
from tensorhub.store.values import Damage, VerifyReport

_READ_NBYTES = 4 << 20


@dataclass(slots=True)
class _Findings:
    damages: list[Damage] = field(default_factory=list)
    bad_packs: list[Digest] = field(default_factory=list)
    bad_blobs: dict[Digest, str] = field(default_factory=dict)
    undecodable: list[Digest] = field(default_factory=list)
    bad_files: dict[Digest, str] = field(default_factory=dict)
    sizes: dict[Digest, int] = field(default_factory=dict)
    blobs: int = 0
    chunks: int = 0
    nbytes: int = 0
    stored_nbytes: int = 0
    files: int = 0
    sha256_checked: int = 0


def verify(
    store: Store,
    *,
    is_repairing: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
) -> VerifyReport:
    """Read and check everything in a store.

    Parameters
    ----------
    store
        Which.
    is_repairing
        Take damaged packs out of service: what is sound in them is copied into a new pack, the file moves
        to ``packs/damaged``, and what is damaged counts as not held, so that adding any copy of it heals
        every file that needs it.
    progress
        Told the bytes read and decoded.
    workers
        Threads; by default one per processor.

    Returns
    -------
    VerifyReport
        ``damages`` is empty for a sound store; each damage names what it affects.
    """
    listener = progress or Quiet()
    findings = _Findings()
    store.reader.forget()
    with ThreadPoolExecutor(workers or os.cpu_count() or 1, thread_name_prefix="tensorhub-verify") as pool:
        packs = _check_packs(store, pool, findings, listener)
        live_files = _check_refs(store, findings)
        _check_blobs(store, pool, findings, listener)
        _check_facts(store, pool, live_files, findings, listener)
    _check_state(store, findings)
    _trace(store, live_files, findings)
    listener.end()
    report = VerifyReport(
        packs,
        findings.blobs,
        findings.chunks,
        len(live_files),
        findings.nbytes,
        findings.stored_nbytes,
        findings.sha256_checked,
        tuple(findings.damages),
        _repair(store, findings) if is_repairing else (),
    )
    note_verified(store, report)
    return report


def _repair(store: Store, findings: _Findings) -> tuple[str, ...]:
    """Take out of service what is still damaged or lost, now that nobody else changes packs."""
    with store_lock(store.layout):
        store.reader.forget()
        known, present = store.catalog.packs(), store.layout.list_packs()
        packs = [
            pack
            for pack in findings.bad_packs
            if (_pack_problem(store, pack, present[pack])[1] if pack in present else pack in known)
        ]
        retire_packs(
            store, packs, [digest for digest in findings.undecodable if _is_undecodable(store, digest)]
        )
    return tuple(pack.hex for pack in packs)


def _is_undecodable(store: Store, digest: Digest) -> bool:
    try:
        _check_blob(store, digest)
    except TensorHubError as error:
        return _is_own(error, digest)
    return False


def _pack_problem(store: Store, pack: Digest, path: Path) -> tuple[str | None, bool, int]:
    """Hash a pack file and parse its table; gives the problem, whether it is damage, and the bytes read."""
    try:
        nbytes, found = _hash_pack(store, path)
        if found != pack:
            return f"expected digest {pack.hex}, found {found.hex}", True, nbytes
        PackFile(path, pack).read_table(store.settings.store_id)
    except (TensorHubError, OSError) as error:  # a disk that does not answer is not a damaged pack
        return str(error), isinstance(error, CorruptPackError), 0
    return None, False, nbytes


def _check_packs(store: Store, pool: ThreadPoolExecutor, findings: _Findings, listener: Progress) -> int:
    """Check every pack file; a pack's name is its digest."""
    known = store.catalog.packs()  # before the disk, so that a pack sealed in between is not taken for lost
    present = store.layout.list_packs()
    listener.begin("Checking packs", sum(map(_size, present.values())))
    lost = known.keys() - present.keys()
    checks = pool.map(lambda item: _pack_problem(store, *item), present.items())
    for (pack, path), (problem, is_damaged, nbytes) in zip(present.items(), checks, strict=True):
        findings.stored_nbytes += nbytes
        listener.advance(nbytes)
        if problem is None:
            continue
        if not path.exists():
            lost.add(pack)
            continue
        findings.damages.append(Damage("pack", pack.hex, problem))
        if is_damaged:
            findings.bad_packs.append(pack)
    # gc takes rows first, then files: what is still in the catalogue now was not removed by it.
    for pack in sorted(lost & store.catalog.packs().keys()):
        findings.bad_packs.append(pack)
        findings.damages.append(Damage("pack", pack.hex, "expected a file in the store, found none"))
    return len(present)


def _check_state(store: Store, findings: _Findings) -> None:
    try:
        store.state.check()
    except CorruptStateError as error:
        findings.damages.append(Damage("state", str(store.state.path), str(error)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # gc has just removed it; what else may be wrong is found when it is read


def _hash_pack(store: Store, path: Path) -> tuple[int, Digest]:
    state, nbytes = store.settings.hasher.start(), 0
    with path.open("rb") as file:
        while piece := file.read(_READ_NBYTES):
            state.update(piece)
            nbytes += len(piece)
    return nbytes, store.settings.hasher.finish(state)


def _check_refs(store: Store, findings: _Findings) -> dict[Digest, list[tuple[RepositoryId, str, str]]]:
    """Walk every ref; give each live file record with its places (repository, commit id, path)."""
    files: dict[Digest, list[tuple[RepositoryId, str, str]]] = {}
    for repository in store.ref_store.repositories():
        noted: set[tuple[Digest, str]] = set()
        try:
            refs = store.ref_store.list(repository)
        except TensorHubError as error:
            findings.damages.append(Damage("ref", str(repository), str(error)))
            continue
        for ref, reference in refs.items():
            try:
                store.snapshots.check_reference(repository, reference)
                for commit in store.snapshots.walk([reference]):
                    _note_files(store, repository, commit, files, noted)
            except IntegrityError as error:
                findings.damages.append(
                    Damage("object", f"{repository} {ref}", str(error), (f"{repository}@{ref}",))
                )
    return files


def _note_files(
    store: Store,
    repository: RepositoryId,
    reference: CommitReference,
    files: dict[Digest, list[tuple[RepositoryId, str, str]]],
    noted: set[tuple[Digest, str]],
) -> None:
    """Add a commit's files, each path of a repository once; ``noted`` is what this repository has already."""
    commit = store.snapshots.commit(reference.digest)
    _check_object(store, ObjectKind.COMMIT, reference.digest)
    _check_object(store, ObjectKind.TREE, commit.tree)
    for entry in store.snapshots.tree(commit.tree).entries:
        if (entry.file, entry.path) not in noted:
            noted.add((entry.file, entry.path))
            files.setdefault(entry.file, []).append((repository, reference.commit_id, entry.path))


def _check_object(store: Store, kind: ObjectKind, digest: Digest) -> None:
    payload = store.catalog.object(digest, kind).payload
    if (found := store.settings.hasher.object_digest(kind, payload)) != digest:
        raise IntegrityError(
            f"{kind.name.lower()} object",
            expected=str(digest),
            found=str(found),
            digest=str(digest),
            action="The catalogue is damaged; run `tensorhub verify --rebuild-catalog`.",
        )


def _check_blobs(store: Store, pool: ThreadPoolExecutor, findings: _Findings, listener: Progress) -> None:
    """Decode every blob and compare its digest."""
    columns = schema.blob.c
    with store.catalog.read() as connection:
        rows = connection.execute(select(columns.digest, columns.nbytes, columns.pack)).all()
    held = [(Digest(row[0]), row[1]) for row in rows if row[2] is not None]
    findings.sizes = dict(held)
    for row in rows:
        if row[2] is None:
            findings.bad_blobs[Digest(row[0])] = "expected a record in some pack, found none"
    listener.begin("Decoding blobs", sum(nbytes for _, nbytes in held))

    def check(item: tuple[Digest, int]) -> tuple[Digest, TensorHubError | None, int, int]:
        digest, nbytes = item
        try:
            return digest, None, _check_blob(store, digest), nbytes
        except TensorHubError as error:
            return digest, error, 0, nbytes

    for digest, problem, chunks, nbytes in pool.map(check, held):
        findings.blobs += 1
        findings.chunks += chunks
        findings.nbytes += nbytes
        listener.advance(nbytes)
        if problem is not None:
            findings.bad_blobs[digest] = str(problem)
            if _is_own(problem, digest):
                findings.undecodable.append(digest)


def _is_own(problem: TensorHubError, digest: Digest) -> bool:
    """Say whether a blob's own bytes are wrong, and not those of a base, the catalogue or a disk that failed."""
    is_content = isinstance(problem, CorruptPackError | DigestMismatchError)
    return (is_content or type(problem) is IntegrityError) and problem.digest == str(digest)


def _check_blob(store: Store, digest: Digest) -> int:
    """Decode a blob and compare its digest; gives the number of its chunks."""
    try:
        return _decode_blob(store, digest)
    except (MissingBlobError, MissingBaseError):
        # gc may have moved the blob or its base to another pack since the record was read: look once more.
        store.reader.forget()
        return _decode_blob(store, digest)


def _decode_blob(store: Store, digest: Digest) -> int:
    record = store.reader.record(digest)
    state = store.settings.hasher.start()
    buffer = bytearray(min(record.chunk_nbytes, record.nbytes))
    for index in range(len(record.chunks)):
        view = memoryview(buffer)[: chunk_nbytes(record, index)]
        store.reader.decode_into(record, index, view)
        state.update(view)
    if (found := store.settings.hasher.finish(state)) != digest:
        raise IntegrityError("blob", expected=str(digest), found=str(found), digest=str(digest))
    return len(record.chunks)


def _check_facts(
    store: Store, pool: ThreadPoolExecutor, files: Iterable[Digest], findings: _Findings, listener: Progress
) -> None:
    """Compare the known SHA-256 of live files with their content."""
    known = [
        (file, fact.value, fact.is_claimed)
        for file in files
        for fact in store.catalog.facts(file)
        if fact.kind is FactKind.FILE_SHA256
    ]
    if not known:
        return
    sizes = store.snapshots.file_sizes([file for file, _, _ in known])
    listener.begin("Checking SHA-256", sum(sizes[file][0] for file, _, _ in known if file in sizes))

    def check(item: tuple[Digest, bytes, bool]) -> tuple[Digest, str | None]:
        file, expected, is_claimed = item
        try:
            found = file_sha256(store, file)
        except TensorHubError:
            return file, None  # named already, by its blob
        if found == expected:
            return file, None
        origin = "where it was imported from" if is_claimed else "its SHA-256 fact"
        return file, f"expected SHA-256 {expected.hex()} by {origin}, found {found.hex()}"

    for file, problem in pool.map(check, known):
        findings.sha256_checked += 1
        listener.advance(sizes[file][0] if file in sizes else 0)
        if problem is not None:
            findings.bad_files[file] = problem


def file_sha256(store: Store, file: Digest) -> bytes:
    """Compute the SHA-256 of a stored file's content."""
    state = hashlib.sha256()
    buffer = bytearray(_READ_NBYTES)
    for segment in store.snapshots.file_record(file).segments:
        for start in range(0, segment.nbytes, _READ_NBYTES):
            view = memoryview(buffer)[: min(_READ_NBYTES, segment.nbytes - start)]
            store.reader.read_into(segment.digest, start, view)
            state.update(view)
    return state.digest()


def _trace(
    store: Store, files: dict[Digest, list[tuple[RepositoryId, str, str]]], findings: _Findings
) -> None:
    """Say for each damaged blob and file which files of which repositories it affects."""
    affected: dict[Digest, list[str]] = {digest: [] for digest in findings.bad_blobs}
    for file, places in files.items():
        names = [f"{repository}@{commit_id[:12]}:{path}" for repository, commit_id, path in places]
        try:
            _check_object(store, ObjectKind.FILE, file)
            record = store.snapshots.file_record(file)
        except TensorHubError as error:
            findings.damages.append(Damage("file", str(file), str(error), tuple(names)))
            continue
        for segment in record.segments:
            if segment.nbytes and findings.sizes.get(segment.digest, segment.nbytes) != segment.nbytes:
                findings.bad_files[file] = f"expected {segment.nbytes} bytes of blob {segment.digest}"
                findings.bad_files[file] += f", found {findings.sizes[segment.digest]}"
        for digest in {segment.digest for segment in record.segments if segment.nbytes}:
            if digest in affected:
                affected[digest].extend(names)
        if file in findings.bad_files:
            findings.damages.append(Damage("file", str(file), findings.bad_files[file], tuple(names)))
    for digest, problem in findings.bad_blobs.items():
        if affected[digest] or "found none" not in problem:
            findings.damages.append(Damage("blob", str(digest), problem, tuple(affected[digest])))
