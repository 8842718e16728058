"""Garbage collection of what is superseded: bytes of blobs of which another record counts."""

import time

import pytest

from tensorhub import Store, collect_garbage, rebuild_catalog
from tensorhub.store.leases import Lease
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.salvage import moved_record

from ...weights import assert_sound, noise, put, read_all


def code_again(store: Store, name: str) -> None:
    """Give every blob of a repository a record of its own in a new pack."""
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        for file in store.files(name):
            for segment in store.snapshots.file_record(file.digest).segments:
                record = store.catalog.blob_record(segment.digest)
                moved = moved_record(store, output.writer(), record, store.catalog.packs())
                output.writer().table.blobs.append(moved)
        output.seal()


def test_superseded_bytes_have_no_grace(store: Store) -> None:
    """What was coded anew frees its old bytes at once; what is merely dead keeps its day, wherever it lies."""
    put(store, "a/b", {"x": noise(50_000, 1), "dead": noise(30_000, 2)})
    put(store, "a/b", {"x": noise(50_000, 1)})
    store.squash("a/b")
    (old, _, _) = sorted(store.layout.list_packs().values(), key=lambda path: -path.stat().st_size)
    code_again(store, "a/b")
    planned = collect_garbage(store, is_dry_run=True)
    report = collect_garbage(store)
    assert planned.freed_nbytes == pytest.approx(report.freed_nbytes, abs=2000)
    assert report.freed_nbytes == pytest.approx(50_000, abs=2000)
    assert report.kept_recent_nbytes >= 30_000
    assert not old.exists()
    assert collect_garbage(store).freed_nbytes == 0
    with Store.open(store.path) as again:
        assert put(again, "c/d", {"dead": noise(30_000, 2)}).new_nbytes == 0
        assert read_all(again, "c/d") == {"dead": noise(30_000, 2)}
    assert read_all(store, "a/b") == {"x": noise(50_000, 1)}
    assert_sound(store)
    assert rebuild_catalog(store.path) == ()
    store.close()
    with Store.open(store.path) as again:
        assert read_all(again, "a/b") == {"x": noise(50_000, 1)}
        assert_sound(again)


def test_packs_of_writers_at_work_keep_what_no_record_names(store: Store) -> None:
    """Coded bytes whose record is still to come look like superseded ones; a live writer's are not touched."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    with Lease(store.layout) as lease:
        time.sleep(0.01)
        output = PackOutput(store, lease)
        output.writer().append(noise(60_000, 2))
        pack = output.seal()
        assert pack is not None
        assert collect_garbage(store, grace_s=0).freed_nbytes == 0
        assert store.layout.pack(pack).exists()
    assert collect_garbage(store).packs_removed == 1
    assert not store.layout.pack(pack).exists()
