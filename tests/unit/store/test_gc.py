"""Garbage collection frees what nothing reaches, and nothing else."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tensorhub import Store, collect_garbage, rebuild_catalog, stats, verify
from tensorhub.errors import IntegrityError, MissingBlobError, StoreLockedError
from tensorhub.schema.records import FileRecord
from tensorhub.store import ingest as ingest_module
from tensorhub.store import pack_output
from tensorhub.store.catalog_index import index_pack
from tensorhub.store.leases import Lease
from tensorhub.store.pack import PackWriter

from ...weights import assert_sound, noise, put, read_all, safetensors, tuned, weights

BASE = weights((128, 320), 1)
CHILD = tuned(BASE, 2)


def collect(store: Store) -> int:
    return collect_garbage(store, grace_s=0).freed_nbytes


def packs_nbytes(store: Store) -> int:
    return sum(path.stat().st_size for path in store.layout.list_packs().values())


def test_nothing_to_do(store: Store) -> None:
    """An empty store, and one in which everything lives, are left as they are."""
    assert collect_garbage(store, grace_s=0).packs_before == 0
    put(store, "a/b", {"x": noise(5000, 1)})
    before = store.layout.list_packs()
    report = collect_garbage(store, grace_s=0)
    assert (report.packs_removed, report.packs_rewritten, report.freed_nbytes) == (0, 0, 0)
    assert store.layout.list_packs() == before


def test_dead_pack_goes(store: Store) -> None:
    """What only a deleted repository held is gone from the disk, and the report says how much that was."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    put(store, "c/d", {"y": noise(5000, 2)})
    store.delete_repository("a/b")
    before = packs_nbytes(store)
    report = collect_garbage(store, grace_s=0)
    assert report.packs_removed == 1
    assert report.freed_nbytes == before - packs_nbytes(store) > 50_000
    assert read_all(store, "c/d") == {"y": noise(5000, 2)}
    assert_sound(store)


def test_dry_run_tells_what_gc_then_frees(store: Store) -> None:
    """A dry run changes nothing; for dead packs it tells exactly what the run frees."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    store.delete_repository("a/b")
    before = store.layout.list_packs()
    planned = collect_garbage(store, grace_s=0, is_dry_run=True)
    assert planned.is_dry_run
    assert store.layout.list_packs() == before
    assert collect(store) == planned.freed_nbytes


def test_remove_tells_what_gc_frees(store: Store) -> None:
    """``freed_nbytes`` of a removal is what the packs lose, but for their tables."""
    put(store, "base/model", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "other/model", {"x": noise(30_000, 3)})
    put(store, "child/model", {"m.safetensors": safetensors({"w": CHILD}), "x": noise(30_000, 3)})
    told = store.delete_repository("child/model", is_dry_run=True)
    assert store.delete_repository("child/model").freed_nbytes == told.freed_nbytes
    assert told.kept_for_others_nbytes >= 30_000
    freed = collect(store)
    assert told.freed_nbytes <= freed <= told.freed_nbytes + 2000
    assert_sound(store)


def test_bases_of_live_deltas_stay(store: Store) -> None:
    """A base that something live leans on outlives its repository, and goes with the last that needs it."""
    put(store, "base/model", {"m.safetensors": safetensors({"w": BASE, "other": weights((128, 300), 9)})})
    put(store, "child/model", {"m.safetensors": safetensors({"w": CHILD})})
    assert store.tensors("child/model")[0].coding == "delta"
    told = store.delete_repository("base/model", is_dry_run=True)
    assert told.freed_nbytes < 75_000
    store.delete_repository("base/model")
    assert collect(store) > 0
    assert read_all(store, "child/model") == {"m.safetensors": safetensors({"w": CHILD})}
    assert_sound(store)
    store.delete_repository("child/model")
    collect(store)
    assert store.layout.list_packs() == {}
    assert store.catalog.packs() == {}


def test_rewrite_moves_what_lives(store: Store) -> None:
    """A pack that is mostly dead is rewritten; what lives in it stays readable, also after a reopening."""
    files = {f"{n}": noise(20_000, n) for n in range(10)}
    put(store, "a/b", files)
    kept = {"3": files["3"], "m.safetensors": safetensors({"w": BASE})}
    put(store, "a/b", kept)
    store.squash("a/b")
    report = collect_garbage(store, grace_s=0)
    assert report.packs_rewritten >= 1
    assert report.freed_nbytes >= 150_000
    assert read_all(store, "a/b") == kept
    assert_sound(store)
    with Store.open(store.path) as again:
        assert read_all(again, "a/b") == kept
    assert collect(store) == 0


def test_rewrite_of_bases(store: Store) -> None:
    """A delta whose base was moved decodes, in this store and in one that was open already."""
    put(store, "base/model", {"m.safetensors": safetensors({"w": BASE}), "x": noise(200_000, 1)})
    put(store, "child/model", {"m.safetensors": safetensors({"w": CHILD})})
    with Store.open(store.path) as other:
        digest = other.tensors("child/model")[0].base
        assert digest is not None
        other.reader.record(digest)  # known by the place where it lies now, but its pack is not open yet
        store.delete_repository("base/model")
        assert collect_garbage(store, grace_s=0).packs_rewritten == 1
        assert read_all(other, "child/model") == {"m.safetensors": safetensors({"w": CHILD})}
        assert read_all(store, "child/model") == {"m.safetensors": safetensors({"w": CHILD})}
    assert_sound(store)


def test_blobs_that_span_packs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob whose chunks lie in several packs survives the rewriting of some of them, twice over."""
    monkeypatch.setattr(ingest_module, "TARGET_NBYTES", 1 << 20)
    monkeypatch.setattr(pack_output, "TARGET_NBYTES", 1 << 20)
    long = noise(3_500_000, 1)
    put(store, "a/b", {"0": noise(700_000, 2), "long": long, "z": noise(900_000, 3)})
    assert len(store.layout.list_packs()) >= 4
    put(store, "a/b", {"long": long})
    store.squash("a/b")
    report = collect_garbage(store, grace_s=0)
    assert report.packs_rewritten >= 1
    assert read_all(store, "a/b") == {"long": long}
    assert_sound(store)
    rebuild(store)
    assert read_all(store, "a/b") == {"long": long}
    put(store, "a/b", {"end": noise(10, 1)})
    store.squash("a/b")
    collect(store)
    assert_sound(store)
    assert packs_nbytes(store) < 10_000


def rebuild(store: Store) -> None:
    assert rebuild_catalog(store.path) == ()
    store.close()


def test_grace(store: Store) -> None:
    """What was sealed a short time ago stays, and is counted; adding it again finds it."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    store.delete_repository("a/b")
    report = collect_garbage(store)
    assert (report.packs_removed, report.freed_nbytes) == (0, 0)
    assert report.kept_recent_nbytes >= 50_000
    assert put(store, "a/b", {"x": noise(50_000, 1)}).new_nbytes == 0
    assert_sound(store)


def test_writers_at_work_are_spared(store: Store) -> None:
    """What a writer sealed since it began stays as long as its lease is alive, whatever the grace."""
    with Lease(store.layout):
        time.sleep(0.01)
        put(store, "a/b", {"x": noise(50_000, 1)})
        store.delete_repository("a/b")
        assert collect_garbage(store, grace_s=0).packs_removed == 0
    assert collect_garbage(store, grace_s=0).packs_removed == 1


def test_a_writer_that_counted_on_dead_content(store: Store) -> None:
    """Content that goes while a writer counts on it is told at publish; the same call then works."""
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE})})
    store.delete_repository("a/b")
    time.sleep(0.01)
    with store.begin_commit("c/d") as transaction:
        transaction.put_file("m.safetensors", safetensors({"w": BASE}))
        transaction._ingest.drain()
        collect(store)
        with pytest.raises(StoreLockedError) as caught:
            transaction.publish()
    assert caught.value.retryable
    assert store.repositories() == []
    put(store, "c/d", {"m.safetensors": safetensors({"w": BASE})})
    assert_sound(store)


def test_a_writer_that_leaned_on_a_dead_base(store: Store) -> None:
    """A base that goes while a writer leans on it is told at publish; the same call then works."""
    put(store, "a/b", {"m.safetensors": safetensors({"w": BASE})})
    store.delete_repository("a/b")
    time.sleep(0.01)
    child = {"m.safetensors": safetensors({"w": CHILD})}
    with store.begin_commit("c/d") as transaction:
        transaction.put_file("m.safetensors", child["m.safetensors"])
        transaction._ingest.drain()
        collect(store)
        with pytest.raises(StoreLockedError):
            transaction.publish()
    put(store, "c/d", child)
    assert read_all(store, "c/d") == child
    assert_sound(store)


def test_dead_deltas_that_lost_their_base_can_come_back(store: Store) -> None:
    """A dead delta in a pack that stays may lose its base; adding its content again stores it anew."""
    child = {"m.safetensors": safetensors({"w": CHILD})}
    put(store, "base/model", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/b", child | {"big": noise(300_000, 1)})
    put(store, "a/b", {"big": noise(300_000, 1)})
    store.squash("a/b")
    store.delete_repository("base/model")
    assert collect_garbage(store, grace_s=0).packs_removed >= 1
    assert_sound(store)
    put(store, "c/d", child)
    assert read_all(store, "c/d") == child
    assert_sound(store)
    rebuild(store)
    with Store.open(store.path) as again:
        assert read_all(again, "c/d") == child
        assert_sound(again)


def test_content_that_died_and_comes_back(store: Store) -> None:
    """Trees and file records that half died are whole again when the same content is added again."""
    files = {"a": noise(90_000, 1), "b": noise(90_000, 2), "m.safetensors": safetensors({"w": BASE})}
    put(store, "x/first", {"m.safetensors": files["m.safetensors"]})
    put(store, "x/second", files | {"c": noise(400_000, 3)})
    files["kept"] = noise(400_000, 4)
    put(store, "x/third", files)
    put(store, "x/third", {"kept": files["kept"]})
    for name in ("x/first", "x/second"):
        store.delete_repository(name)
    store.squash("x/third")
    collect(store)
    put(store, "y/again", files)
    assert read_all(store, "y/again") == files
    digest = store.tensors("y/again")[0].digest
    assert [str(item) for item in store.places.repositories([digest])[digest]] == ["y/again"]
    assert_sound(store)


def test_facts_live_with_their_file(store: Store, tmp_path: Path) -> None:
    """What is known of a live file is kept, wherever it lies, also when the catalogue is made anew."""
    from tensorhub.schema.facts import Fact, FactKind

    content = noise(9000, 1)
    put(store, "a/b", {"x": content})
    file = store.files("a/b")[0].digest
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x", content)
        transaction.claim("x", Fact(FactKind.FILE_SHA256, file, bytes(32), is_claimed=True))
        assert not transaction.publish().is_new_commit
    assert len(store.catalog.facts(file)) == 1
    collect(store)
    rebuild(store)
    with Store.open(store.path) as again:
        assert len(again.catalog.facts(file)) == 1


def test_opening_while_packs_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is opened just before dead packs leave the disk does not bring their rows back."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    store.delete_repository("a/b")
    unlink = Path.unlink
    openers: list[threading.Thread] = []

    def slow_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".pack" and not openers:
            openers.append(threading.Thread(target=lambda: Store.open(store.path).close()))
            openers[0].start()
            time.sleep(0.3)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", slow_unlink)
    collect(store)
    openers[0].join()
    assert set(store.catalog.packs()) == set(store.layout.list_packs())
    put(store, "a/b", {"x": noise(50_000, 1)})
    assert read_all(store, "a/b") == {"x": noise(50_000, 1)}
    assert_sound(store)


def test_damaged_live_content_is_not_made_worse(store: Store) -> None:
    """A missing pack stops neither gc nor the reading of the rest."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    put(store, "c/d", {"y": noise(50_000, 2)})
    put(store, "e/f", {"z": noise(50_000, 3)})
    store.delete_repository("e/f")
    doomed = store.reader.record(store.snapshots.file_record(store.files("a/b")[0].digest).segments[0].digest)
    pack = doomed.chunks[0].stored.pack
    assert pack is not None
    store.layout.pack(pack).unlink()
    store.reader.forget()
    collect(store)
    assert read_all(store, "c/d") == {"y": noise(50_000, 2)}
    assert {damage.kind for damage in verify(store).damages} == {"pack", "blob"}
    assert stats(store).files == 2


def away(store: Store, name: str, folder: Path) -> tuple[Store, Path, Path]:
    """Move the pack with a repository's first tensor away and build the catalogue anew."""
    pack = store.reader.record(store.tensors(name)[0].digest).chunks[0].stored.pack
    assert pack is not None
    path, root = store.layout.pack(pack), store.path
    store.close()
    path.rename(folder / "away")
    rebuild_catalog(root)
    return Store.open(root), folder / "away", path


def put_in_two_packs(store: Store) -> None:
    """Put a fine-tune whose tensor lies in another pack than its commit."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "b/other", {"m.safetensors": safetensors({"c": CHILD})})
    put(store, "a/child", {"m.safetensors": safetensors({"c": CHILD}), "x": b"x"})
    store.delete_repository("b/other")
    store.delete_repository("a/base")


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_refuses_while_live_content_is_missing(store: Store, tmp_path: Path, *, is_dry_run: bool) -> None:
    """What a missing record leans on is not known, so that nothing is removed, and all is well when it is back."""
    put_in_two_packs(store)
    store, lies, path = away(store, "a/child", tmp_path)
    with pytest.raises(MissingBlobError, match="a/child@refs/heads/main"):
        collect_garbage(store, grace_s=0, is_dry_run=is_dry_run)
    store.close()
    lies.rename(path)
    with Store.open(store.path) as store:
        collect(store)
        assert store.read("a/child", "m.safetensors") == safetensors({"c": CHILD})
        assert_sound(store)


def test_refuses_while_a_base_is_missing(store: Store, tmp_path: Path) -> None:
    """A lost base is told with the repository that leans on it; without that repository gc runs again."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/child", {"m.safetensors": safetensors({"c": CHILD})})
    put(store, "c/d", {"y": noise(5000, 2)})
    store, _, _ = away(store, "a/base", tmp_path)
    store.ref_store.delete_repository(store.snapshots.repository("a/base"))
    with store:
        with pytest.raises(MissingBlobError, match="needed by a/child@refs/heads/main"):
            collect(store)
        store.ref_store.delete_repository(store.snapshots.repository("a/child"))
        collect(store)
        assert read_all(store, "c/d") == {"y": noise(5000, 2)}


def test_refuses_beside_an_unreadable_pack(store: Store) -> None:
    """A pack on disk that cannot be indexed may hold records that count; repairing lets gc go on."""
    put(store, "a/b", {"x": noise(5000, 1)})
    put(store, "c/d", {"y": noise(5000, 2)})
    store.delete_repository("a/b")
    pack = store.layout.pack(store.settings.hasher.digest(b"any"))
    pack.parent.mkdir(exist_ok=True)
    pack.write_bytes(b"not a pack" * 100)
    before = store.layout.list_packs()
    with pytest.raises(IntegrityError, match=pack.stem):
        collect(store)
    assert store.layout.list_packs() == before
    verify(store, is_repairing=True)
    assert collect(store) > 5000
    assert read_all(store, "c/d") == {"y": noise(5000, 2)}


def test_a_record_alone_keeps_its_pack(store: Store) -> None:
    """A pack that holds nothing live but a record, whose chunks lie elsewhere, is not taken for dead."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    (blob,) = {segment.digest for segment in only_file(store, "a/b").segments}
    record = store.catalog.blob_record(blob)
    writer = PackWriter(
        store.layout, store.settings.store_id, store.settings.hasher, store.layout.packs / "alone.tmp"
    )
    writer.table.blobs.append(replace(record, generation=record.generation + 1))
    pack, nbytes = writer.seal(store.catalog.last_sealed_at_ns() + 1)
    index_pack(store.catalog, store.settings.hasher, pack, nbytes, writer.table)
    collect(store)
    assert read_all(store, "a/b") == {"x": noise(50_000, 1)}
    assert_sound(store)


def only_file(store: Store, name: str) -> FileRecord:
    snapshot = store.snapshots.snapshot(name)
    return snapshot.record(snapshot.tree.entries[0])
