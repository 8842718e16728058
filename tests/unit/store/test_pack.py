"""Packs: written once, named by their bytes, refused when damaged."""

import errno
from pathlib import Path

import pytest

from tensorhub.errors import (
    BackendError,
    CorruptPackError,
    InvariantError,
    LimitExceededError,
    MissingBlobError,
    OutOfSpaceError,
    UnsupportedVersionError,
)
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.records import BlobRecord, ChunkRecord, SourceRange, StoredRange, Tree
from tensorhub.store import pack as pack_module
from tensorhub.store.hashing import Hasher, ObjectKind, checksum
from tensorhub.store.layout import Layout, Settings, create_layout
from tensorhub.store.pack import FOOT_NBYTES, HEAD_NBYTES, PackFile, PackWriter
from tensorhub.store.pack_table import parse_table

from ...weights import noise

HASHER = Hasher()


@pytest.fixture
def hub(tmp_path: Path) -> tuple[Layout, Settings]:
    return create_layout(tmp_path / "hub", is_keyed=False)


def write(hub: tuple[Layout, Settings], pieces: list[bytes]) -> tuple[Digest, int, list[int]]:
    """Seal a pack of raw blobs and an empty tree; gives id, size and offsets."""
    layout, settings = hub
    writer = PackWriter(layout, settings.store_id, HASHER, layout.temporary / "1.tmp")
    offsets = []
    for piece in pieces:
        offsets.append(writer.append(piece))
        stored = StoredRange(None, offsets[-1], len(piece), checksum(piece))
        chunk = ChunkRecord(0, 1, b"", (), 0, 1, b"", False, stored, checksum(piece))
        writer.table.blobs.append(
            BlobRecord(HASHER.digest(piece), len(piece), 1, 1 << 20, 0, 0, None, (chunk,))
        )
    writer.table.objects.append((ObjectKind.TREE, Tree(()).to_bytes()))
    writer.table.facts.append(Fact(FactKind.FILE_SHA256, HASHER.digest(b"f"), bytes(range(32))))
    return *writer.seal(1234), offsets


def test_round_trip(hub: tuple[Layout, Settings]) -> None:
    """Bytes and records come back; the name is the digest of the file; nothing temporary stays."""
    pieces = [b"one", b"x" * 100, b"three" * 7]
    pack, nbytes, offsets = write(hub, pieces)
    path = hub[0].pack(pack)
    assert HASHER.digest(path.read_bytes()) == pack
    assert path.stat().st_size == nbytes
    assert list(hub[0].temporary.iterdir()) == []
    assert hub[0].list_packs() == {pack: path}
    file = PackFile(path, pack)
    assert [file.read(offset, len(piece)) for offset, piece in zip(offsets, pieces, strict=True)] == pieces
    table = file.read_table(hub[1].store_id)
    assert [record.digest for record in table.blobs] == [HASHER.digest(piece) for piece in pieces]
    assert table.sealed_at_ns == 1234
    assert len(table.objects) == len(table.facts) == 1


def test_alignment(hub: tuple[Layout, Settings]) -> None:
    """Coded bytes start on 16-byte boundaries, whatever came before."""
    _, _, offsets = write(hub, [bytes([n]) * n for n in range(1, 40)])
    assert all(offset % 16 == 0 for offset in offsets)
    assert offsets[0] == HEAD_NBYTES


def test_unsealed_bytes_are_readable(hub: tuple[Layout, Settings]) -> None:
    """After a flush a reader sees what was appended; a discarded pack leaves no file."""
    layout, settings = hub
    path = layout.temporary / "1.tmp"
    writer = PackWriter(layout, settings.store_id, HASHER, path)
    offset = writer.append(b"hello")
    writer.flush()
    assert PackFile(path, None).read(offset, 5) == b"hello"
    assert layout.list_packs() == {}
    writer.discard()
    writer.flush()
    assert not path.exists()


def test_a_flush_while_the_pack_is_closed(hub: tuple[Layout, Settings]) -> None:
    """A reader's flush may meet the close of a seal; there is nothing left to hand over then."""
    writer = PackWriter(hub[0], hub[1].store_id, HASHER, hub[0].temporary / "1.tmp")

    class Closing:
        """Says that it is open once, as to a thread that looks just before the close."""

        looks = 0

        @property
        def closed(self) -> bool:
            self.looks += 1
            return self.looks > 1

        def flush(self) -> None:
            raise ValueError("flush of closed file")

        def close(self) -> None:
            pass

    real, writer._file = writer._file, Closing()  # type: ignore[assignment]
    writer.flush()
    writer._file = real
    writer.discard()
    writer.flush()


def test_a_failed_writer_is_dead(hub: tuple[Layout, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """After a write that failed nothing is appended or sealed, and no pack appears."""
    writer = PackWriter(hub[0], hub[1].store_id, HASHER, hub[0].temporary / "1.tmp")
    real = writer._file

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "full")

    writer._file = Full()  # type: ignore[assignment]
    with pytest.raises(OutOfSpaceError):
        writer.append(b"x")
    writer._file = real
    with pytest.raises(InvariantError, match="failed"):
        writer.append(b"y")
    with pytest.raises(InvariantError, match="failed"):
        writer.seal(1)
    writer.discard()
    assert hub[0].list_packs() == {}


def test_a_pack_of_another_size_gets_no_name(hub: tuple[Layout, Settings]) -> None:
    """What lies on disk must be what was written, before the rename."""
    writer = PackWriter(hub[0], hub[1].store_id, HASHER, hub[0].temporary / "1.tmp")
    writer.append(b"x" * 100)
    writer.flush()
    with writer.path.open("ab") as other:
        other.write(bytes(1000))
    with pytest.raises(BackendError, match="on disk"):
        writer.seal(1)
    assert hub[0].list_packs() == {}
    with pytest.raises(InvariantError):
        writer.append(b"y")
    writer.discard()


def test_a_table_beyond_the_limit(hub: tuple[Layout, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that no reader would take is refused before it is written; the estimate tells in time."""
    writer = PackWriter(hub[0], hub[1].store_id, HASHER, hub[0].temporary / "1.tmp")
    for number in range(50):
        digest = HASHER.digest(str(number).encode())
        chunks = tuple(
            ChunkRecord(1, 1, b"", (SourceRange(digest, n << 20, 1 << 20),), 2, 1, b"p", False, stored, n)
            for n in range(number)
            for stored in [StoredRange(digest, n << 40, 1 << 30, (1 << 64) - 1)]
        )
        if chunks:
            writer.table.blobs.append(BlobRecord(digest, number << 20, 2, 1 << 20, 5, 1 << 30, None, chunks))
        writer.table.objects.append((ObjectKind.TREE, noise(number, number)))
        writer.table.facts.append(Fact(FactKind.FILE_SHA256, digest, bytes(32)))
        nbytes = len(writer.table.to_bytes())
        assert nbytes <= writer.table_nbytes_estimate <= 4 * nbytes + 200
    before = writer.nbytes
    monkeypatch.setattr(pack_module, "MAX_TABLE_NBYTES", nbytes - 1)
    with pytest.raises(LimitExceededError):
        writer.seal(1)
    assert writer.nbytes == before
    writer.discard()


def test_short_reads_are_damage(hub: tuple[Layout, Settings]) -> None:
    """Reading past the end names the pack and the offset; a missing pack is told as such."""
    pack, nbytes, _ = write(hub, [b"one"])
    with pytest.raises(CorruptPackError) as caught:
        PackFile(hub[0].pack(pack), pack).read(nbytes - 2, 4)
    assert (caught.value.pack, caught.value.offset) == (pack.hex, nbytes - 2)
    hub[0].pack(pack).unlink()
    with pytest.raises(MissingBlobError):
        PackFile(hub[0].pack(pack), pack)


def test_every_flip_of_the_frame_is_seen(hub: tuple[Layout, Settings]) -> None:
    """One flipped bit in header, table or footer never gives another table.

    The header's reserved field and the footer's are only covered by the pack's name.
    """
    pack, nbytes, offsets = write(hub, [b"y" * 64])
    path = hub[0].pack(pack)
    good = path.read_bytes()
    sound = PackFile(path, pack).read_table(hub[1].store_id)
    for position in [*range(HEAD_NBYTES), *range(offsets[0] + 64, nbytes)]:
        bad = bytearray(good)
        bad[position] ^= 1 << position % 8
        path.write_bytes(bad)
        try:
            found = PackFile(path, pack).read_table(hub[1].store_id)
        except (CorruptPackError, UnsupportedVersionError):
            continue
        found.sealed_at_ns = sound.sealed_at_ns
        assert found == sound, position


@pytest.mark.parametrize("keep", [0, 10, HEAD_NBYTES, HEAD_NBYTES + FOOT_NBYTES - 1, -1, -FOOT_NBYTES])
def test_truncation_is_seen(hub: tuple[Layout, Settings], keep: int) -> None:
    """A pack that was cut short is damage."""
    pack, nbytes, _ = write(hub, [b"y" * 64])
    path = hub[0].pack(pack)
    path.write_bytes(path.read_bytes()[: keep % nbytes])
    with pytest.raises(CorruptPackError):
        PackFile(path, pack).read_table(hub[1].store_id)


def test_packs_of_another_store(hub: tuple[Layout, Settings]) -> None:
    """A pack that was copied in from another store is refused."""
    pack, _, _ = write(hub, [b"one"])
    with pytest.raises(CorruptPackError, match="pack of store"):
        PackFile(hub[0].pack(pack), pack).read_table(bytes(16))


def test_unknown_object_kinds() -> None:
    """A table with an object of a later version is refused as such."""
    with pytest.raises(UnsupportedVersionError):
        parse_table(b"\0\0\x01\x09\x00\0", 0)
