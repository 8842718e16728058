"""Verify names what is damaged and whom it affects."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tensorhub import Store, collect_garbage, rebuild_catalog, verify
from tensorhub.errors import CorruptIndexError, StoreLockedError
from tensorhub.schema.digest import Digest
from tensorhub.store import verify as verify_module
from tensorhub.store.layout import Layout
from tensorhub.store.leases import Lease

from ...weights import noise, put, read_all, safetensors, tuned, weights

BASE = weights((128, 320), 1)


@pytest.fixture
def filled(store: Store) -> Store:
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE}), "x": noise(5000, 1)})
    put(store, "a/child", {"m.safetensors": safetensors({"c": tuned(BASE, 2)})})
    put(store, "a/apart", {"y": noise(6000, 2)})
    return store


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


def place(store: Store, digest: Digest) -> tuple[Path, int]:
    stored = store.reader.record(digest).chunks[0].stored
    assert stored.pack is not None
    return store.layout.pack(stored.pack), stored.offset


def test_sound(filled: Store) -> None:
    """A sound store is told to be; everything was looked at."""
    report = verify(filled, workers=2)
    assert report.is_sound
    assert (report.packs, report.files) == (3, 4)
    assert report.stored_nbytes == sum(path.stat().st_size for path in filled.layout.list_packs().values())
    assert report.nbytes > 2 * BASE.nbytes


def test_a_flipped_base(filled: Store) -> None:
    """A damaged base names itself, what leans on it, and every file of both; others stay readable."""
    path, offset = place(filled, filled.tensors("a/base")[0].digest)
    flip(path, offset + 9)
    report = verify(filled)
    assert {damage.kind for damage in report.damages} == {"pack", "blob"}
    affected = {name.split("@")[0] for damage in report.damages for name in damage.affected}
    assert affected == {"a/base", "a/child"}
    assert not report.is_sound
    assert read_all(filled, "a/apart") == {"y": noise(6000, 2)}
    assert filled.read("a/base", "x") == noise(5000, 1)


def test_every_region_of_a_pack(filled: Store) -> None:
    """A flip anywhere in a pack is found."""
    path, _ = place(filled, filled.tensors("a/base")[0].digest)
    good = path.read_bytes()
    for offset in [*range(0, 40, 7), *range(40, len(good), len(good) // 25), len(good) - 1]:
        flip(path, offset)
        assert not verify(filled, workers=1).is_sound, offset
        path.write_bytes(good)
    assert verify(filled).is_sound


def test_a_lost_pack(filled: Store) -> None:
    """A missing pack is named with every file that needs it, before and after a rebuild."""
    path, _ = place(filled, filled.tensors("a/base")[0].digest)
    path.unlink()
    names = {name for damage in verify(filled).damages for name in damage.affected}
    assert {name.rpartition(":")[2] for name in names} == {"m.safetensors", "x"}
    assert {name.split("@")[0] for name in names} == {"a/base", "a/child"}
    filled.close()
    rebuild_catalog(filled.path)
    with Store.open(filled.path) as again:
        report = verify(again)
        assert {damage.kind for damage in report.damages} >= {"object", "blob"}
        assert read_all(again, "a/apart") == {"y": noise(6000, 2)}


def test_damaged_refs(filled: Store) -> None:
    """A ref that holds no ref, or points nowhere, is named; the others are checked all the same."""
    refs = filled.layout.refs / "model"
    (refs / "a%2Fbase" / "heads" / "main").write_bytes(b"garbage")
    (refs / "a%2Fapart" / "heads" / "main").write_text(f"{'b' * 40} blake3:{'b' * 64}\n")
    assert sorted(damage.kind for damage in verify(filled).damages) == ["object", "ref"]


@pytest.mark.parametrize("kind", [1, 2, 3])
def test_a_flip_in_the_catalogue(filled: Store, kind: int) -> None:
    """A commit, tree or file record that changed in the catalogue is found, and a rebuild heals it."""
    with filled.catalog.write() as connection:
        rows = connection.execute(
            text("SELECT id, payload FROM object WHERE kind = :kind"), {"kind": kind}
        ).all()
        payload = bytearray(rows[0].payload)
        payload[-1] ^= 1
        connection.execute(
            text("UPDATE object SET payload = :payload WHERE id = :id"),
            {"id": rows[0].id, "payload": bytes(payload)},
        )
    filled.close()
    with Store.open(filled.path) as again:
        assert not verify(again).is_sound
    rebuild_catalog(filled.path)
    with Store.open(filled.path) as again:
        assert verify(again).is_sound


def test_truncated_catalogue(filled: Store) -> None:
    """A catalogue that was cut short is told at opening, and made anew by a rebuild."""
    filled.close()
    path = filled.path / "catalog.sqlite"
    data = path.read_bytes()
    for keep in (10, 100, 4096, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:keep])
        with pytest.raises(CorruptIndexError, match="rebuild"):
            Store.open(filled.path)
    rebuild_catalog(filled.path)
    with Store.open(filled.path) as again:
        assert verify(again).is_sound


def test_rebuild_waits_for_nobody(filled: Store) -> None:
    """While a writer is at work there is no rebuild."""
    with Lease(filled.layout), pytest.raises(StoreLockedError):
        rebuild_catalog(filled.path)


def test_a_pack_sealed_meanwhile_is_not_lost(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack that appears between looking at the disk and at the catalogue is no damage."""
    list_packs = type(filled.layout).list_packs
    with Store.open(filled.path) as other:

        def put_after_listing(layout: Layout) -> dict[Digest, Path]:
            monkeypatch.undo()
            found = list_packs(layout)
            put(other, "a/new", {"z": noise(4000, 7)})
            return found

        monkeypatch.setattr(Layout, "list_packs", put_after_listing)
        report = verify(filled, is_repairing=True)
    assert (report.damages, report.set_aside) == ((), ())
    assert read_all(filled, "a/new") == {"z": noise(4000, 7)}


def test_a_pack_removed_meanwhile_is_not_lost(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What gc removes while verify looks is neither an error nor damage."""
    filled.delete_repository("a/apart")
    list_packs = type(filled.layout).list_packs
    with Store.open(filled.path) as other:

        def collect_after_listing(layout: Layout) -> dict[Digest, Path]:
            monkeypatch.undo()
            found = list_packs(layout)
            assert collect_garbage(other, grace_s=0).packs_removed == 1
            return found

        monkeypatch.setattr(Layout, "list_packs", collect_after_listing)
        report = verify(filled, is_repairing=True)
    assert (report.damages, report.set_aside) == ((), ())


def test_repair_looks_again(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack that was put back before the lock was taken stays in service."""
    path, offset = place(filled, filled.tensors("a/base")[0].digest)
    whole = path.read_bytes()
    flip(path, offset + 9)
    trace = verify_module._trace

    def put_back(*arguments: Any) -> None:
        trace(*arguments)
        path.write_bytes(whole)

    monkeypatch.setattr(verify_module, "_trace", put_back)
    report = verify(filled, is_repairing=True)
    assert report.damages
    assert report.set_aside == ()
    monkeypatch.undo()
    assert verify(filled).is_sound
