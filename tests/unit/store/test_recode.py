"""Recoding: whatever the size, in bounded pieces, and only what was read whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorhub import Store, collect_garbage
from tensorhub.codecs.base import CodedChunk
from tensorhub.codecs.mode import Mode
from tensorhub.errors import InvariantError
from tensorhub.schema.digest import Digest
from tensorhub.store import coding, pack_output, recode
from tensorhub.store.leases import Lease
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.progress import Quiet
from tensorhub.store.recode import Outcome, Recoder

from ...weights import assert_sound, noise, put, read_all, safetensors, tuned, weights
from .test_gc_superseded import code_again

pytestmark = pytest.mark.usefixtures("modes")
BASE = weights((700, 1024), 1)  # two chunks, of which the second is short
LONG = noise(100, 2) * 45_000  # five chunks that zstd makes small


def _blob_digests(store: Store) -> list[tuple[bytes]]:
    with store.catalog.read() as connection:
        return list(connection.exec_driver_sql("SELECT digest FROM blob ORDER BY digest"))


def recode_all(store: Store, mode: Mode, *, is_forced: bool = False, workers: int = 2) -> list[Outcome]:
    """Recode every blob of a store, in the order of their digests."""
    outcomes: list[Outcome] = []
    digests = [Digest(row[0]) for row in _blob_digests(store)]
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        recoder = Recoder(
            store,
            mode,
            is_forced=is_forced,
            output=output,
            deliver=outcomes.append,
            progress=Quiet(),
            workers=workers,
        )
        try:
            for digest in digests:
                recoder.submit(digest)
            recoder.drain()
        finally:
            recoder.close()
            output.discard()
    store.reader.forget()
    return outcomes


@pytest.fixture
def files(store: Store) -> dict[str, bytes]:
    """Put a base, a fine-tune and a long file, all of them raw."""
    files = {
        "a.safetensors": safetensors({"w": BASE}),
        "b.safetensors": safetensors({"w": tuned(BASE, 2)}),
        "long.txt": LONG,
        "noise": noise(2_000_000, 3),
    }
    with store.begin_commit("a/b", mode="fast") as transaction:
        for path, content in files.items():
            transaction.put_file(path, content)
        transaction.publish()
    return files


@pytest.mark.parametrize("target_nbytes", [1, 1 << 20, 1 << 30])
@pytest.mark.parametrize("since_nbytes", [1, 1 << 40])
def test_packs_of_any_size(
    store: Store,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    target_nbytes: int,
    since_nbytes: int,
) -> None:
    """Blobs may span packs; what is told is what the catalogue then says, however packs are cut."""
    monkeypatch.setattr(pack_output, "TARGET_NBYTES", target_nbytes)
    monkeypatch.setattr(recode, "SEAL_EVERY_NBYTES", since_nbytes)
    outcomes = recode_all(store, Mode.MAX)
    for outcome in outcomes:
        row = store.catalog.blob(outcome.digest)
        assert row is not None
        assert row.stored_nbytes == outcome.stored_nbytes_after <= outcome.stored_nbytes_before
        assert (row.nbytes, outcome.is_exact, outcome.failure) == (outcome.nbytes, True, None)
        assert outcome.is_rewritten is (row.nbytes != 2_000_000 and row.nbytes > 500)
    assert sum(outcome.stored_nbytes_after for outcome in outcomes) < 0.7 * sum(map(len, files.values()))
    assert read_all(store, "a/b") == files
    assert_sound(store)
    assert list(store.layout.temporary.iterdir()) == []


def test_chunks_that_do_not_get_smaller_stay_where_they_lie(store: Store) -> None:
    """A new record points into the old pack for them, and both packs are needed from then on."""
    mixed = noise(1 << 20, 1) + bytes(1 << 20) + noise(1000, 2)
    with store.begin_commit("a/b", mode="fast") as transaction:
        transaction.put_file("x", mixed)
        transaction.publish()
    old = set(store.catalog.packs())
    (digest,) = (Digest(row[0]) for row in _blob_digests(store))
    before = [chunk.stored.pack for chunk in store.catalog.blob_record(digest).chunks]
    (outcome,) = recode_all(store, Mode.MAX)
    assert outcome.is_rewritten
    after = [chunk.stored.pack for chunk in store.catalog.blob_record(outcome.digest).chunks]
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] not in old
    assert read_all(store, "a/b") == {"x": mixed}
    assert_sound(store)


def test_deltas_keep_their_base_or_stand_alone(store: Store) -> None:
    """A delta stays one where that is smaller; forced into a mode without deltas, it stands alone for good."""
    files = {"a.safetensors": safetensors({"w": BASE}), "b.safetensors": safetensors({"w": tuned(BASE, 2)})}
    with store.begin_commit("a/b", mode="max") as transaction:
        for path, content in files.items():
            transaction.put_file(path, content)
        transaction.publish()
    (delta,) = [item for item in store.tensors("a/b") if item.coding == "delta"]
    (base,) = [item.digest for item in store.tensors("a/b") if item.coding == "standalone"]
    assert not any(outcome.is_rewritten for outcome in recode_all(store, Mode.BALANCED))
    assert not any(outcome.is_rewritten for outcome in recode_all(store, Mode.MAX, is_forced=True))
    before = store.catalog.blob_record(delta.digest)
    assert before.source_digests() == (base,)
    assert before.standalone_nbytes > 0
    recode_all(store, Mode.BALANCED, is_forced=True)
    record = store.catalog.blob_record(delta.digest)
    assert (record.source_digests(), record.standalone_nbytes) == ((), 0)
    assert record.generation == before.generation + 1
    assert [item.coding for item in store.tensors("a/b")] == ["standalone", "standalone"]
    assert {item.base for item in store.tensors("a/b")} == {None}
    recode_all(store, Mode.MAX)
    assert [item.coding for item in store.tensors("a/b")] == ["standalone", "standalone"]
    assert read_all(store, "a/b") == files
    assert_sound(store)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_damaged_blob_is_left(store: Store, files: dict[str, bytes], workers: int) -> None:
    """It keeps its record, its failure is told, and so is that of what leans on it; the others are recoded."""
    (digest,) = {item.digest for item in store.tensors("a/b", path="a.safetensors")}
    record = store.catalog.blob_record(digest)
    where = record.chunks[1].stored
    assert where.pack is not None
    path = store.layout.pack(where.pack)
    data = bytearray(path.read_bytes())
    data[where.offset + 5] ^= 1
    path.write_bytes(data)
    outcomes = recode_all(store, Mode.MAX, workers=workers)
    failed = [outcome for outcome in outcomes if outcome.failure]
    assert [(outcome.digest, outcome.is_rewritten) for outcome in failed] == [(digest, False)]
    assert store.catalog.blob_record(digest).generation == record.generation
    assert sum(outcome.is_rewritten for outcome in outcomes) == 2
    del files["a.safetensors"]
    assert {path: store.read("a/b", path) for path in files} == files


def test_content_that_is_not_what_its_name_says(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that are what their checksums say, but not what the digest says, are not given a new record."""
    put(store, "a/b", {"x": LONG})
    monkeypatch.setattr(type(store.settings.hasher), "finish", lambda *_: Digest(bytes(32)))
    (outcome,) = recode_all(store, Mode.MAX)
    assert outcome.failure is not None
    assert "00000000" in str(outcome.failure)
    assert not outcome.is_rewritten


def test_a_codec_that_loses_a_bit_stops_the_run(
    store: Store, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is no damage: nothing more is written, and the store is as it was."""
    monkeypatch.setattr(coding, "encode_smallest", lambda *_: (CodedChunk(0, 1, b"", b"x"), False))
    before = store.layout.list_packs()
    with pytest.raises(InvariantError):
        recode_all(store, Mode.MAX)
    assert store.layout.list_packs() == before
    assert list(store.layout.temporary.iterdir()) == []
    assert read_all(store, "a/b") == files


def test_blobs_that_gc_moves_meanwhile(
    store: Store, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A pack that goes while its blobs are recoded costs a second look; a blob that is gone is not told of."""
    put(store, "c/d", {"m": noise(1_500_000, 9)})
    store.delete_repository("c/d")
    decode, calls = type(store.reader).decode_into, 0

    def take_away(self: object, *args: object, **options: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            with Store.open(store.path) as other:
                for path in other.layout.leases.glob("*.lease"):
                    path.rename(tmp_path / path.name)  # as if this run had begun after they are sealed
                code_again(other, "a/b")
                assert collect_garbage(other, grace_s=0).packs_removed >= 1
            store.reader._packs.clear()
        decode(self, *args, **options)  # type: ignore[arg-type]

    submit, second_tries = Recoder.submit, 0

    def count(self: Recoder, digest: Digest, *, is_second_try: bool = False) -> None:
        nonlocal second_tries
        second_tries += is_second_try
        submit(self, digest, is_second_try=is_second_try)

    monkeypatch.setattr(Recoder, "submit", count)
    monkeypatch.setattr(type(store.reader), "decode_into", take_away)
    outcomes = recode_all(store, Mode.MAX, workers=1)
    assert not any(outcome.failure for outcome in outcomes)
    assert len(outcomes) >= len(files)
    assert second_tries > 0
    assert read_all(store, "a/b") == files
    assert_sound(store)
