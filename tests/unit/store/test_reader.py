"""Blobs: both checksums are looked at, and what is damaged is named."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.errors import (
    CorruptPackError,
    DigestMismatchError,
    IntegrityError,
    MissingBaseError,
    MissingBlobError,
)
from tensorhub.schema.digest import Digest

from ...weights import noise, put, read_all, safetensors, tuned, weights

BASE = weights((128, 320), 1)
FILES = {"m.safetensors": safetensors({"child": tuned(BASE, 2)})}


@pytest.fixture
def filled(store: Store) -> Store:
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/child", FILES)
    return store


def pack_of(store: Store, digest: Digest) -> Path:
    pack = store.reader.record(digest).chunks[0].stored.pack
    assert pack is not None
    return store.layout.pack(pack)


def test_a_flip_in_coded_bytes(filled: Store) -> None:
    """A flipped bit is seen before decoding, and names blob, pack and offset."""
    digest = filled.tensors("a/child")[0].digest
    path, stored = pack_of(filled, digest), filled.reader.record(digest).chunks[0].stored
    data = bytearray(path.read_bytes())
    data[stored.offset + 7] ^= 1
    path.write_bytes(data)
    filled.reader.forget()
    with pytest.raises(CorruptPackError) as caught:
        filled.read("a/child", "m.safetensors")
    assert (caught.value.digest, caught.value.offset) == (str(digest), stored.offset)
    assert caught.value.pack == path.stem
    assert filled.read("a/base", "m.safetensors") == safetensors({"w": BASE})


def test_a_damaged_base(filled: Store) -> None:
    """What leans on a damaged base is not given out; a missing base is told as such."""
    path = pack_of(filled, filled.tensors("a/base")[0].digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    filled.reader.forget()
    with pytest.raises(IntegrityError):
        filled.read("a/child", "m.safetensors")
    path.unlink()
    filled.reader.forget()
    with pytest.raises(MissingBaseError) as caught:
        filled.read("a/child", "m.safetensors")
    assert caught.value.digest == str(filled.tensors("a/child")[0].digest)


def test_records_that_lie(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded bytes that do not fit their checksum are never given out."""
    from tensorhub.store import reader as module

    decode = module.decode_chunk

    def wrong(*args: object) -> None:
        decode(*args)  # type: ignore[arg-type]
        args[-1][0] ^= 1  # type: ignore[index]

    monkeypatch.setattr(module, "decode_chunk", wrong)
    filled.reader.forget()
    with pytest.raises(DigestMismatchError) as caught:
        filled.read("a/base", "m.safetensors")
    assert caught.value.expected != caught.value.found


def test_unknown_blobs_and_ranges(filled: Store) -> None:
    """A blob that is not there is missing; a range past its end is damage, not silence."""
    with pytest.raises(MissingBlobError):
        filled.reader.read_into(Digest(bytes(32)), 0, bytearray(1))
    digest = filled.tensors("a/base")[0].digest
    with pytest.raises(IntegrityError):
        filled.reader.read_into(digest, BASE.nbytes - 1, bytearray(2))
    filled.reader.read_into(digest, BASE.nbytes, bytearray(0))


def test_a_failed_decoding_is_tried_again(filled: Store) -> None:
    """After damage was repaired the same open store reads again."""
    path = pack_of(filled, filled.tensors("a/base")[0].digest)
    good = path.read_bytes()
    path.write_bytes(good[:100])
    filled.reader.forget()
    with pytest.raises(IntegrityError):
        filled.read("a/child", "m.safetensors")
    path.write_bytes(good)
    assert read_all(filled, "a/child") == FILES


def test_lost_packs_can_be_filled_again(filled: Store) -> None:
    """Other content is stored as ever beside a lost pack."""
    pack_of(filled, filled.tensors("a/base")[0].digest).unlink()
    filled.reader.forget()
    put(filled, "a/new", {"x": noise(5000, 1)})
    assert read_all(filled, "a/new") == {"x": noise(5000, 1)}


def test_counts(filled: Store) -> None:
    """Decoded and coded bytes, and what was found decoded already, are counted."""
    filled.reader.forget()
    before = filled.reader.counts
    content = filled.read("a/child", "m.safetensors")
    after = filled.reader.counts
    assert after.decoded_nbytes - before.decoded_nbytes == len(content) + BASE.nbytes  # with the base
    assert 0 < after.stored_nbytes - before.stored_nbytes < 2 * BASE.nbytes
    assert after.misses == before.misses + 1
    assert after.decode_s > before.decode_s
    for _ in range(3):
        filled.read("a/base", "m.safetensors", offset=len(content) - 100, length=50)
    again = filled.reader.counts
    assert (again.hits, again.chunks) == (after.hits + 3, after.chunks)


def test_many_threads_read_small_pieces(filled: Store) -> None:
    """Pieces that are read by many threads at once are right, and each chunk is decoded once."""
    content = filled.read("a/child", "m.safetensors")
    filled.reader.forget()
    before = filled.reader.counts
    with ThreadPoolExecutor(8) as pool:
        pieces = pool.map(
            lambda at: filled.read("a/child", "m.safetensors", offset=at, length=997),
            range(0, len(content), 997),
        )
        assert b"".join(pieces) == content
    after = filled.reader.counts
    assert after.chunks - before.chunks == 3  # header, tensor, base
