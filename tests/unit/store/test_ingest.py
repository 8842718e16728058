"""The pipeline: read once, coded, read back, and bounded."""

from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.codecs.base import CodedChunk
from tensorhub.errors import InvariantError
from tensorhub.formats.source import MemorySource
from tensorhub.lineage.sketch import sketch_of
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import ParsedSegment, TensorSpec
from tensorhub.store import coding, digesting, ingest, reader
from tensorhub.store.digesting import digest_segment
from tensorhub.store.hashing import Hasher, checksum
from tensorhub.store.kept_bytes import KeptBytes

from ...weights import assert_sound, noise, put, read_all, safetensors, weights, whole

BASE = weights((700, 1024), 1)


@pytest.mark.parametrize(("keep", "budget"), [(0, 0), (1 << 30, 0), (0, 4 << 20)])
def test_one_pass(monkeypatch: pytest.MonkeyPatch, keep: int, budget: int) -> None:
    """Digest, checksums and sketch are those of the plain functions, kept in memory or not."""
    monkeypatch.setattr(digesting, "KEEP_NBYTES", keep)
    data = b"head" + BASE.tobytes()
    spec = TensorSpec("w", DType.BF16, BASE.shape)
    segment = ParsedSegment(4, BASE.nbytes, spec)
    found = digest_segment(Hasher(), MemorySource(data), segment, 100_000, KeptBytes(budget))
    assert found.digest == Hasher().digest(data[4:])
    assert found.checksums == [checksum(data[4:][at : at + 100_000]) for at in range(0, BASE.nbytes, 100_000)]
    assert found.sketch == sketch_of(data[4:], spec)
    assert len(found.kept) == len(found.checksums)
    if keep or budget:
        assert b"".join(chunk for chunk in found.kept if chunk is not None) == data[4:]
    else:
        assert not any(found.kept)


def test_bytes_have_no_sketch() -> None:
    """What is no tensor, or is small, leaves no sketch."""
    assert (
        digest_segment(Hasher(), MemorySource(noise(90_000, 1)), whole(90_000), 1 << 20, KeptBytes()).sketch
        is None
    )
    spec = TensorSpec("w", DType.BF16, (10, 10))
    assert (
        digest_segment(
            Hasher(), MemorySource(noise(200, 1)), ParsedSegment(0, 200, spec), 1 << 20, KeptBytes()
        ).sketch
        is None
    )


def test_nothing_counts_before_it_was_read_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec that loses a bit is caught before anything is stored."""
    encode = coding.encode_smallest

    def wrong(*args: object) -> tuple[CodedChunk, bool]:
        coded, used = encode(*args)  # type: ignore[arg-type]
        data = bytearray(coded.data)
        data[-1] ^= 1
        return CodedChunk(0, 1, b"", bytes(data)) if coded.codec_id == 0 else coded, used

    monkeypatch.setattr(coding, "encode_smallest", wrong)
    with pytest.raises(InvariantError):
        put(store, "a/b", {"x": noise(5000, 1)})
    assert store.layout.list_packs() == {}


def test_results_do_not_depend_on_timing(tmp_path: Path) -> None:
    """The same content gives the same coded bytes, with any number of workers."""
    files = {f"{n}.safetensors": safetensors({"w": weights((100, 350), n % 5), "b": BASE}) for n in range(12)}
    coded = []
    for workers in (1, 2, 5):
        with Store.create(tmp_path / str(workers)) as store:
            with store.begin_commit("a/b", workers=workers) as transaction:
                for path, content in files.items():
                    transaction.put_file(path, content)
                transaction.publish()
            assert read_all(store, "a/b") == files
            coded.append([(item.stored_nbytes, item.base) for item in store.tensors("a/b")])
    assert coded[0] == coded[1] == coded[2]


def test_small_windows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for almost nothing in flight the same content goes in."""
    monkeypatch.setattr(ingest, "WINDOW_NBYTES", 1)
    monkeypatch.setattr(ingest, "WINDOW_JOBS", 1)
    monkeypatch.setattr(digesting, "KEEP_NBYTES", 1000)
    files = {"m.safetensors": safetensors({str(n): weights((30, 40), n) for n in range(30)} | {"w": BASE})}
    put(store, "a/b", files)
    assert read_all(store, "a/b") == files
    assert_sound(store)


def test_many_packs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealing after every blob loses nothing, twins and deltas included."""
    monkeypatch.setattr(ingest, "TARGET_NBYTES", 1)
    files = {f"{n}.safetensors": safetensors({"w": BASE, "v": weights((60, 60), n)}) for n in range(3)}
    put(store, "a/b", files)
    assert len(store.layout.list_packs()) >= 4
    assert read_all(store, "a/b") == files
    assert_sound(store)


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_sealed_packs_give_their_descriptors_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit of many packs keeps no more of them open than any reader, and reads bases out of all."""
    monkeypatch.setattr(ingest, "TARGET_NBYTES", 1)
    monkeypatch.setattr(reader, "_OPEN_PACKS", 4)
    before = _open_files()
    with store.begin_commit("a/b", workers=2) as transaction:
        for number in range(60):
            transaction.put_file(f"{number}", noise(5000, number))
        for number in range(60):
            transaction.put_file(
                f"{number}.safetensors", safetensors({"w": weights((100, 350), number % 20)})
            )
        transaction._ingest.drain()
        assert _open_files() - before < 30
        transaction.publish()
    assert_sound(store)
