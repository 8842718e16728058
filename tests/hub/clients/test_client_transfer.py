"""Files go up and come down byte for byte, whatever way the client takes."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, constants
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from .content import git_blob_id, hash_folder, make_model_folder, make_weights
from .cutting_proxy import CuttingProxy

pytestmark = pytest.mark.wide


def test_folder_there_and_back(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """A folder that was uploaded is the folder that a snapshot gives."""
    (tmp_path / "up").mkdir()
    digests = make_model_folder(tmp_path / "up")
    commit = api.upload_folder(repo_id=repo_id, folder_path=tmp_path / "up", commit_message="All of it")
    assert commit.oid == api.model_info(repo_id).sha
    got = Path(api.snapshot_download(repo_id, cache_dir=tmp_path / "cache"))
    assert got.name == commit.oid
    assert hash_folder(got) == digests
    assert hash_folder(Path(api.snapshot_download(repo_id, local_dir=tmp_path / "down"))) == digests


def test_same_folder_again_makes_no_commit(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """What is there already is not sent, and nothing is committed."""
    make_model_folder(tmp_path)
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path)
    before = api.list_repo_commits(repo_id)
    api.upload_folder(repo_id=repo_id, folder_path=tmp_path)
    assert api.list_repo_commits(repo_id) == before


@pytest.mark.slow
def test_20_megabytes_there_and_back(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """Files of many chunks, one of them a small change of the other, come back as they were."""
    up = tmp_path / "up"
    up.mkdir()
    make_weights(up / "model-00001-of-00002.safetensors", rows=1300)
    data = bytearray((up / "model-00001-of-00002.safetensors").read_bytes())
    data[5_000_000:5_000_004] = b"\1\2\3\4"
    (up / "model-00002-of-00002.safetensors").write_bytes(data)
    api.upload_folder(repo_id=repo_id, folder_path=up)
    got = Path(api.snapshot_download(repo_id, cache_dir=tmp_path / "cache"))
    assert hash_folder(got) == hash_folder(up)


@pytest.mark.parametrize("kind", ["path", "bytes", "file object"])
def test_every_kind_of_upload(api: HfApi, repo_id: str, tmp_path: Path, kind: str) -> None:
    """Paths and bytes go by Xet, file objects by LFS; what arrives is the same."""
    path = tmp_path / "model.safetensors"
    make_weights(path, rows=8)
    data = path.read_bytes()
    if kind == "file object":
        with path.open("rb") as opened:
            api.upload_file(path_or_fileobj=opened, path_in_repo="model.safetensors", repo_id=repo_id)
    else:
        source = path if kind == "path" else data
        api.upload_file(path_or_fileobj=source, path_in_repo="model.safetensors", repo_id=repo_id)
    got = api.hf_hub_download(repo_id, "model.safetensors", cache_dir=tmp_path / "cache")
    assert Path(got).read_bytes() == data


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # by the client, of itself
@pytest.mark.parametrize("nbytes", [600, 12_000_000], ids=["basic", "multipart"])
def test_upload_without_xet(
    api: HfApi, repo_id: str, tmp_path: Path, nbytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has no Xet uploads by LFS, in one part or in several."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    data = hashlib.sha256(b"seed").digest() * (nbytes // 32)
    api.upload_file(path_or_fileobj=io.BytesIO(data), path_in_repo="weights.bin", repo_id=repo_id)
    got = api.hf_hub_download(repo_id, "weights.bin", cache_dir=tmp_path)
    assert hashlib.sha256(Path(got).read_bytes()).digest() == hashlib.sha256(data).digest()


def test_etags_say_what_clients_expect(api: HfApi, repo_id: str, hub_url: str) -> None:
    """A small file is named by its git id, a large one by its SHA-256; HEAD says the length."""
    small, large = b'{"a": 1}', b"\0\1\2\3" * 400
    operations = [CommitOperationAdd("config.json", small), CommitOperationAdd("weights.bin", large)]
    commit = api.create_commit(repo_id, operations, commit_message="Two files").oid
    for name, data, etag in (
        ("config.json", small, git_blob_id(small)),
        ("weights.bin", large, hashlib.sha256(large).hexdigest()),
    ):
        metadata = api.get_hf_file_metadata(url=f"{hub_url}/{repo_id}/resolve/main/{name}")
        assert (metadata.commit_hash, metadata.etag, metadata.size) == (commit, etag, len(data))


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-99", 0, 99), ("1000-", 1000, 1599), ("-100", 1500, 1599), ("1500-9999", 1500, 1599)],
)
def test_ranges(api: HfApi, repo_id: str, hub_url: str, asked: str, first: int, last: int) -> None:
    """A part of a file is answered with 206 and says where it lies."""
    data = bytes(range(256)) * 6 + bytes(64)
    api.upload_file(path_or_fileobj=data, path_in_repo="weights.bin", repo_id=repo_id)
    url = f"{hub_url}/{repo_id}/resolve/main/weights.bin"
    answer = httpx.get(url, headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(data)}"
    assert answer.content == data[first : last + 1]


def test_range_behind_the_end(api: HfApi, repo_id: str, hub_url: str) -> None:
    """A range that begins where the file has ended is refused with 416."""
    api.upload_file(path_or_fileobj=b"\0" * 600, path_in_repo="weights.bin", repo_id=repo_id)
    url = f"{hub_url}/{repo_id}/resolve/main/weights.bin"
    answer = httpx.get(url, headers={"Range": "bytes=600-"})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */600"


def test_download_goes_on_after_a_cut(
    api: HfApi, repo_id: str, hub_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that breaks twice costs the client what it had not written yet, and no byte is wrong."""
    data = hashlib.sha256(b"cut").digest() * 40_000
    api.upload_file(path_or_fileobj=data, path_in_repo="weights.bin", repo_id=repo_id)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda _seconds: None)
    with CuttingProxy(hub_url, cuts=[500_000, 300_000]) as proxy:
        through = HfApi(endpoint=proxy.url, token="hf_any")
        got = through.hf_hub_download(repo_id, "weights.bin", cache_dir=tmp_path)
    assert Path(got).read_bytes() == data
    assert not proxy.cuts
    resumed = [line for line in proxy.range_headers if line]
    assert len(resumed) == 2
    assert all(int(line.removeprefix("bytes=").rstrip("-")) % 100_000 == 0 for line in resumed)


def test_what_is_missing(api: HfApi, repo_id: str, tmp_path: Path) -> None:
    """A missing file, revision or repository is told as what it is; a missing file is remembered as missing."""
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download(repo_id, "nothing.json", cache_dir=tmp_path)
    assert list(tmp_path.glob("*/.no_exist/*/nothing.json"))
    with pytest.raises(RevisionNotFoundError):
        api.hf_hub_download(repo_id, "config.json", revision="nowhere", cache_dir=tmp_path)
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("local/nothing", "config.json", cache_dir=tmp_path)
    assert not api.file_exists(repo_id, "nothing.json")
    assert api.file_exists(repo_id, ".gitattributes")
