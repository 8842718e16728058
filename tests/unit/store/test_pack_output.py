"""Packs of maintenance: opened when needed, counted when sealed, gone when not."""

import pytest

from tensorhub import Store
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.store import pack_output
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.leases import Lease
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.salvage import moved_record

from ...weights import noise, put, read_all


def test_nothing_in_nothing_out(store: Store) -> None:
    """Without anything to write there is no pack, sealed or not."""
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        assert output.seal() is None
        assert not output.is_full
        output.discard()
    assert output.made == store.layout.list_packs() == {}


def test_sealed_counts_discarded_does_not(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sealed is answered by the catalogue, where it lies now; what is discarded leaves no file."""
    put(store, "a/b", {"x": noise(5000, 1)})
    file = store.files("a/b")[0].digest
    digest = store.snapshots.file_record(file).segments[0].digest
    claim = Fact(FactKind.FILE_SHA256, file, bytes(32), is_claimed=True)
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        record = store.catalog.blob_record(digest)
        writer = output.writer()
        writer.table.blobs.append(moved_record(store, writer, record, store.catalog.packs()))
        writer.table.objects.append((ObjectKind.FILE, store.catalog.object(file, ObjectKind.FILE).payload))
        writer.table.facts.append(claim)
        assert not output.is_full
        monkeypatch.setattr(pack_output, "TARGET_NBYTES", 5000)
        assert output.is_full
        first = output.seal()
        assert first is not None
        assert output.made == {first: store.layout.pack(first).stat().st_size}
        output.writer().append(b"rest")
        output.discard()
        assert list(store.layout.temporary.iterdir()) == []
    assert {chunk.stored.pack for chunk in store.catalog.blob_record(digest).chunks} == {first}
    assert store.catalog.facts(file) == [claim]
    assert read_all(store, "a/b") == {"x": noise(5000, 1)}
