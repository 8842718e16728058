"""Packs that were made to harm, with right checksums and names: an IntegrityError, in little memory."""

import itertools
import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

import tensorhub as th
from tensorhub.errors import (
    DigestMismatchError,
    IntegrityError,
    MissingBaseError,
    TensorHubError,
    UnsupportedVersionError,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.schema.records import (
    BlobRecord,
    ChunkRecord,
    Commit,
    CommitReference,
    FileMode,
    FileRecord,
    SourceRange,
    StoredRange,
    Tree,
    TreeEntry,
)
from tensorhub.schema.tensor import Segment
from tensorhub.store.hashing import Hasher, ObjectKind, checksum
from tensorhub.store.layout import Layout, create_layout
from tensorhub.store.pack import PackWriter
from tensorhub.store.pack_table import PackTable
from tensorhub.store.refs import RefStore

HASHER = Hasher()
DATA = os.urandom(1000)
NAME = HASHER.digest(DATA)
_times = itertools.count(1)


def raw_chunk(data: bytes, offset: int = 32, **changes: object) -> ChunkRecord:
    stored = StoredRange(None, offset, len(data), checksum(data))
    chunk = ChunkRecord(0, 1, b"", (), 0, 1, b"", False, stored, checksum(data))
    return replace(chunk, **changes)  # type: ignore[arg-type]


def record(chunk: ChunkRecord, name: Digest = NAME, nbytes: int = len(DATA), **changes: object) -> BlobRecord:
    return replace(BlobRecord(name, nbytes, 1, 1 << 20, 0, 0, None, (chunk,)), **changes)  # type: ignore[arg-type]


def write_pack(layout: Layout, store_id: bytes, data: bytes, fill: Callable[[PackTable], None]) -> None:
    writer = PackWriter(layout, store_id, HASHER, layout.temporary / "hostile.tmp")
    try:
        writer.append(data)
        fill(writer.table)
        writer.seal(next(_times))
    finally:
        writer.discard()


def make_store(path: Path, data: bytes, records: list[BlobRecord], files: dict[str, Segment]) -> None:
    """Make a store with one commit that somebody wrote with other software."""
    layout, settings = create_layout(path, is_keyed=False)
    objects: list[tuple[ObjectKind, bytes]] = []

    def put(kind: ObjectKind, payload: bytes) -> Digest:
        objects.append((kind, payload))
        return HASHER.object_digest(kind, payload)

    entries = [
        TreeEntry(
            name, FileMode.FILE, put(ObjectKind.FILE, FileRecord("bytes", item.nbytes, (item,)).to_bytes())
        )
        for name, item in sorted(files.items())
    ]
    tree = put(ObjectKind.TREE, Tree(tuple(entries)).to_bytes())
    commit = Commit(tree, (), "mallory", 0, "hello")
    digest = put(ObjectKind.COMMIT, commit.to_bytes())

    def fill(table: PackTable) -> None:
        table.blobs += records
        table.objects += objects

    write_pack(layout, settings.store_id, data, fill)
    RefStore(layout).swap(
        RepositoryId(RepoType.MODEL, "x/y"),
        RefName(RefKind.HEADS, "main"),
        None,
        CommitReference(commit.commit_id(digest), digest),
    )


def read_in_little_memory(path: Path, file: str = "f") -> TensorHubError:
    with th.Store.open(path) as store:
        tracemalloc.start()
        try:
            with pytest.raises(TensorHubError) as caught:
                store.read("x/y", file)
            assert tracemalloc.get_traced_memory()[1] < 32 << 20
        finally:
            tracemalloc.stop()
        assert any("x/y@" in place for damage in th.verify(store).damages for place in damage.affected)
    return caught.value


SEGMENT = Segment(len(DATA), NAME)
OTHER = HASHER.digest(b"other")
SELF_ZSTD = zstandard.ZstdCompressor().compress(bytes(64 << 20))

CASES: dict[str, tuple[bytes, BlobRecord]] = {
    "stored range past the end": (DATA, record(raw_chunk(DATA, stored=StoredRange(None, 1 << 40, 1000, 1)))),
    "stored range past 2**62": (DATA, record(raw_chunk(DATA, stored=StoredRange(None, 1 << 62, 1000, 1)))),
    "stored range too long": (DATA, record(raw_chunk(DATA, stored=StoredRange(None, 32, 8 << 20, 1)))),
    "raw chunk of another size": (DATA, record(raw_chunk(DATA[:500]))),
    "decoded bytes of another checksum": (DATA, record(raw_chunk(DATA, decoded_checksum=1))),
    "coded bytes of another checksum": (DATA, record(raw_chunk(DATA, stored=StoredRange(None, 32, 1000, 1)))),
    "a zstd bomb": (SELF_ZSTD, record(raw_chunk(SELF_ZSTD, codec_id=1))),
    "zstd of noise": (DATA, record(raw_chunk(DATA, codec_id=1))),
    "planes of noise": (DATA, record(raw_chunk(DATA, codec_id=2), element_width=2)),
    "planes of a wide element": (DATA, record(raw_chunk(DATA, codec_id=2), element_width=4096)),
    "a delta without a source": (DATA, record(raw_chunk(DATA, codec_id=3), element_width=2)),
    "predictor base without a source": (DATA, record(raw_chunk(DATA, predictor_id=1))),
    "predictor none with a source": (DATA, record(raw_chunk(DATA, sources=(SourceRange(OTHER, 0, 10),)))),
    "a source that is nowhere": (
        DATA,
        record(raw_chunk(DATA, predictor_id=1, sources=(SourceRange(OTHER, 0, 10),))),
    ),
    "a source far too long": (
        DATA,
        record(raw_chunk(DATA, predictor_id=1, sources=(SourceRange(OTHER, 0, 1 << 50),))),
    ),
    "parameters that the codec has not": (DATA, record(raw_chunk(DATA, codec_parameters=b"x"))),
    "a pack that is nowhere": (DATA, record(raw_chunk(DATA, stored=StoredRange(OTHER, 32, 1000, 1)))),
}


@pytest.mark.parametrize("case", CASES)
def test_one_lying_record(tmp_path: Path, case: str):
    data, lie = CASES[case]
    make_store(tmp_path / "store", data, [lie], {"f": SEGMENT})
    error = read_in_little_memory(tmp_path / "store")
    assert isinstance(error, IntegrityError), error
    assert error.action


@pytest.mark.parametrize("change", [{"codec_id": 99}, {"codec_version": 9}, {"predictor_id": 77}], ids=str)
def test_what_a_newer_version_might_write(tmp_path: Path, change: dict[str, object]):
    make_store(tmp_path / "store", DATA, [record(raw_chunk(DATA, **change))], {"f": SEGMENT})
    assert isinstance(read_in_little_memory(tmp_path / "store"), UnsupportedVersionError)


@pytest.mark.parametrize("length", [2, 3, 30, 100])
def test_sources_in_a_circle(tmp_path: Path, length: int):
    names = [HASHER.digest(bytes([index])) for index in range(length)]
    records = [
        record(
            raw_chunk(
                DATA, predictor_id=1, codec_id=3, sources=(SourceRange(names[(i + 1) % length], 0, 1000),)
            ),
            name,
        )
        for i, name in enumerate(names)
    ]
    make_store(
        tmp_path / "store", DATA, records, {f"f{i}": Segment(1000, name) for i, name in enumerate(names)}
    )
    assert isinstance(read_in_little_memory(tmp_path / "store", "f0"), IntegrityError)
    th.rebuild_catalog(tmp_path / "store")
    assert isinstance(read_in_little_memory(tmp_path / "store", "f1"), IntegrityError)


def test_a_long_chain_of_sources(tmp_path: Path):
    names = [HASHER.digest(bytes([index])) for index in range(40)]
    records = [record(raw_chunk(DATA), names[0])] + [
        record(raw_chunk(DATA, predictor_id=1, codec_id=3, sources=(SourceRange(base, 0, 1000),)), name)
        for base, name in itertools.pairwise(names)
    ]
    make_store(tmp_path / "store", DATA, records, {"f": Segment(1000, names[-1])})
    assert isinstance(read_in_little_memory(tmp_path / "store"), IntegrityError)


def test_a_blob_that_is_its_own_source_is_never_indexed(tmp_path: Path):
    """Even the writer refuses such a table; a reader refuses the record."""
    lie = record(raw_chunk(DATA, predictor_id=1, sources=(SourceRange(NAME, 0, 1000),)))
    with pytest.raises(TensorHubError):
        make_store(tmp_path / "store", DATA, [lie], {"f": SEGMENT})


def test_a_blob_under_a_wrong_name(tmp_path: Path):
    """Every checksum is right, and the bytes are not those that the name promises: get and verify notice."""
    make_store(tmp_path / "store", DATA, [record(raw_chunk(DATA), OTHER)], {"f": Segment(1000, OTHER)})
    with th.Store.open(tmp_path / "store") as store:
        assert not th.verify(store).is_sound
        with pytest.raises(DigestMismatchError):
            th.restore(store, "x/y", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_base_that_is_nowhere_is_named(tmp_path: Path):
    data, lie = CASES["a source that is nowhere"]
    make_store(tmp_path / "store", data, [lie], {"f": SEGMENT})
    error = read_in_little_memory(tmp_path / "store")
    assert isinstance(error, MissingBaseError)
    assert str(OTHER) in str(error)


@pytest.mark.parametrize("nbytes", [1001, 999, 1 << 40, (1 << 63) - 1])
def test_a_file_record_that_lies_about_size(tmp_path: Path, nbytes: int):
    make_store(tmp_path / "store", DATA, [record(raw_chunk(DATA))], {"f": Segment(nbytes, NAME)})
    with th.Store.open(tmp_path / "store") as store:
        for read in (
            lambda: store.read("x/y", "f"),
            lambda: store.open_file("x/y", "f").read(),
            lambda: th.restore(store, "x/y", tmp_path / "out"),
        ):
            with pytest.raises(IntegrityError):
                read()
        assert [damage.kind for damage in th.verify(store).damages] == ["file"]


@pytest.mark.parametrize("path", ["../evil", "/evil", "a/../../evil", "a\0b"])
def test_a_tree_that_leaves_the_destination(tmp_path: Path, path: str):
    make_store(tmp_path / "store", DATA, [record(raw_chunk(DATA))], {path: SEGMENT})
    with th.Store.open(tmp_path / "store") as store, pytest.raises(TensorHubError):
        th.restore(store, "x/y", tmp_path / "out" / "deep")
    assert not list(tmp_path.rglob("evil"))


def test_objects_that_do_not_parse_cost_their_pack_only(tmp_path: Path):
    make_store(tmp_path / "store", DATA, [record(raw_chunk(DATA))], {"f": SEGMENT})
    with th.Store.open(tmp_path / "store") as store:
        layout, store_id = store.layout, store.settings.store_id
    for kind in ObjectKind:
        write_pack(layout, store_id, b"", lambda table, kind=kind: table.objects.append((kind, b"\xff" * 40)))
    for _ in range(2):
        with th.Store.open(tmp_path / "store") as store:
            assert store.read("x/y", "f") == DATA
        th.rebuild_catalog(tmp_path / "store")


def test_a_pack_of_another_store_is_refused(tmp_path: Path):
    make_store(tmp_path / "store", DATA, [record(raw_chunk(DATA))], {"f": SEGMENT})
    with th.Store.open(tmp_path / "store") as store:
        write_pack(store.layout, bytes(16), b"x", lambda _: None)
    with th.Store.open(tmp_path / "store") as store:
        assert store.read("x/y", "f") == DATA
        assert [damage.kind for damage in th.verify(store).damages] == ["pack"]
