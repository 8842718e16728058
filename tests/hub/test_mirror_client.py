"""Two hubs and the real client: what one has, the other gives, and goes on giving when it is alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from tensorhub import Store
from tensorhub.hub.config import HubConfig

from ..weights import noise, put, safetensors, weights
from .servers import run_hub

pytestmark = pytest.mark.wide

FILES = {
    ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "config.json": b'{"model_type": "x"}',
    "folder/model.safetensors": safetensors({"w": weights((256, 1024), 1)}),
    "big.bin": noise(12_000_000, 3),
}


class Pair:
    """A hub with a model, and one that mirrors it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.first = ExitStack()
        stack.callback(self.first.close)
        origin = self.first.enter_context(Store.create(folder / "origin"))
        self.commit_id = put(origin, "org/model", FILES).commit_id
        self.origin, self.origin_url = origin, ""
        self.origin_url, hub = self.first.enter_context(run_hub(origin))
        hub.digests.wake()
        for _ in range(500):
            if httpx.head(f"{self.origin_url}/org/model/resolve/main/config.json").status_code == 200:
                break
            time.sleep(0.02)
        self.store = stack.enter_context(Store.create(folder / "mirror"))
        self.url, self.hub = stack.enter_context(run_hub(self.store, HubConfig(upstream=self.origin_url)))

    def snapshot(self, name: str, **options: object) -> dict[str, bytes]:
        """Download everything from the mirror into a new cache."""
        found = Path(
            snapshot_download("org/model", endpoint=self.url, cache_dir=self.folder / name, **options)  # type: ignore[arg-type]
        )
        assert found.name == self.commit_id
        return {
            path.relative_to(found).as_posix(): path.read_bytes()
            for path in found.rglob("*")
            if path.is_file()
        }

    def wait(self) -> None:
        """Wait until the mirror has all."""
        for _ in range(1000):
            if self.hub.mirror is None or not self.hub.mirror.running():
                return
            time.sleep(0.01)
        raise TimeoutError


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Run both hubs."""
    with ExitStack() as stack:
        yield Pair(tmp_path, stack)


def test_snapshot_then_alone(pair: Pair) -> None:
    """The first download fills the mirror; the second needs it alone."""
    assert pair.snapshot("one") == FILES
    pair.wait()
    pair.first.close()
    assert pair.snapshot("two") == FILES
    assert pair.snapshot("three", revision=pair.commit_id) == FILES
    commit = pair.store.snapshots.snapshot("org/model", None).commit
    assert (commit.is_partial, commit.origin) == (False, pair.origin_url)
    assert not list((pair.store.path / "uploads" / "mirror").iterdir())


def test_one_file_brings_the_rest(pair: Pair) -> None:
    """A client that asks for one file finds the others there later."""
    path = hf_hub_download("org/model", "config.json", endpoint=pair.url, cache_dir=pair.folder / "c")
    assert Path(path).read_bytes() == FILES["config.json"]
    pair.wait()
    pair.first.close()
    assert pair.snapshot("rest") == FILES


def test_lists_while_files_come(pair: Pair) -> None:
    """Tree, information and file system say what the other hub says, before the bytes are here."""
    ours, theirs = HfApi(endpoint=pair.url), HfApi(endpoint=pair.origin_url)
    for api in (ours, theirs):
        info = api.model_info("org/model", files_metadata=True)
        sizes = {item.rfilename: item.size for item in info.siblings or ()}
        assert sizes == {path: len(content) for path, content in FILES.items()}
        assert info.sha == pair.commit_id
    trees = [
        sorted(
            (item.path, getattr(item, "blob_id", None))
            for item in api.list_repo_tree("org/model", recursive=True)
        )
        for api in (ours, theirs)
    ]
    assert trees[0] == trees[1]
    files = HfFileSystem(endpoint=pair.url, skip_instance_cache=True)
    with files.open("org/model/folder/model.safetensors", "rb") as file:
        file.seek(100)
        assert file.read(50) == FILES["folder/model.safetensors"][100:150]


def test_absences(pair: Pair) -> None:
    """What the other hub does not have does not exist here, and clients are told so in their words."""
    api = HfApi(endpoint=pair.url)
    with pytest.raises(EntryNotFoundError):
        api.hf_hub_download("org/model", "none.txt", cache_dir=pair.folder / "c")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("org/model", revision="none")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/none")


def test_a_new_commit(pair: Pair) -> None:
    """It comes when the time is up; what did not change is not fetched again."""
    assert pair.snapshot("one") == FILES
    pair.wait()
    sent = pair.hub.mirror.fetched_nbytes if pair.hub.mirror else 0
    pair.commit_id = put(pair.origin, "org/model", {**FILES, "config.json": b'{"model_type": "y"}'}).commit_id
    mirror = pair.hub.mirror
    assert mirror is not None
    for _ in range(200):
        mirror._holds_until.clear()
        head = httpx.head(f"{pair.url}/org/model/resolve/main/config.json")
        if head.headers["x-repo-commit"] == pair.commit_id:
            break
        time.sleep(0.05)
    pair.wait()
    assert pair.snapshot("two")["config.json"] == b'{"model_type": "y"}'
    assert mirror.fetched_nbytes - sent == len(b'{"model_type": "y"}')
