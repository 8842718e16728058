"""Files that stay for a while though no ref reaches them."""

import threading
import time

import pytest

from tensorhub import Digest, Store, collect_garbage, stats
from tensorhub.store import gc as gc_module
from tensorhub.store.retention import (
    forget_expired,
    forget_retained,
    move_epoch,
    retain,
    retained_files,
    retention_epoch,
    touch,
)

from ...weights import assert_identity, assert_sound, noise, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)
CHILD = tuned(BASE, 2)
FAR = 1 << 60
NO_FILE = Digest(bytes(32))


def only_file(store: Store, repository: str) -> Digest:
    return store.files(repository)[0].digest


def test_times(store: Store) -> None:
    """A time is only moved later; each holder has its own; what is over does not come back."""
    put(store, "a/b", {"x": noise(5000, 1)})
    file = only_file(store, "a/b")
    assert retained_files(store, 0) == set()
    assert touch(store, [file], now_ms=0, until_ms=FAR) == set()
    forget_expired(store, 0)
    assert not store.state.is_made
    assert retain(store, [file, NO_FILE], holder="xet", until_ms=100) == {file}
    retain(store, [file], holder="xet", until_ms=50)
    retain(store, [file], holder="other", until_ms=60)
    assert retained_files(store, 99) == {file}
    assert retained_files(store, 100) == set()
    assert touch(store, [file, NO_FILE], now_ms=100, until_ms=200) == set()
    assert touch(store, [file], now_ms=70, until_ms=200) == {file}
    assert retained_files(store, 199) == {file}
    forget_expired(store, 200)
    assert retained_files(store, 0) == set()


def test_epochs(store: Store) -> None:
    """A new epoch is another one, not made too often; forgetting everything begins one."""
    assert retention_epoch(store) == forget_retained(store, now_ms=1) == "0"
    assert not store.state.is_made
    second = move_epoch(store, now_ms=1000)
    assert second == retention_epoch(store) != "0"
    assert move_epoch(store, now_ms=1500, min_age_ms=1000) == second
    third = move_epoch(store, now_ms=2000, min_age_ms=1000)
    put(store, "a/b", {"x": noise(5000, 1)})
    retain(store, [only_file(store, "a/b")], holder="xet", until_ms=FAR)
    fourth = forget_retained(store, now_ms=2001)
    assert len({"0", second, third, fourth}) == 4
    assert fourth.isalnum()
    assert retained_files(store, 0) == set()


def test_gc_keeps_what_is_retained(store: Store) -> None:
    """A retained file stays readable with the base that it leans on, is told, and goes when it is not retained."""
    put(store, "base/model", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "child/model", {"m.safetensors": safetensors({"w": CHILD})})
    put(store, "other/model", {"x": noise(30_000, 3)})
    file = only_file(store, "child/model")
    record = store.snapshots.file_record(file)
    retain(store, [file], holder="xet", until_ms=FAR)
    assert stats(store).retained_nbytes == 0
    assert store.delete_repository("child/model").freed_nbytes == 0
    store.delete_repository("base/model")
    assert stats(store).retained_nbytes > BASE.nbytes // 2
    assert_identity(store)
    report = collect_garbage(store, grace_s=0)
    assert (report.retained_files, report.freed_nbytes, report.blobs_removed) == (1, 0, 0)
    assert report.retained_nbytes == stats(store).retained_nbytes
    store.snapshots._cache.clear()
    assert store.snapshots.file_record(file) == record
    for segment in record.segments:
        store.reader.read_into(segment.digest, 0, bytearray(segment.nbytes))
    planned = collect_garbage(store, grace_s=0, drops_retained=True, is_dry_run=True)
    assert retained_files(store, 0) == {file}
    epoch = retention_epoch(store)
    done = collect_garbage(store, grace_s=0, drops_retained=True)
    assert done.freed_nbytes == planned.freed_nbytes > BASE.nbytes // 2
    assert done.retained_files == planned.retained_files == 0
    assert retention_epoch(store) != epoch
    assert retain(store, [file], holder="xet", until_ms=FAR) == set()
    assert_sound(store)


def test_gc_forgets_what_expired(store: Store) -> None:
    """What was retained long enough is collected, and its row goes."""
    put(store, "a/b", {"x": noise(30_000, 1)})
    file = only_file(store, "a/b")
    retain(store, [file], holder="xet", until_ms=time.time_ns() // 1_000_000 - 1)
    store.delete_repository("a/b")
    assert collect_garbage(store, grace_s=0).freed_nbytes > 30_000
    assert retained_files(store, 0) == set()


def test_lost_content_keeps_nothing_from_going_on(store: Store) -> None:
    """A retained file that is lost, or whose blobs are, does not stop gc."""
    put(store, "a/b", {"x": noise(30_000, 1)})
    packs = set(store.layout.list_packs())
    file = only_file(store, "a/b")
    put(store, "c/d", {"y": noise(5000, 2)})
    retain(store, [file], holder="xet", until_ms=FAR)
    store.delete_repository("a/b")
    for pack in packs:
        store.layout.pack(pack).unlink()
    put(store, "c/d", {"y": noise(5000, 3)})  # a writer finds out and forgets what was lost
    collect_garbage(store, grace_s=0)
    assert_sound(store)


def test_touched_while_gc_runs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is retained after gc made its plan is not removed."""
    put(store, "a/b", {"x": noise(30_000, 1)})
    put(store, "c/d", {"y": noise(5000, 2)})
    file = only_file(store, "a/b")
    store.delete_repository("a/b")
    drop = gc_module._drop

    def touch_then_drop(*arguments: object) -> int:
        touching = threading.Thread(
            target=retain, args=(store, [file]), kwargs={"holder": "x", "until_ms": FAR}
        )
        touching.start()
        touching.join()
        return drop(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gc_module, "_drop", touch_then_drop)
    collect_garbage(store, grace_s=0)
    (segment,) = store.snapshots.file_record(file).segments
    out = bytearray(segment.nbytes)
    store.reader.read_into(segment.digest, 0, out)
    assert out == noise(30_000, 1)
    assert_sound(store)
