"""The example bytes of docs/format.md parse with the real code, to the values that the page states."""

import hashlib
import re
from pathlib import Path

import pytest

from tensorhub._native import encode_ulp_delta
from tensorhub.codecs import reference_planes, reference_ulp_delta
from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk
from tensorhub.codecs.reference_streams import StreamMode
from tensorhub.codecs.registry import CODECS
from tensorhub.schema.coding_fact import CodingFact, parse_coding_fact
from tensorhub.schema.digest import Digest
from tensorhub.schema.dtype import DType
from tensorhub.schema.facts import Fact, FactKind, parse_fact
from tensorhub.schema.names import RefKind, RefName, RepositoryId, RepoType
from tensorhub.schema.records import (
    BlobRecord,
    ChunkRecord,
    Commit,
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
from tensorhub.schema.wire import RecordReader
from tensorhub.store.hashing import Hasher, ObjectKind, checksum
from tensorhub.store.layout import Layout, encode_name, open_layout
from tensorhub.store.pack import PackFile
from tensorhub.store.refs import RefStore

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "format.md").read_text("utf-8")
STORE_ID = bytes(range(16))
CONTENT = b"hello\n"
HASHER = Hasher()
BLOB = HASHER.digest(CONTENT)


def block(name: str) -> str:
    found = re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found, f"no example {name}"
    return found[1]


def example(name: str) -> bytes:
    return bytes.fromhex(block(name))


def section(number: int) -> str:
    return PAGE.split(f"\n## {number} ")[1].split("\n## ")[0]


FILE = FileRecord("bytes", 6, (Segment(6, BLOB),))
FILE_DIGEST = HASHER.object_digest(ObjectKind.FILE, FILE.to_bytes())
TREE = Tree((TreeEntry("hello.txt", FileMode.FILE, FILE_DIGEST),))
TREE_DIGEST = HASHER.object_digest(ObjectKind.TREE, TREE.to_bytes())
COMMIT = Commit(TREE_DIGEST, (), "ada", 1_700_000_000_000, "Add hello.txt")
RECORD = BlobRecord(
    BLOB,
    6,
    1,
    1 << 20,
    0,
    0,
    None,
    (
        ChunkRecord(
            0, 1, b"", (), 0, 1, b"", False, StoredRange(None, 32, 6, checksum(CONTENT)), checksum(CONTENT)
        ),
    ),
)
FACT = Fact(FactKind.FILE_SHA256, FILE_DIGEST, hashlib.sha256(CONTENT).digest())


def test_varint():
    assert RecordReader(example("varint"), "example").varint() == 300


def test_blob_record():
    assert parse_blob_record(example("blob-record"), ()) == RECORD


def test_delta_record():
    pack = Digest(bytes(range(32, 64)))
    record = parse_blob_record(example("delta-record"), (pack,))
    raw = b"\x80\x3f\x00\x40"
    chunk = record.chunks[0]
    assert (record.digest, record.nbytes, record.element_width) == (HASHER.digest(raw), 4, 2)
    assert (record.generation, record.standalone_nbytes) == (1, 4)
    assert (chunk.predictor_id, chunk.codec_id) == (1, 3)
    assert chunk.sources == (SourceRange(Digest(bytes(range(32))), 16, 4),)
    assert (chunk.stored.pack, chunk.stored.offset, chunk.stored.nbytes) == (pack, 64, 5)
    assert chunk.decoded_checksum == checksum(raw)


def test_file_records():
    assert parse_file_record(example("file-record")) == FILE
    second = parse_file_record(example("tensor-file-record"))
    assert (second.format_name, second.nbytes, second.segments[0]) == ("safetensors", 10, FILE.segments[0])
    assert second.segments[1].tensor == TensorSpec("w", DType.BF16, (1, 2))


def test_tree_and_commit():
    assert parse_tree(example("tree")) == TREE
    assert parse_commit(example("commit")) == COMMIT
    digest = HASHER.object_digest(ObjectKind.COMMIT, example("commit"))
    assert COMMIT.commit_id(digest) in section(7)


def test_codec_table():
    for codec in CODECS:
        assert f"| {codec.codec_id} | {codec.version} | `{codec.name}` | " in section(10)
    for mode in StreamMode:
        assert f"| {mode.value} | `{mode.name}` | " in section(10)


@pytest.mark.parametrize(
    ("name", "codec_id", "decoded", "prediction"),
    [
        ("planes-chunk", 4, "80 3f 80 bf 80 3f 07", None),
        ("ulp-delta-chunk", 6, "80 3f 81 3f 7f 3f 80 3e 07", "80 3f 80 3f 80 3f 80 3f 00"),
    ],
)
def test_coded_chunks(name: str, codec_id: int, decoded: str, prediction: str | None):
    assert f"`{decoded}`" in section(10)
    assert prediction is None or f"`{prediction}`" in section(10)
    target, base = bytes.fromhex(decoded), None if prediction is None else bytes.fromhex(prediction)
    out = bytearray(len(target))
    decode_chunk(codec_id, 1, b"", example(name), CodecContext(2, base), out)
    assert out == target
    if base is None:
        assert reference_planes.decode_planes(example(name), 2, len(target)) == target
    else:
        assert reference_ulp_delta.decode_ulp_delta(example(name), base, 2, len(target)) == target
        assert encode_ulp_delta(target, base, 2) == example(name)


def test_fact():
    assert parse_fact(example("fact")) == FACT
    assert parse_coding_fact(example("coding-fact")) == CodingFact(0x0102030405060708, 300, 6, 4)
    assert f"0 {Mode.FAST.value}, 1 {Mode.BALANCED.value}, 2 {Mode.MAX.value}" in section(8)


def test_ref(tmp_path: Path):
    layout = Layout(tmp_path)
    repository, ref = RepositoryId(RepoType.MODEL, "owner/name"), RefName(RefKind.HEADS, "main")
    path = tmp_path / "refs" / "model" / "owner%2Fname" / "heads" / "main"
    path.parent.mkdir(parents=True)
    path.write_text(block("ref"))
    assert len(block("ref")) == 113
    found = RefStore(layout).read(repository, ref)
    assert found is not None
    assert found.digest == HASHER.object_digest(ObjectKind.COMMIT, example("commit"))
    assert found.commit_id == COMMIT.commit_id(found.digest)


def test_file_names():
    assert encode_name("feature/ä ~x") == "feature%2F%C3%A4%20~x"
    assert encode_name(".x") == "%2Ex"


def test_hub_json(tmp_path: Path):
    (tmp_path / "hub.json").write_text(block("hub.json"))
    _, settings = open_layout(tmp_path)
    assert (settings.store_id, settings.key, settings.mode) == (STORE_ID, None, Mode.BALANCED)


def test_pack(tmp_path: Path):
    data = example("pack")
    pack = HASHER.digest(data)
    assert pack.hex in section(4)
    assert f"pack of {len(data)} bytes" in section(4)
    path = tmp_path / "example.pack"
    path.write_bytes(data)
    file = PackFile(path, pack)
    table = file.read_table(STORE_ID)
    assert table.references == ()
    assert table.blobs == [RECORD]
    assert table.objects == [
        (ObjectKind.FILE, FILE.to_bytes()),
        (ObjectKind.TREE, TREE.to_bytes()),
        (ObjectKind.COMMIT, COMMIT.to_bytes()),
    ]
    assert table.facts == [FACT]
    assert file.read(32, 6) == CONTENT


@pytest.mark.parametrize("dtype", list(DType), ids=lambda dtype: dtype.name)
def test_dtype_table(dtype: DType):
    assert f"| {dtype.record_id} | `{dtype.name}` | {dtype.bits} |" in section(6)


def test_source_refers_to_sections_that_exist():
    root = DOCS.parent
    files = [*root.glob("src/**/*.py"), *root.glob("native/**/*.[ch]pp")]
    assert files
    for path in files:
        text = path.read_text("utf-8")
        assert "format-codecs" not in text, path
        assert "format-sketch" not in text, path
        for match in re.finditer(r"docs/format\.md``?, sections? (\d+)(?: to (\d+))?", text):
            for number in match.groups():
                assert number is None or f"\n## {number} " in PAGE, (path, match[0])
