"""Ranges of stored files, and the file object over them."""

import io
import os
import random

import pytest

from tensorhub import Store
from tensorhub.errors import IntegrityError, UsageError
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import FileRecord
from tensorhub.schema.tensor import Segment
from tensorhub.store import reader as reader_module
from tensorhub.store.files import read_link

from ...weights import noise, put, safetensors, tuned, weights

BASE = weights((700, 1024), 1)
GROWN = weights((900, 1024), 2)
GROWN[:700] = tuned(BASE, 3)
CONTENT = safetensors({"a": GROWN, "b": weights((3, 5), 4), "c": weights((33, 33), 5)}, {"k": "v"}) + b"tail"


@pytest.fixture
def filled(store: Store) -> Store:
    """Store a file with a delta of several chunks, the base ending inside one of them."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/b", {"m.safetensors": CONTENT, "empty": b""})
    assert store.tensors("a/b")[0].coding == "delta"
    return store


def test_any_range(filled: Store) -> None:
    """Every range equals that of the original, cut off at its end."""
    chance = random.Random(0)
    edges = [0, 1, 8, 1 << 20, (1 << 20) - 1, 1433600, len(CONTENT) - 4, len(CONTENT), len(CONTENT) + 9]
    offsets = [*edges, *(chance.randrange(len(CONTENT)) for _ in range(40))]
    for offset in offsets:
        for length in (0, 1, chance.randrange(5000), chance.randrange(1 << 21)):
            found = filled.read("a/b", "m.safetensors", offset=offset, length=length)
            assert found == CONTENT[offset : offset + length], (offset, length)
    assert filled.read("a/b", "m.safetensors", offset=17) == CONTENT[17:]
    assert filled.read("a/b", "empty", offset=5, length=5) == b""


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (-5, None)])
def test_ranges_without_meaning(filled: Store, offset: int, length: int | None) -> None:
    """Negative numbers are a usage error."""
    with pytest.raises(UsageError):
        filled.read("a/b", "m.safetensors", offset=offset, length=length)


def test_a_range_touches_only_its_chunks(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small range decodes one chunk, and one of the base."""
    decoded: list[tuple[str, int]] = []
    original = reader_module.BlobReader.decode_into

    def noted(
        self: reader_module.BlobReader, record: object, index: int, *args: object, **more: object
    ) -> None:
        decoded.append((str(record.digest), index))  # type: ignore[attr-defined]
        original(self, record, index, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reader_module.BlobReader, "decode_into", noted)
    filled.reader.forget()
    start = len(CONTENT) // 3
    assert filled.read("a/b", "m.safetensors", offset=start, length=100) == CONTENT[start : start + 100]
    assert len(decoded) == 2
    assert len({digest for digest, _ in decoded}) == 2


def test_like_a_memory_file(filled: Store) -> None:
    """Whatever is read and sought, the answers are those of ``io.BytesIO``."""
    chance = random.Random(1)
    ours, theirs = filled.open_file("a/b", "m.safetensors"), io.BytesIO(CONTENT)
    with ours:
        assert (ours.readable(), ours.seekable(), ours.writable()) == (True, True, False)
        for _ in range(150):
            kind = chance.randrange(6)
            if kind == 0:
                where, whence = chance.choice(
                    [
                        (chance.randrange(len(CONTENT) + 100), 0),
                        (-chance.randrange(5000), 2),
                        (chance.randrange(99), 1),
                    ]
                )
                assert ours.seek(where, whence) == theirs.seek(where, whence)
            elif kind == 1:
                length = chance.choice([0, 1, 100, 70_000, 1_500_000])
                assert ours.read(length) == theirs.read(length)
            elif kind == 2:
                mine, other = bytearray(1000), bytearray(1000)
                assert ours.readinto(mine) == theirs.readinto(other)
                assert mine == other
            elif kind == 3:
                assert ours.readline(5000) == theirs.readline(5000)
            elif kind == 4:
                assert ours.read1(10) == theirs.read1(10) or theirs.tell() > len(CONTENT)
            assert ours.tell() == theirs.tell()
        ours.seek(0)
        assert ours.read() == CONTENT
        assert ours.read() == b""
        assert ours.read(1) == b""


def test_bad_seeks_and_closed_files(filled: Store) -> None:
    """A position before the start, and use after closing, are errors as for every file object."""
    file = filled.open_file("a/b", "m.safetensors")
    with pytest.raises(ValueError, match="position"):
        file.raw.seek(-1)
    with pytest.raises((ValueError, OSError)):
        file.seek(-1)
    with pytest.raises(io.UnsupportedOperation):
        file.write(b"x")
    assert "m.safetensors" in repr(file.raw)
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    with pytest.raises(UsageError):
        file.raw.readinto(bytearray(1))


def test_several_buffers(filled: Store) -> None:
    """Wider views are filled byte by byte."""
    import array

    buffer = array.array("Q", [0] * 100)
    with filled.open_file("a/b", "m.safetensors") as file:
        assert file.raw.readinto(buffer) == 800
    assert buffer.tobytes() == CONTENT[:800]


def test_threads(filled: Store) -> None:
    """Many threads may read one store; a base that several want is decoded right for each."""
    from concurrent.futures import ThreadPoolExecutor

    def work(seed: int) -> bool:
        offset = random.Random(seed).randrange(len(CONTENT))
        return (
            filled.read("a/b", "m.safetensors", offset=offset, length=300_000)
            == CONTENT[offset : offset + 300_000]
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))


def test_small_cache(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no room for bases everything still reads; so it does with few descriptors and records."""
    monkeypatch.setattr(reader_module, "CHUNK_CACHE_NBYTES", 1)
    monkeypatch.setattr(reader_module, "_OPEN_PACKS", 1)
    monkeypatch.setattr(reader_module, "_RECORD_CACHE", 1)
    filled.reader.forget()
    assert filled.read("a/b", "m.safetensors") == CONTENT
    assert len(filled.reader._packs) <= 1


def test_no_descriptors_leak(filled: Store) -> None:
    """Closing a store gives all its files back."""
    counts = []
    for _ in range(4):
        with Store.open(filled.path) as again:
            again.read("a/b", "m.safetensors", length=10)
            put(again, "a/c", {"x": noise(1000, 1)})
        counts.append(len(os.listdir("/dev/fd")))  # noqa: PTH208
    assert counts[-1] <= counts[0], counts


def test_a_link_that_lies_about_its_size(filled: Store) -> None:
    """The target of a symlink is as long as a path can be, whatever a record says."""
    record = FileRecord("bytes", 1 << 40, (Segment(1 << 40, Digest(bytes(32))),))
    with pytest.raises(IntegrityError):
        read_link(record, filled.reader)
