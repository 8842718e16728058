"""What a client of an earlier release does with a hub; run in its own environment.

Duty: upload, download, branches, trees and removal through `huggingface_hub` as it is installed there, an error where
something is not as it should be. It knows nothing of TensorHub, and imports nothing else.

    HF_ENDPOINT=http://127.0.0.1:8080 HF_TOKEN=hf_any python client_walk.py FOLDER
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import uuid
from pathlib import Path

import huggingface_hub
from huggingface_hub import CommitOperationAdd, HfApi, HfFileSystem, hf_hub_download, snapshot_download


def expect(condition: bool, what: str) -> None:
    """Stop where something is not so."""
    if not condition:
        raise SystemExit(f"huggingface_hub {huggingface_hub.__version__}: {what}")


def walk(work: Path) -> None:
    """Do it all once, with a repository of its own."""
    api = HfApi()
    name = f"{api.whoami()['name']}/walk-{uuid.uuid4().hex[:8]}"
    expect(api.create_repo(name).repo_id == name, "the new repository has another name")
    expect(api.create_repo(name, exist_ok=True).repo_id == name, "a repository that exists is not found")
    folder = work / "up"
    (folder / "sub folder").mkdir(parents=True)
    (folder / "config.json").write_text('{"a": 1}')
    (folder / "sub folder" / "b.txt").write_text("text\n")
    (folder / "weights.bin").write_bytes(hashlib.sha256(b"seed").digest() * 640_000)
    (folder / "small.bin").write_bytes(os.urandom(600))
    api.upload_folder(repo_id=name, folder_path=folder)
    api.upload_file(path_or_fileobj=io.BytesIO(b"\0\1\2" * 999), path_in_repo="object.bin", repo_id=name)
    got = Path(snapshot_download(name, cache_dir=work / "cache"))
    for path in folder.rglob("*"):
        if path.is_file():
            copy = got / path.relative_to(folder)
            expect(copy.read_bytes() == path.read_bytes(), f"{copy} is not what was sent")
    expect((got / "object.bin").read_bytes() == b"\0\1\2" * 999, "object.bin is not what was sent")
    entries = {entry.path for entry in api.list_repo_tree(name, recursive=True)}
    expect("sub folder/b.txt" in entries and "sub folder" in entries, "the tree lacks a folder")
    if hasattr(api, "upload_large_folder"):  # up to release 1
        api.upload_large_folder(repo_id=name, folder_path=folder, repo_type="model")
    api.create_branch(name, branch="other/one")
    operations = [CommitOperationAdd("only.txt", b"here")]
    api.create_commit(name, operations, commit_message="On the branch", revision="other/one")
    there = hf_hub_download(name, "only.txt", revision="other/one", cache_dir=work / "cache")
    expect(Path(there).read_bytes() == b"here", "the file on the branch is another one")
    expect(not api.file_exists(name, "only.txt"), "the file is on main, too")
    api.create_tag(name, tag="v1")
    refs = api.list_repo_refs(name)
    expect({branch.name for branch in refs.branches} == {"main", "other/one"}, "branches are others")
    expect([tag.name for tag in refs.tags] == ["v1"], "tags are others")
    files = HfFileSystem()
    expect(
        files.cat_file(f"{name}/weights.bin", start=32, end=64) == hashlib.sha256(b"seed").digest(), "a range"
    )
    api.delete_file("object.bin", name)
    expect(not api.file_exists(name, "object.bin"), "a removed file is there")
    api.delete_repo(name)
    expect(not api.repo_exists(name), "a removed repository is there")


if __name__ == "__main__":
    walk(Path(sys.argv[1]))
    print(f"huggingface_hub {huggingface_hub.__version__}: all as it should be")
