"""Hub and store are one thing: what the one takes in, the other gives out, and it is kept as the store keeps things."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi
from safetensors.numpy import load_file, save_file

import tensorhub as th

from ..servers import run_hub
from .content import hash_folder, make_model_folder, make_weights

pytestmark = pytest.mark.wide


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[th.Store, HfApi]]:
    """Serve a store that tests may look into."""
    with th.Store.create(tmp_path_factory.mktemp("served") / "hub") as store, run_hub(store) as (url, _):
        yield store, HfApi(url, token="hf_any")


def test_what_was_added_is_served(served: tuple[th.Store, HfApi], tmp_path: Path) -> None:
    """A folder that was added by the store is what a client downloads, under the commit's id.

    It may ask at once: the hub computes the SHA-256 of the files first, and the client waits for that.
    """
    store, api = served
    (tmp_path / "folder").mkdir()
    digests = make_model_folder(tmp_path / "folder")
    result = th.add_folder(store, tmp_path / "folder", "local/added")
    assert api.model_info("local/added").sha == result.commit_id
    got = Path(api.snapshot_download("local/added", cache_dir=tmp_path / "cache"))
    assert hash_folder(got) == digests
    entries = {entry.path: entry for entry in api.list_repo_tree("local/added")}
    assert entries["model.safetensors"].lfs.sha256 == digests["model.safetensors"]


def test_what_was_pushed_is_in_the_store(served: tuple[th.Store, HfApi], tmp_path: Path) -> None:
    """Pushed files are restored byte for byte, and their tensors are known by name."""
    store, api = served
    (tmp_path / "up").mkdir()
    digests = make_model_folder(tmp_path / "up")
    api.create_repo("local/pushed")
    api.upload_folder(repo_id="local/pushed", folder_path=tmp_path / "up")
    th.restore(store, "local/pushed", tmp_path / "down")
    assert hash_folder(tmp_path / "down") == digests
    expected = load_file(tmp_path / "up" / "model.safetensors")["embed.weight"]
    assert np.array_equal(store.read_tensor("local/pushed", "embed.weight"), expected)


def test_from_hub_to_cache_to_hub(served: tuple[th.Store, HfApi], tmp_path: Path) -> None:
    """A cache that one hub filled makes another one that has the same commits by the same ids."""
    _, api = served
    (tmp_path / "up").mkdir()
    digests = make_model_folder(tmp_path / "up")
    api.create_repo("local/travels")
    api.upload_folder(repo_id="local/travels", folder_path=tmp_path / "up")
    commit_id = api.model_info("local/travels").sha
    api.snapshot_download("local/travels", cache_dir=tmp_path / "cache")
    with th.Store.create(tmp_path / "other") as store, run_hub(store) as (url, _):
        th.add_hf_cache(store, tmp_path / "cache")
        other = HfApi(url, token="hf_any")
        assert other.model_info("local/travels").sha == commit_id
        got = Path(other.snapshot_download("local/travels", revision=commit_id, cache_dir=tmp_path / "again"))
        assert got.name == commit_id
        assert hash_folder(got) == digests


def test_a_fine_tune_costs_what_changed(served: tuple[th.Store, HfApi], tmp_path: Path) -> None:
    """A pushed model that is close to one that is there takes a fraction; nothing is left of the way it came."""
    store, api = served
    before = th.stats(store).packs_nbytes
    make_weights(tmp_path / "base.safetensors", rows=200)
    tensors = load_file(tmp_path / "base.safetensors")
    tuned = {name: tensor.copy() for name, tensor in tensors.items()}
    tuned["head.weight"][::10] *= np.float32(1.001)
    save_file(tuned, tmp_path / "tuned.safetensors", metadata={"format": "pt"})
    sizes = []
    for name in ("base", "tuned"):
        repo_id = f"local/{name}-{uuid.uuid4().hex[:6]}"
        api.create_repo(repo_id)
        api.upload_file(
            path_or_fileobj=tmp_path / f"{name}.safetensors",
            path_in_repo="model.safetensors",
            repo_id=repo_id,
        )
        after = th.stats(store).packs_nbytes
        sizes.append(after - before)
        before = after
    assert sizes[1] < sizes[0] / 4
    left = [path for path in (store.path / "uploads").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) < 10_000
