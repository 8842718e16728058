"""Record parsers against random and mutated bytes: FormatError or a value that serialises to the same bytes."""

import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.errors import FormatError
from tensorhub.schema.coding_fact import CodingFact, parse_coding_fact
from tensorhub.schema.digest import Digest
from tensorhub.schema.dtype import DType
from tensorhub.schema.facts import Fact, FactKind, parse_fact
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
    parse_blob_record,
    parse_commit,
    parse_file_record,
    parse_tree,
)
from tensorhub.schema.tensor import Segment, TensorSpec
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.pack_table import PackTable, parse_table

PACKS = tuple(Digest(bytes([value]) * 32) for value in (200, 201))
DIGESTS = tuple(Digest(bytes([value]) * 32) for value in range(6))


def blob_record() -> BlobRecord:
    def chunk(
        index: int, sources: tuple[SourceRange, ...], parameters: bytes, *, uses_model: bool
    ) -> ChunkRecord:
        stored = StoredRange((None, *PACKS)[index], 64 * index, 1000, 7)
        return ChunkRecord(1, 1, parameters, sources, 3, 1, parameters, uses_model, stored, 9)

    chunks = (
        chunk(0, (), b"", uses_model=False),
        chunk(1, (SourceRange(DIGESTS[1], 300, 4096),), b"p", uses_model=True),
        chunk(2, (SourceRange(DIGESTS[2], 0, 1), SourceRange(DIGESTS[1], 5, 6)), b"", uses_model=False),
    )
    return BlobRecord(DIGESTS[0], 10_000, 2, 4096, 3, 77, StoredRange(None, 16, 5, 5), chunks)


FILE = FileRecord(
    "safetensors",
    300,
    (Segment(44, DIGESTS[0]), Segment(256, DIGESTS[1], TensorSpec("ä.weight", DType.BF16, (2, 64)))),
)
TREE = Tree((TreeEntry("a", FileMode.FILE, DIGESTS[0]), TreeEntry("b/ü", FileMode.SYMLINK, DIGESTS[1])))
PARENT = CommitReference("0123456789" * 4, DIGESTS[1])
COMMIT = Commit(DIGESTS[0], (PARENT,), "me", 1 << 40, "title", "message", True, "hf", "ab" * 20)
FACT = Fact(FactKind.FILE_SHA256, DIGESTS[0], bytes(32), True)
CODING = CodingFact(1 << 63, 1 << 40, 7, 4)
TABLE = PackTable(
    (), [blob_record()], [(ObjectKind.FILE, FILE.to_bytes()), (ObjectKind.TREE, TREE.to_bytes())], [FACT], 5
)

Parse = Callable[[bytes], bytes | None]


def _fact(data: bytes) -> bytes | None:
    fact = parse_fact(data)
    return None if fact is None else fact.to_bytes()


def _table(data: bytes) -> bytes | None:
    table = parse_table(data, 5)
    again = PackTable((), table.blobs, table.objects, table.facts, 5).to_bytes()
    return None if len(again) < len(data) else again  # facts of unknown kinds are skipped


PARSERS: dict[str, tuple[bytes, Parse]] = {
    "blob record": (
        blob_record().to_bytes({pack: index + 1 for index, pack in enumerate(PACKS)}),
        lambda data: parse_blob_record(data, PACKS).to_bytes({pack: i + 1 for i, pack in enumerate(PACKS)}),
    ),
    "file record": (FILE.to_bytes(), lambda data: parse_file_record(data).to_bytes()),
    "tree": (TREE.to_bytes(), lambda data: parse_tree(data).to_bytes()),
    "commit": (COMMIT.to_bytes(), lambda data: parse_commit(data).to_bytes()),
    "fact": (FACT.to_bytes(), _fact),
    "coding fact": (CODING.to_bytes(), lambda data: parse_coding_fact(data).to_bytes()),
    "pack table": (TABLE.to_bytes(), _table),
}


def check(name: str, data: bytes) -> bool:
    """Give whether the bytes parsed."""
    try:
        again = PARSERS[name][1](data)
    except FormatError as error:
        assert error.expected
        assert error.found is not None
        return False
    assert again is None or again == data
    return True


@pytest.mark.parametrize("name", PARSERS)
def test_the_seed_parses(name: str):
    assert check(name, PARSERS[name][0])


@pytest.mark.parametrize("name", PARSERS)
def test_every_truncation_and_extension_is_refused(name: str):
    seed = PARSERS[name][0]
    assert not any(check(name, seed[:length]) for length in range(len(seed)))
    assert not check(name, seed + b"\0")


@pytest.mark.parametrize("name", PARSERS)
def test_every_flipped_bit(name: str):
    seed = PARSERS[name][0]
    for position in range(8 * len(seed)):
        data = bytearray(seed)
        data[position // 8] ^= 1 << position % 8
        check(name, bytes(data))


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_random_bytes(name: str, data: bytes):
    check(name, data)


EDITS = st.lists(
    st.tuples(
        st.integers(0, 10_000),
        st.integers(0, 3),
        st.binary(max_size=12) | st.just(b"\xff" * 8 + b"\x7f") | st.just(b"\xff" * 8 + b"\xff\x01"),
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=250, deadline=None)
@given(edits=EDITS)
def test_mutated_bytes(name: str, edits: list[tuple[int, int, bytes]]):
    """Splices, among them the largest integers, anywhere."""
    data = bytearray(PARSERS[name][0])
    for position, removed, inserted in edits:
        at = position % (len(data) + 1)
        data[at : at + removed] = inserted
    check(name, bytes(data))


HUGE = b"\xff" * 8 + b"\x7f"  # 2**63 - 1


@pytest.mark.parametrize("name", PARSERS)
def test_absurd_numbers_allocate_nothing(name: str):
    seed = PARSERS[name][0]
    tracemalloc.start()
    try:
        for position in range(len(seed)):
            check(name, seed[:position] + HUGE + seed[position + 1 :])
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "shape", [(1 << 62, 1 << 62), (1 << 62,) * 64, (0, 1 << 62, 1 << 62), (1,) * 65, (3, 64)], ids=str
)
def test_a_shape_that_is_not_the_segments(shape: tuple[int, ...]):
    segment = Segment(256, DIGESTS[1], TensorSpec("w", DType.BF16, shape))
    assert not check("file record", FileRecord("safetensors", 256, (segment,)).to_bytes())


def test_an_unknown_dtype_is_a_newer_writer():
    data = FILE.to_bytes()
    at = data.index(b"weight") + 6
    assert data[at] == DType.BF16.record_id
    assert not check("file record", data[:at] + b"\x63" + data[at + 1 :])
