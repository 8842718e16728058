"""A tree listing is read whole, or not at all."""

import json
from pathlib import Path

import pytest

from tensorhub.formats import hf_cache_tree
from tensorhub.formats.hf_cache_tree import TreeFile, read_tree

SHA1, SHA256 = "2" * 40, "1" * 64


def write(path: Path, files: object) -> Path:
    path.write_text(json.dumps({"format_version": 1, "files": files}))
    return path


def test_reads(tmp_path: Path) -> None:
    """Small files have a git digest, large ones a SHA-256; the id of a pointer is no digest of the file."""
    path = write(
        tmp_path / "t.json",
        {
            "a/b": {"size": 3, "blob_id": SHA1},
            "c": {"size": 130, "blob_id": SHA1, "lfs_sha256": SHA256, "lfs_size": 10**10, "xet_hash": "x"},
        },
    )
    assert read_tree(path) == {"a/b": TreeFile(3, None, SHA1), "c": TreeFile(10**10, SHA256, None)}


@pytest.mark.parametrize(
    "files",
    [
        None, [], {"a": None}, {"a": {"size": -1, "blob_id": SHA1}}, {"/a": {"size": 1, "blob_id": SHA1}},
        {"a": {"size": 1, "blob_id": SHA1, "lfs_sha256": SHA256}}, {"a": {"size": 1, "blob_id": 5}},
        {"a": {"size": 1, "blob_id": SHA1, "lfs_sha256": "x", "lfs_size": 1}},
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, files: object) -> None:
    """One odd entry spoils the proof."""
    assert read_tree(write(tmp_path / "t.json", files)) is None


def test_absent_linked_and_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file, a link, or a listing beyond the limit."""
    path = write(tmp_path / "t.json", {})
    assert read_tree(path) == {}
    assert read_tree(tmp_path / "missing.json") is None
    (tmp_path / "link.json").symlink_to(path)
    assert read_tree(tmp_path / "link.json") is None
    monkeypatch.setattr(hf_cache_tree, "_MAX_NBYTES", 5)
    assert read_tree(path) is None
