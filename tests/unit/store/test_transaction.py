"""The commit transaction: put, copy, delete, publish."""

import ml_dtypes
import numpy as np
import pytest

from tensorhub import FileMode, Store, rebuild_catalog
from tensorhub.errors import (
    FileEntryNotFoundError,
    InvalidNameError,
    MissingBlobError,
    RepositoryNotFoundError,
    RevisionMovedError,
    UsageError,
)
from tensorhub.schema.digest import Digest
from tensorhub.store.transaction import CommitFacts, check_no_file_is_a_folder

from ...weights import assert_sound, max_depth, noise, put, read_all, safetensors, tuned, weights

BASE = weights((128, 320), 1)


def test_nothing_before_publish(store: Store) -> None:
    """A transaction that is left leaves no repository, no pack, no lease."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x", noise(100_000, 1))
        transaction._ingest.drain()
        assert store.repositories() == []
    assert store.repositories() == []
    assert store.layout.list_packs() == {}
    assert list(store.layout.temporary.iterdir()) == []
    assert list(store.layout.leases.glob("*.lease")) == []


def test_closed_transactions(store: Store) -> None:
    """After publishing or leaving, every call is a usage error."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x", b"1")
        transaction.publish()
        for call in (
            lambda: transaction.put_file("y", b"2"),
            lambda: transaction.delete("x"),
            lambda: transaction.copy("x", "y"),
            transaction.publish,
        ):
            with pytest.raises(UsageError):
                call()
    transaction.close()


def test_copy_and_delete(store: Store) -> None:
    """Copies cost nothing and may come from any revision; a folder is deleted with all in it."""
    put(store, "a/b", {"x": noise(5000, 1), "sub/y": b"y", "sub/deep/z": b"z", "subway": b"s"})
    put(store, "c/d", {"other": noise(4000, 2)})
    old = store.resolve("a/b")
    with store.begin_commit("a/b") as transaction:
        transaction.copy("x", "x2")
        transaction.copy("other", "from-other", repository="c/d")
        transaction.delete("sub")
        transaction.delete("x")
        result = transaction.publish("Move\n\nthings")
    assert result.added_nbytes == result.new_nbytes == 0
    assert read_all(store, "a/b") == {"x2": noise(5000, 1), "from-other": noise(4000, 2), "subway": b"s"}
    with store.begin_commit("a/b") as transaction:
        transaction.copy("sub/y", "back", revision=old)
        transaction.publish()
    assert store.read("a/b", "back") == b"y"
    assert_sound(store)


def test_what_cannot_be_copied_or_deleted(store: Store) -> None:
    """What is not in the tree can be neither copied nor deleted; a prefix of a name is no folder."""
    put(store, "a/b", {"name": b"1"})
    with store.begin_commit("a/b") as transaction:
        for call in (
            lambda: transaction.copy("no", "x"),
            lambda: transaction.copy("no", "y", revision="main"),
            lambda: transaction.delete("na"),
        ):
            with pytest.raises(FileEntryNotFoundError):
                call()
        with pytest.raises(RepositoryNotFoundError):
            transaction.copy("name", "x", repository="no/such")


@pytest.mark.parametrize(
    "path", ["", "/x", "../x", "a/../b", "a//b", "./a", "a\0b", "a/", "x" * 5000, "\ud800"]
)
def test_paths_that_leave(store: Store, path: str) -> None:
    """Paths that mean something else than a place in the repository are refused at once."""
    with store.begin_commit("a/b") as transaction:
        with pytest.raises(InvalidNameError):
            transaction.put_file(path, b"x")
        with pytest.raises(InvalidNameError):
            transaction.copy("x", path)


def test_a_file_is_no_folder(store: Store) -> None:
    """A tree in which a file is a folder of another is refused at publish, and nothing is visible."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("a", b"1")
        transaction.put_file("a/b/c", b"2")
        with pytest.raises(InvalidNameError):
            transaction.publish()
    assert store.repositories() == []
    check_no_file_is_a_folder(["a", "a.b/c", "ab"])


def test_put_twice(store: Store) -> None:
    """The later content of a path counts."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x", noise(50_000, 1))
        transaction.put_file("x", b"second")
        transaction.put_file("y", b"gone")
        transaction.delete("y")
        transaction.publish()
    assert read_all(store, "a/b") == {"x": b"second"}


def test_put_tensors(store: Store) -> None:
    """Arrays of every kind come back as they were, and the file is what the format's writer makes."""
    tensors = {
        "bf16": BASE,
        "fp8": np.frombuffer(noise(600, 5), ml_dtypes.float8_e4m3fn).reshape(20, 30),
        "e5m2": np.frombuffer(noise(600, 6), ml_dtypes.float8_e5m2),
        "f32": np.arange(12, dtype=np.float32).reshape(3, 4).T,
        "scalar": np.float64(3.5),
        "empty": np.zeros((0, 7), np.int16),
        "bool": np.array([True, False]),
        "c64": np.array([1 + 2j], np.complex64),
        "strided": np.arange(40, dtype=np.int64)[::3],
    }
    packed = noise(48, 1)
    with store.begin_commit("a/b") as transaction:
        transaction.put_tensors("m.safetensors", tensors | {"fp4": ("F4", (8, 12), packed)}, {"format": "np"})  # type: ignore[arg-type]
        transaction.publish()
    for name, array in tensors.items():
        found = store.read_tensor("a/b", name)
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert found.tobytes() == array.tobytes()
    assert store.read_tensor_bytes("a/b", "fp4") == packed
    assert store.read("a/b", "m.safetensors") == safetensors(
        tensors | {"fp4": ("F4", (8, 12), packed)}, {"format": "np"}
    )
    assert_sound(store)


def test_expected_head(store: Store) -> None:
    """A caller that names another head than the present one is refused."""
    first = put(store, "a/b", {"x": b"1"}).commit_id
    put(store, "a/b", {"x": b"2"})
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x", b"3")
        with pytest.raises(RevisionMovedError):
            transaction.publish(expected_head=first)
        transaction.publish(expected_head=store.resolve("a/b"))
    with store.begin_commit("a/b", revision="new") as transaction, pytest.raises(RevisionMovedError):
        transaction.publish(expected_head=first)
    assert store.read("a/b", "x") == b"3"


def test_commit_facts(store: Store) -> None:
    """What the caller says of a commit is kept."""
    facts = CommitFacts("Title\nrest", "someone", 1_700_000_000_000, True, "elsewhere", "ab" * 20)
    with store.begin_commit("a/b", revision="refs/tags/v1") as transaction:
        transaction.put_file("x", b"1")
        result = transaction.publish(facts=facts)
    (found,) = store.commits("a/b", "refs/tags/v1")
    assert (found.commit_id, result.commit_id) == ("ab" * 20, "ab" * 20)
    assert (found.author, found.date_ms, found.title, found.message) == (
        "someone",
        1_700_000_000_000,
        "Title",
        "rest",
    )
    assert (found.is_partial, found.origin) == (True, "elsewhere")
    with pytest.raises(FileEntryNotFoundError, match="partial"):
        store.read("a/b", "missing", revision="refs/tags/v1")


def test_twins_in_flight(store: Store) -> None:
    """The same content many times in one transaction is stored once, even before it is coded."""
    piece = noise(200_000, 1)
    with store.begin_commit("a/b", workers=2) as transaction:
        for number in range(10):
            transaction.put_file(f"{number}.bin", piece)
            transaction.put_tensors(f"{number}.safetensors", {f"n{number}": BASE})
        result = transaction.publish()
    assert result.new_nbytes < len(piece) + BASE.nbytes + 10_000
    assert sum(path.stat().st_size for path in store.layout.list_packs().values()) < 300_000
    assert all(content == piece for path, content in read_all(store, "a/b").items() if path.endswith(".bin"))
    assert_sound(store)


def test_depth_stays_one(store: Store) -> None:
    """A chain of near copies leans on self-contained tensors only, in one transaction and over several."""
    chain = [BASE]
    for seed in range(5):
        chain.append(tuned(chain[-1], seed, 0.02))
    with store.begin_commit("a/one", workers=2) as transaction:
        for number, item in enumerate(chain):
            transaction.put_tensors(f"{number}.safetensors", {"w": item})
            transaction._ingest.drain()  # only what is coded already can be leaned on
        transaction.publish()
    for number, item in enumerate(chain):
        put(store, f"b/{number}", {"m.safetensors": safetensors({"x": tuned(item, 99, 0.01)})})
    codings = [item.coding for item in store.tensors("a/one")]
    assert codings.count("delta") >= 4
    assert max_depth(store) == 1
    assert_sound(store)
    store.close()
    assert rebuild_catalog(store.path) == ()
    with Store.open(store.path) as again:
        assert max_depth(again) == 1


@pytest.mark.parametrize("nrows", [110, 160])
def test_resized_vocabulary(store: Store, nrows: int) -> None:
    """A tensor with more rows, or fewer, leans on the common rows."""
    resized = weights((nrows, 320), 7)
    common = min(nrows, 128)
    resized[:common] = tuned(BASE, 5, 0.02)[:common]
    put(store, "a/base", {"m.safetensors": safetensors({"embed": BASE})})
    put(store, "a/resized", {"m.safetensors": safetensors({"embed": resized})})
    (info,) = store.tensors("a/resized")
    assert info.coding == "delta"
    assert info.base == store.tensors("a/base")[0].digest
    new_rows = (nrows - common) * 640
    assert info.stored_nbytes < new_rows + common * 640 // 4
    assert store.read_tensor("a/resized", "embed").tobytes() == resized.tobytes()
    assert_sound(store)


def test_links_as_content(store: Store) -> None:
    """A symlink's content is its target; reading follows it inside the snapshot."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("real/x", b"content")
        transaction.put_file("link", b"real/x", mode=FileMode.SYMLINK)
        transaction.put_file("real/up", b"../link", mode=FileMode.SYMLINK)
        transaction.put_file("loop", b"loop", mode=FileMode.SYMLINK)
        transaction.put_file("away", b"../../etc/passwd", mode=FileMode.SYMLINK)
        transaction.publish()
    assert store.read("a/b", "real/up") == b"content"
    for path in ("loop", "away"):
        with pytest.raises(FileEntryNotFoundError):
            store.read("a/b", path)


def test_link_puts_a_file_by_its_record(store: Store) -> None:
    """A file of another repository is put without reading it; a record that is not there is refused."""
    with store.begin_commit("a/one") as transaction:
        transaction.put_file("x.txt", b"content")
        transaction.publish()
    file = store.snapshots.snapshot("a/one").entry("x.txt").file
    with store.begin_commit("a/two") as transaction:
        transaction.link("y.txt", file)
        with pytest.raises(MissingBlobError):
            transaction.link("z.txt", Digest(bytes(32)))
        transaction.publish()
    assert store.read("a/two", "y.txt") == b"content"


def test_commits_on_partial_ones(store: Store) -> None:
    """What the parent lacks is not absent in its child either, unless that has a tree of its own."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("a", b"a")
        transaction.publish(facts=CommitFacts("import", is_partial=True, origin="elsewhere"))
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("b", b"b")
        transaction.publish("put")
    assert store.commits("a/b")[0].is_partial
    with store.begin_commit("a/b") as transaction:
        transaction.delete_all()
        transaction.put_file("c", b"c")
        transaction.publish("anew")
    assert not store.commits("a/b")[0].is_partial
