"""The client's file system and its look into safetensors files: many small ranges instead of whole files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import NotASafetensorsRepoError

from .content import make_weights

pytestmark = pytest.mark.wide


def test_files_and_folders(api: HfApi, files: HfFileSystem, repo_id: str) -> None:
    """Files are written, listed, found by patterns, read in parts, copied and removed as on a disk."""
    root = repo_id
    files.pipe_file(f"{root}/data/a.bin", bytes(range(250)) * 40)
    with files.open(f"{root}/data/b.txt", "w") as file:
        file.write("line one\nline two\n")
    assert {entry.removeprefix(f"{root}/") for entry in files.ls(f"{root}/data", detail=False)} == {
        "data/a.bin",
        "data/b.txt",
    }
    assert files.glob(f"{root}/**/*.txt") == [f"{root}/data/b.txt"]
    assert files.info(f"{root}/data/a.bin")["size"] == 10_000
    assert files.isdir(f"{root}/data")
    with files.open(f"{root}/data/a.bin", block_size=1000) as file:
        file.seek(5000)
        assert file.read(10) == bytes(range(10))
    assert files.cat_file(f"{root}/data/a.bin", start=-5) == bytes(range(245, 250))
    assert files.read_text(f"{root}/data/b.txt").splitlines() == ["line one", "line two"]
    files.cp_file(f"{root}/data/a.bin", f"{root}/c.bin")
    files.rm(f"{root}/data", recursive=True)
    assert set(api.list_repo_files(repo_id)) == {".gitattributes", "c.bin"}
    with pytest.raises(FileNotFoundError):
        files.info(f"{root}/data/a.bin")
    with pytest.raises(FileNotFoundError):
        files.ls("local/nothing", detail=False)


def test_revisions_in_paths(api: HfApi, files: HfFileSystem, repo_id: str) -> None:
    """A path may name the branch that it is of."""
    api.create_branch(repo_id, branch="other/one")
    with files.open(f"{repo_id}@other%2Fone/a.txt", "wb") as file:
        file.write(b"on the branch")
    assert files.cat_file(f"{repo_id}@other%2Fone/a.txt") == b"on the branch"
    assert not files.exists(f"{repo_id}/a.txt")


def test_safetensors_of_one_file(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """Names, types and shapes of tensors are read without the tensors."""
    make_weights(tmp_path / "model.safetensors", rows=4)
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path)
    metadata = api.get_safetensors_metadata(repo_id)
    assert metadata.parameter_count == {"F32": 2 * 4 * 1024}
    assert metadata.weight_map == dict.fromkeys(("embed.weight", "head.weight"), "model.safetensors")


def test_safetensors_of_many_files(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """The index leads to the files, and the header of each is read."""
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for seed, name in enumerate(names):
        make_weights(tmp_path / name, rows=4, seed=seed)
    index = {"metadata": {}, "weight_map": {"embed.weight": names[0], "head.weight": names[1]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path)
    metadata = api.get_safetensors_metadata(repo_id)
    assert metadata.sharded
    assert set(metadata.files_metadata) == set(names)


def test_no_safetensors(api: HfApi, repo_id: str) -> None:
    """A repository without them is told as such."""
    with pytest.raises(NotASafetensorsRepoError):
        api.get_safetensors_metadata(repo_id)
