"""The store's face: open, list, read tensors."""

import os
from pathlib import Path

import numpy as np
import pytest

import tensorhub
from tensorhub import Store, parse_repository
from tensorhub.errors import (
    BackendPermissionError,
    StoreNotFoundError,
    TensorNotFoundError,
    UnsupportedDTypeError,
)

from ...weights import assert_sound, noise, put, read_all, safetensors, tuned, weights


def test_public_names() -> None:
    """Everything that is announced exists."""
    assert all(hasattr(tensorhub, name) for name in tensorhub.__all__)
    assert tensorhub.__version__


def test_open_and_create(tmp_path: Path) -> None:
    """Opening never makes a store unless told to; a second opening finds the same one."""
    with pytest.raises(StoreNotFoundError):
        Store.open(tmp_path / "hub")
    assert not (tmp_path / "hub").exists()
    with (
        Store.open(tmp_path / "hub", create=True) as first,
        Store.open(str(tmp_path / "hub"), create=True) as second,
    ):
        assert first.store_id == second.store_id
        put(first, "a/b", {"x": b"1"})
        assert read_all(second, "a/b") == {"x": b"1"}


def test_keyed(tmp_path: Path) -> None:
    """A keyed store names the same content otherwise, and works like any other."""
    model = safetensors({"w": weights((128, 320), 1)})
    digests = []
    for name, is_keyed in (("plain", False), ("one", True), ("two", True)):
        with Store.create(tmp_path / name, is_keyed=is_keyed) as store:
            put(
                store,
                "a/b",
                {
                    "m.safetensors": model,
                    "n.safetensors": safetensors({"w": tuned(weights((128, 320), 1), 2)}),
                },
            )
            assert_sound(store)
            digests.append(store.tensors("a/b")[0].digest)
    assert len(set(digests)) == 3


def test_empty_repository(store: Store) -> None:
    """A repository without refs is listed with nothing in it, and can be deleted."""
    assert store.create_repository("a/b") == parse_repository("a/b")
    assert store.create_repository("A/B") == parse_repository("a/b")
    (info,) = store.repositories()
    assert (info.repo_id, info.refs, info.files, info.nbytes, info.date_ms) == ("a/b", (), 0, 0, None)
    assert store.refs("a/b") == []
    assert_sound(store)
    store.delete_repository("a/b")
    assert store.repositories() == []


def test_listings(store: Store) -> None:
    """Repositories, files and tensors say what is there and how it is stored."""
    base = weights((128, 320), 1)
    put(store, "a/base", {"m.safetensors": safetensors({"w": base}), "notes.txt": b"text"})
    put(store, "a/child", {"sub/m.safetensors": safetensors({"v": base, "w": tuned(base, 2)})})
    info = store.repositories()[0]
    assert (info.repo_type, info.repo_id, info.files) == ("model", "a/base", 2)
    assert info.nbytes == len(safetensors({"w": base})) + 4
    model, notes = store.files("a/base")
    assert (model.path, model.format_name, model.tensors) == ("m.safetensors", "safetensors", 1)
    assert (notes.format_name, notes.tensors, notes.nbytes) == ("bytes", 0, 4)
    same, delta = store.tensors("a/child")
    assert (same.coding, delta.coding, delta.base) == ("standalone", "delta", same.digest)
    assert same.digest == store.tensors("a/base")[0].digest
    assert (delta.dtype, delta.shape, delta.path) == ("BF16", (128, 320), "sub/m.safetensors")
    content = store.read("a/child", "sub/m.safetensors")
    assert content[delta.offset : delta.offset + delta.nbytes] == tuned(base, 2).tobytes()
    assert delta.stored_nbytes * 4 < same.stored_nbytes


def test_reading_tensors(store: Store) -> None:
    """A tensor is found by name in any file, or in the one that is named; packed ones only as bytes."""
    one, two = weights((5, 6), 1), weights((7, 8), 2)
    with store.begin_commit("a/b") as transaction:
        transaction.put_tensors("1.safetensors", {"w": one})
        transaction.put_tensors("2.safetensors", {"w": two, "p": ("F4", (4,), b"\x12\x34")})
        transaction.put_file("notes.txt", b"x")
        transaction.publish()
    assert store.read_tensor("a/b", "w").tobytes() == one.tobytes()
    found = store.read_tensor("a/b", "w", path="2.safetensors")
    assert (found.tobytes(), found.shape, found.flags.writeable) == (two.tobytes(), (7, 8), True)
    assert np.array_equal(found.view(np.uint16), two.view(np.uint16))
    with pytest.raises(UnsupportedDTypeError):
        store.read_tensor("a/b", "p")
    for path in (None, "1.safetensors", "notes.txt"):
        with pytest.raises(TensorNotFoundError):
            store.read_tensor_bytes("a/b", "nope", path=path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that cannot be written can be read, with its catalogue elsewhere."""
    put(store, "a/b", {"x": noise(5000, 1)})
    store.close()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store.path.chmod(0o500)
    try:
        with Store.open(store.path) as again:
            assert read_all(again, "a/b") == {"x": noise(5000, 1)}
            with pytest.raises(BackendPermissionError):
                again.begin_commit("a/b")
    finally:
        store.path.chmod(0o700)


def test_damage_does_not_hide_other_repositories(store: Store) -> None:
    """A repository whose ref is damaged is listed with what is wrong; the others as always."""
    put(store, "a/broken", {"x": noise(100, 1)})
    put(store, "a/fine", {"x": noise(100, 2)})
    (store.layout.refs / "model" / "a%2Fbroken" / "heads" / "main").write_bytes(b"garbage")
    broken, fine = store.repositories()
    assert broken.damage is not None
    assert "garbage" in broken.damage
    assert (fine.damage, fine.files) == (None, 1)
