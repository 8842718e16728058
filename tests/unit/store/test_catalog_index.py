"""Which record of a blob counts."""

from dataclasses import replace

from tensorhub import Store
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import BlobRecord, ChunkRecord, SourceRange, StoredRange
from tensorhub.store.catalog_index import index_pack
from tensorhub.store.pack_table import PackTable


def digest(number: int) -> Digest:
    return Digest(bytes([number]) * 32)


def record(blob: int, base: int | None = None, generation: int = 0, pack: Digest | None = None) -> BlobRecord:
    """Make a record of one chunk, whose checksum tells generations apart."""
    sources = (SourceRange(digest(base), 0, 64),) if base is not None else ()
    stored = StoredRange(pack, 32, 64, generation)
    chunk = ChunkRecord(1 if sources else 0, 1, b"", sources, 0, 1, b"", False, stored, 0)
    return BlobRecord(digest(blob), 64, 1, 1 << 20, generation, 0, None, (chunk,))


def index(store: Store, pack: int, *records: BlobRecord, references: tuple[Digest, ...] = ()) -> None:
    table = PackTable(references, list(records), [], [], pack)
    index_pack(store.catalog, store.settings.hasher, digest(pack), 100, table)


def counted(store: Store, blob: int) -> int:
    """Tell which generation of a blob counts."""
    return store.catalog.blob_record(digest(blob)).chunks[0].stored.checksum


def test_the_highest_generation_counts(store: Store) -> None:
    """Whatever the order of packs; of equal ones the first."""
    index(store, 200, record(1, generation=1))
    index(store, 201, record(1, generation=0))
    assert (counted(store, 1), store.catalog.blob_record(digest(1)).chunks[0].stored.pack) == (1, digest(200))
    index(store, 202, record(1, generation=2))
    index(store, 203, record(1, generation=2))
    assert store.catalog.blob_record(digest(1)).chunks[0].stored.pack == digest(202)


def test_records_into_missing_packs_do_not_count(store: Store) -> None:
    """A record whose bytes lie in a pack that is not there never replaces a readable one."""
    index(store, 200, record(1))
    index(store, 201, record(1, generation=5, pack=digest(99)), references=(digest(99),))
    assert counted(store, 1) == 0
    index(store, 202, record(1, generation=3, pack=digest(200)), references=(digest(200),))
    assert counted(store, 1) == 3


def test_no_circles(store: Store) -> None:
    """A record that would lean on itself through its sources is not taken."""
    index(store, 200, record(1), record(2, base=1))
    index(store, 201, record(1, base=2, generation=1))
    assert counted(store, 1) == 0
    index(store, 202, record(3, base=2), record(1, base=3, generation=2))
    assert counted(store, 1) == 0


def test_a_delta_without_base_gives_way(store: Store) -> None:
    """A record whose base is in no pack is replaced by any that can be decoded."""
    index(store, 200, record(2, base=1))
    assert store.catalog.blob(digest(2)) is not None
    assert not store.catalog.holding(digest(2))[0]
    index(store, 201, record(2))
    assert store.catalog.holding(digest(2))[0]
    assert not store.catalog.blob_record(digest(2)).source_digests()
    index(store, 202, replace(record(2, base=1), generation=0))
    assert store.catalog.holding(digest(2))[0]
