"""What files take on disk, each by itself and together."""

from __future__ import annotations

from tensorhub import Store
from tensorhub.schema.digest import Digest
from tensorhub.store.stored_sizes import (
    StoredSize,
    blob_sizes_of_files,
    stored_size_by_file,
    stored_size_of_tree,
    stored_size_together,
)

from ...weights import noise, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)


def test_sizes(store: Store) -> None:
    """What files share counts in full for each, and once together; deltas are told."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    twin = {"w": tuned(BASE, 3)}
    put(
        store,
        "a/child",
        {
            "1.safetensors": safetensors(twin),
            "2.safetensors": safetensors(twin, {"k": "v"}),
            "x": noise(700, 2),
        },
    )
    snapshot = store.snapshots.snapshot("a/child")
    one, two, other = (entry.file for entry in snapshot.tree.entries)
    sizes = stored_size_by_file(store.catalog, [one, two, other, Digest(bytes(32))])
    assert set(sizes) == {one, two, other}
    assert sizes[one].delta_nbytes == sizes[two].delta_nbytes == BASE.nbytes
    assert sizes[other].delta_nbytes == 0
    assert sizes[one].nbytes == store.files("a/child")[0].nbytes
    together = stored_size_together(store.catalog, [one, two, other])
    assert together.delta_nbytes == BASE.nbytes
    assert together.stored_nbytes < sum(size.stored_nbytes for size in sizes.values())
    assert together == stored_size_of_tree(store.catalog, snapshot.commit.tree)


def test_nothing(store: Store) -> None:
    """No files take nothing."""
    assert (
        stored_size_together(store.catalog, [])
        == StoredSize()
        == stored_size_of_tree(store.catalog, Digest(bytes(32)))
    )
    assert stored_size_by_file(store.catalog, []) == {}
    assert blob_sizes_of_files(store.catalog, [Digest(bytes(32))]) == {}


def test_each_blob(store: Store) -> None:
    """Its stored size, and whether it leans on a base, as the catalogue has it."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put(store, "a/child", {"m.safetensors": safetensors({"w": tuned(BASE, 3)})})
    for name, is_delta in (("a/base", False), ("a/child", True)):
        (entry,) = store.snapshots.snapshot(name).tree.entries
        sizes = blob_sizes_of_files(store.catalog, [entry.file, entry.file])
        (tensor,) = store.tensors(name)
        assert sizes[tensor.digest.value] == (tensor.stored_nbytes, is_delta)
