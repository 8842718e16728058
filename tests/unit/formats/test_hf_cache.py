"""A Hugging Face cache is read as its client wrote it, and no further."""

import json
from pathlib import Path
from typing import Any

import pytest

from tensorhub.errors import NotFoundError, UsageError
from tensorhub.formats.hf_cache import CachedRepository, CachedRevision, default_hf_cache, scan_hf_cache

COMMIT = "a" * 40
SHA256 = "1" * 64
SHA1 = "2" * 40


def link(repo: Path, path: str, blob: str, content: bytes | None = b"data", commit: str = COMMIT) -> None:
    """Add a file as the client does: a blob and a relative link."""
    (repo / "blobs").mkdir(parents=True, exist_ok=True)
    if content is not None:
        (repo / "blobs" / blob).write_bytes(content)
    place = repo / "snapshots" / commit / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to("../" * (path.count("/") + 2) + f"blobs/{blob}")


def write_ref(repo: Path, name: str, text: str = COMMIT) -> None:
    place = repo / "refs" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def write_tree(repo: Path, files: dict[str, dict[str, Any]], version: int = 1) -> None:
    (repo / "trees").mkdir(exist_ok=True)
    (repo / "trees" / f"{COMMIT}.json").write_text(json.dumps({"format_version": version, "files": files}))


def only(root: Path) -> CachedRepository:
    listing = scan_hf_cache(root)
    assert listing.notices == ()
    (repository,) = listing.repositories
    return repository


def revision(root: Path) -> CachedRevision:
    (found,) = only(root).revisions
    return found


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "models--owner--name"
    link(folder, "config.json", SHA1)
    link(folder, "sub/model.safetensors", SHA256, b"123456")
    write_ref(folder, "main")
    return folder


def test_layout(repo: Path) -> None:
    """Files, digests from blob names, refs; without a tree the revision is partial."""
    found = only(repo.parent)
    assert str(found.repository) == "owner/name"
    assert found.refs == {"main": COMMIT}
    small, large = found.revisions[0].files
    assert (small.path_in_repo, small.nbytes, small.git_sha1, small.sha256) == ("config.json", 4, SHA1, None)
    assert (large.path_in_repo, large.nbytes, large.sha256) == ("sub/model.safetensors", 6, SHA256)
    assert large.source_path.read_bytes() == b"123456"
    assert not large.source_path.is_symlink()
    assert found.revisions[0].is_partial
    assert found.revisions[0].missing == ()


def test_types_and_strangers(tmp_path: Path) -> None:
    """All three types, ids of one segment; what is no repository is skipped, and said where it is odd."""
    for name in ("models--gpt2", "datasets--a--b", "spaces--a--b-c_d.e"):
        link(tmp_path / name, "f", SHA1)
    for name in (".locks", "blobs", "models--a--b--c", "kernels--a--b", "models--", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "version.txt").write_text("1")
    (tmp_path / "CACHEDIR.TAG").write_text("x")
    (tmp_path / "models--file").write_text("x")
    listing = scan_hf_cache(tmp_path)
    assert [str(found.repository) for found in listing.repositories] == [
        "datasets/a/b",
        "gpt2",
        "spaces/a/b-c_d.e",
    ]
    assert len(listing.notices) == 1
    assert "(5)" in listing.notices[0]


def test_refs(repo: Path) -> None:
    """Nested refs keep their name; broken, foreign and short ones are no refs."""
    write_ref(repo, "refs/pr/1")
    write_ref(repo, "v1.0", COMMIT + "\n")
    write_ref(repo, COMMIT[:7])
    write_ref(repo, "gone", "b" * 40)
    write_ref(repo, "broken", "hello")
    write_ref(repo, "main.12345678.tmp")
    write_ref(repo, "has space")
    found = only(repo.parent)
    assert found.refs == {"main": COMMIT, "refs/pr/1": COMMIT, "v1.0": COMMIT}
    assert any("cannot be read (2)" in notice or "skipped (2)" in notice for notice in found.notices)
    assert any("gone" in notice for notice in found.notices)


def test_tree_proves(repo: Path) -> None:
    """With a tree listing and every file there, the revision is complete."""
    write_tree(
        repo,
        {
            "config.json": {"size": 4, "blob_id": SHA1},
            "sub/model.safetensors": {"size": 6, "blob_id": SHA1, "lfs_sha256": SHA256, "lfs_size": 6},
        },
    )
    found = revision(repo.parent)
    assert not found.is_partial
    assert found.missing == ()


@pytest.mark.parametrize(
    "change",
    [
        {"other": {"size": 1, "blob_id": SHA1}},
        {"config.json": {"size": 5, "blob_id": SHA1}},
        {"config.json": {"size": 9, "blob_id": SHA1, "lfs_sha256": "3" * 64, "lfs_size": 4}},
    ],
)
def test_tree_disproves(repo: Path, change: dict[str, dict[str, Any]]) -> None:
    """A file missing, of another size or of another digest is named."""
    write_tree(repo, {"config.json": {"size": 4, "blob_id": SHA1}} | change)
    found = revision(repo.parent)
    assert found.is_partial
    assert found.missing == tuple(change)


@pytest.mark.parametrize(
    "files", [{"../x": {"size": 1, "blob_id": ""}}, {"a": {"size": True, "blob_id": ""}}, {"a": 1}, {"a": {}}]
)
def test_odd_tree_proves_nothing(repo: Path, files: dict[str, Any]) -> None:
    """A listing that is odd is no proof."""
    write_tree(repo, files)
    found = revision(repo.parent)
    assert found.is_partial
    assert found.missing == ()


def test_tree_of_another_version(repo: Path) -> None:
    """A listing of a version we do not know is no proof; nor is one that is no JSON."""
    write_tree(repo, {}, version=2)
    assert revision(repo.parent).is_partial
    (repo / "trees" / f"{COMMIT}.json").write_text("[" * 100_000)
    assert revision(repo.parent).is_partial


def test_plain_files(repo: Path) -> None:
    """Where links do not work, the files themselves lie in the snapshot; digests come from the tree."""
    folder = repo / "snapshots" / COMMIT
    for path in ("config.json", "sub/model.safetensors"):
        content = (folder / path).read_bytes()
        (folder / path).unlink()
        (folder / path).write_bytes(content)
    (folder / ".DS_Store").write_bytes(b"x")
    write_tree(
        repo,
        {
            "config.json": {"size": 4, "blob_id": SHA1},
            "sub/model.safetensors": {"size": 6, "blob_id": SHA1, "lfs_sha256": SHA256, "lfs_size": 6},
        },
    )
    found = revision(repo.parent)
    assert [(file.git_sha1, file.sha256) for file in found.files] == [(SHA1, None), (None, SHA256)]
    assert not found.is_partial


def test_dangling_and_incomplete(repo: Path) -> None:
    """A link without its blob is missing; an interrupted download is mentioned."""
    link(repo, "gone.bin", "3" * 64, None)
    (repo / "blobs" / f"{'3' * 64}.incomplete").write_bytes(b"")
    found = only(repo.parent)
    assert found.revisions[0].missing == ("gone.bin",)
    assert len(found.notices) == 2


def test_missing_shards(repo: Path) -> None:
    """A shard index is evidence of what is missing."""
    text = json.dumps({"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors"}})
    link(repo, "model.safetensors.index.json", "4" * 40, text.encode())
    link(repo, "m-1.safetensors", "5" * 64)
    link(repo, "bad/model.safetensors.index.json", "6" * 40, b"{}")
    assert revision(repo.parent).missing == ("m-2.safetensors",)


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../../../../secret", "../../blobs/../../secret", "../../blobs/..", "config.json"],
)
def test_links_that_leave(repo: Path, target: str) -> None:
    """Only a link right into the repository's own blobs is followed."""
    (repo.parent.parent / "secret").write_text("secret")
    (repo / "snapshots" / COMMIT / "sly").symlink_to(target)
    found = only(repo.parent)
    assert [file.path_in_repo for file in found.revisions[0].files] == [
        "config.json",
        "sub/model.safetensors",
    ]
    assert found.revisions[0].missing == ("sly",)
    assert found.notices


def test_linked_folders_are_not_walked(repo: Path) -> None:
    """A folder that is a link is no part of a snapshot, nor is a snapshot that is one."""
    (repo / "snapshots" / COMMIT / "etc").symlink_to("/etc")
    (repo / "snapshots" / ("b" * 40)).symlink_to("/etc")
    found = only(repo.parent)
    assert len(found.revisions) == 1
    assert len(found.revisions[0].files) == 2


def test_linked_blobs_folder(repo: Path) -> None:
    """A blobs folder that is a link elsewhere is refused."""
    (repo / "blobs").rename(repo.parent.parent / f"{repo.parent.name}-elsewhere")
    (repo / "blobs").symlink_to(repo.parent.parent / f"{repo.parent.name}-elsewhere")
    assert revision(repo.parent).files == ()


def test_shared_blobs(repo: Path) -> None:
    """A blob may be a link into the cache's shared blobs, and nowhere else."""
    name = "ab" + "7" * 62
    shared = repo.parent / "blobs" / "ab" / name
    shared.parent.mkdir(parents=True)
    shared.write_bytes(b"shared")
    link(repo, "shared.bin", "8" * 64, None)
    (repo / "blobs" / ("8" * 64)).symlink_to(f"../../blobs/ab/{name}")
    link(repo, "sly.bin", "9" * 64, None)
    (repo / "blobs" / ("9" * 64)).symlink_to("/etc/passwd")
    found = revision(repo.parent)
    file = next(file for file in found.files if file.path_in_repo == "shared.bin")
    assert file.sha256 == "8" * 64
    assert file.source_path.read_bytes() == b"shared"
    assert found.missing == ("sly.bin",)


def test_repository_moved_by_a_link(repo: Path, tmp_path: Path) -> None:
    """A whole repository may lie on another disk, behind a link."""
    other = tmp_path / "cache2"
    other.mkdir()
    (other / repo.name).symlink_to(repo)
    assert len(revision(other).files) == 2


def test_odd_snapshots(repo: Path) -> None:
    """Snapshots not called by a commit are skipped; an empty repository has none."""
    (repo / "snapshots" / "main").mkdir()
    assert len(only(repo.parent).revisions) == 1
    (repo.parent / "models--empty").mkdir()
    assert scan_hf_cache(repo.parent).repositories[0].revisions == ()


def test_not_a_cache(tmp_path: Path) -> None:
    """A missing folder and a file are told apart."""
    with pytest.raises(NotFoundError):
        scan_hf_cache(tmp_path / "missing")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError):
        scan_hf_cache(tmp_path / "file")


def test_default() -> None:
    """The environment counts in the client's order."""
    environ = {"HOME": "/h"}
    assert default_hf_cache(environ) == Path("/h/.cache/huggingface/hub")
    environ["XDG_CACHE_HOME"] = "/x"
    assert default_hf_cache(environ) == Path("/x/huggingface/hub")
    environ["HF_HOME"] = "/f"
    assert default_hf_cache(environ) == Path("/f/hub")
    environ["HUGGINGFACE_HUB_CACHE"] = "/old"
    assert default_hf_cache(environ) == Path("/old")
    environ["HF_HUB_CACHE"] = "/new"
    assert default_hf_cache(environ) == Path("/new")
