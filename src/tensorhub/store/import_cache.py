"""Importing a Hugging Face cache: every repository, revision and ref under its own ids.

Duty: :func:`add_hf_cache`. Not its duty: reading the cache's layout (``tensorhub.formats.hf_cache``).
Invariants: commit ids stay the upstream's; a revision that lacks files, or cannot prove that it does not, is
partial; a later import of the same commit adds what was missing and never takes anything away. The order
of upstream commits is not in a cache, so imported commits have no parents; a commit that a moved ref would
leave out of reach keeps a ref of its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from tensorhub.codecs.mode import Mode
from tensorhub.formats.hf_cache import CachedRepository, CachedRevision, default_hf_cache, scan_hf_cache
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import RefName, RepositoryId, parse_ref
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.kept_commits import keep_commit, keeping_ref
from tensorhub.store.leases import store_lock
from tensorhub.store.progress import Progress, Quiet
from tensorhub.store.store import Store
from tensorhub.store.transaction import CommitTransaction
from tensorhub.store.values import AddResult

ORIGIN = "hf-cache"
_FILLED_IN = Digest(bytes(DIGEST_NBYTES))  # a claim's subject is known only when its file record is


def add_hf_cache(
    store: Store,
    root: Path | None = None,
    *,
    mode: str | Mode | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
) -> list[AddResult]:
    """Add every repository, revision and ref of a Hugging Face cache.

    Parameters
    ----------
    store
        Where to.
    root
        The cache's hub folder; None for the one that ``huggingface_hub`` would use now.
    mode, progress, workers
        See :meth:`Store.begin_commit`.

    Returns
    -------
    list of AddResult
        One for each revision; ``is_new_commit`` is False where the store held it already.

    Raises
    ------
    NotFoundError
        There is no such folder.
    """
    listener, chosen = progress or Quiet(), store.settings.choose_mode(mode)
    listing = scan_hf_cache(root if root is not None else default_hf_cache(os.environ))
    for text in listing.notices:
        listener.notice(text)
    results: list[AddResult] = []
    for cached in listing.repositories:
        for text in cached.notices:
            listener.notice(f"{cached.repository}: {text}")
        results += _add_repository(store, cached, chosen, listener, workers)
    return results


def _add_repository(
    store: Store, cached: CachedRepository, mode: Mode, listener: Progress, workers: int | None
) -> list[AddResult]:
    repository = store.create_repository(cached.repository)
    names: dict[str, list[RefName]] = {}
    for name, commit_id in cached.refs.items():
        names.setdefault(commit_id, []).append(parse_ref(name))
    results: list[AddResult] = []
    for revision in cached.revisions:
        # Content that no ref reaches would be garbage; a commit known only by its id gets a ref that says so.
        refs = names.get(revision.commit_id) or [keeping_ref(revision.commit_id)]
        results.append(_add_revision(store, repository, revision, refs, mode, listener, workers))
    return results


def _add_revision(
    store: Store,
    repository: RepositoryId,
    revision: CachedRevision,
    refs: list[RefName],
    mode: Mode,
    listener: Progress,
    workers: int | None,
) -> AddResult:
    """Add one revision and point its refs at it."""
    listener.begin(
        f"Adding {repository}@{revision.commit_id[:12]}", sum(file.nbytes for file in revision.files)
    )
    main = refs[0]
    with store.begin_commit(
        repository, revision=str(main), mode=mode, progress=listener, workers=workers
    ) as transaction:
        present = transaction.parent
        is_same = present is not None and present.commit_id == revision.commit_id
        is_partial = revision.is_partial
        if not is_same:
            if present is not None:
                with store_lock(store.layout):  # before the move, so that a kill between loses nothing
                    keep_commit(store, repository, main, present, listener)
            transaction.delete_all()
        elif present is not None:
            # What an earlier import had and this cache lacks stays; the union is whole if either was.
            is_partial = is_partial and store.snapshots.commit(present.digest).is_partial
        _put_files(transaction, revision)
        facts = CommitFacts(
            f"Import {revision.commit_id[:12]}",
            author=ORIGIN,
            is_partial=is_partial,
            origin=ORIGIN,
            upstream_id=revision.commit_id,
        )
        result = transaction.publish(facts=facts, parents=())
        reference = transaction.last_commit
    if reference is not None:
        with store_lock(store.layout):
            for ref in refs[1:]:
                old = store.ref_store.read(repository, ref)
                if old is not None and old != reference:
                    keep_commit(store, repository, ref, old, listener)
                store.ref_store.swap(repository, ref, old, reference)
    listener.end()
    return result


def _put_files(transaction: CommitTransaction, revision: CachedRevision) -> None:
    for file in revision.files:
        transaction.put_file(file.path_in_repo, file.source_path)
        if file.sha256 is not None:
            claim = Fact(FactKind.FILE_SHA256, _FILLED_IN, bytes.fromhex(file.sha256), is_claimed=True)
            transaction.claim(file.path_in_repo, claim)
        elif file.git_sha1 is not None:
            claim = Fact(FactKind.FILE_GIT_SHA1, _FILLED_IN, bytes.fromhex(file.git_sha1), is_claimed=True)
            transaction.claim(file.path_in_repo, claim)
