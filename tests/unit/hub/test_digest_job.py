"""The background job finds files without SHA-256 and has them computed, also those that other processes add."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from tensorhub.hub.digest_job import DigestJob, DigestProgress
from tensorhub.store.file_facts import count_without_facts, file_facts
from tensorhub.store.store import Store


def _add(store: Store, name: str, content: bytes) -> None:
    with store.begin_commit(f"a/{name}") as transaction:
        transaction.put_file("x.txt", content)
        transaction.publish("put")


def _wait_for(job: DigestJob, store: Store) -> None:
    for _ in range(500):
        if count_without_facts(store) == (0, 0) and job.progress.is_idle:
            return
        time.sleep(0.02)
    raise TimeoutError


def test_computes_what_is_missing(tmp_path: Path) -> None:
    """Before its start and while it runs."""
    with Store.create(tmp_path / "hub") as store, Store.open(tmp_path / "hub") as other:
        _add(store, "one", b"hello\n")
        job = DigestJob(store)
        job.start()
        try:
            _wait_for(job, store)
            _add(other, "two", b"other\n")
            job.wake()
            _wait_for(job, store)
        finally:
            job.stop()
        digests = [store.files(f"a/{name}")[0].digest for name in ("one", "two")]
        facts = file_facts(store, digests)
        assert [facts[digest].sha256 for digest in digests] == [
            hashlib.sha256(content).digest() for content in (b"hello\n", b"other\n")
        ]


def test_whether_to_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds is waited for; what takes minutes, or is not done at all, is not."""
    job = DigestJob(store)
    monkeypatch.setattr(job, "_run", job._is_stopping.wait)
    assert not job.ends_soon()
    job.start()
    try:
        assert job.ends_soon()
        job.progress = DigestProgress(3, 100_000_000_000, 500_000_000)
        assert not job.ends_soon()
    finally:
        job.stop()
    assert not job.ends_soon()


def test_progress_in_words() -> None:
    """It says how far it is."""
    progress = DigestProgress(3, 2_000_000_000, 500_000_000)
    assert progress.describe() == "25 % of 2.00 GB in 3 files done"
    assert not progress.is_idle
    assert DigestProgress().is_idle
