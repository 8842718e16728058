"""What lies in a pack is live, dead or superseded."""

from tensorhub import Store
from tensorhub.schema.digest import Digest
from tensorhub.store.leases import Lease
from tensorhub.store.liveness import find_live
from tensorhub.store.pack_output import PackOutput
from tensorhub.store.pack_usage import PackUsage, pack_usage
from tensorhub.store.salvage import moved_record

from ...weights import noise, put


def usage_of(store: Store) -> dict[Digest, PackUsage]:
    return pack_usage(store, find_live(store, [reference for _, _, reference in store.ref_store.all()]))


def test_live_dead_superseded(store: Store) -> None:
    """Coded bytes are one of the three, and become superseded when another record of their blob counts."""
    put(store, "a/b", {"x": noise(50_001, 1), "y": noise(30_000, 2)})
    (first,) = store.catalog.packs()
    put(store, "a/b", {"x": noise(50_001, 1)})
    store.squash("a/b")
    item = usage_of(store)[first]
    assert 50_001 <= item.live_nbytes < 51_000
    assert 30_000 <= item.dead_nbytes < 31_000
    assert (item.superseded_nbytes, len(item.live_blobs), len(item.dead_blobs)) == (0, 1, 1)
    (file,) = store.files("a/b")
    record = store.catalog.blob_record(store.snapshots.file_record(file.digest).segments[0].digest)
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        output.writer().table.blobs.append(moved_record(store, output.writer(), record, {first}))
        second = output.seal()
    assert second is not None
    found = usage_of(store)
    assert found[first].superseded_nbytes == 50_001 + 15
    assert (found[first].live_blobs, len(found[first].dead_blobs)) == (set(), 1)
    assert 50_001 <= found[second].live_nbytes < 51_000
    assert found[second].superseded_nbytes == 0


def test_damaged_packs_are_left_to_verify(store: Store) -> None:
    """A pack whose footer says nothing has nothing superseded."""
    put(store, "a/b", {"x": noise(50_000, 1)})
    (pack,) = store.catalog.packs()
    path = store.layout.pack(pack)
    path.write_bytes(path.read_bytes()[:-56] + b"\xff" * 56)
    assert usage_of(store)[pack].superseded_nbytes == 0
    path.write_bytes(b"short")
    assert usage_of(store)[pack].superseded_nbytes == 0
    path.unlink()
    assert usage_of(store)[pack].superseded_nbytes == 0
