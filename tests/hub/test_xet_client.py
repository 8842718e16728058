"""The real Xet client uploads to, and downloads from, a hub that runs."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import uvicorn

from tensorhub import Store
from tensorhub.hub import resolve
from tensorhub.hub.app import Exchange, HubApp
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import ROUTES, bind
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.store.gc import collect_garbage

pytestmark = pytest.mark.wide

pytest.importorskip("hf_xet")
NOTHING = Digest(bytes(32))


class Served:
    """A hub that runs, and a client machine with a cache folder of its own."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.hub = Hub(store, HubConfig(port=0))
        self.store = store
        self.cache = folder / "cache"
        self.seen: list[tuple[str, int]] = []
        listener = bind(self.hub.config)
        app = HubApp(self.hub, ROUTES, observers=[self.observe])
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def observe(self, exchange: Exchange) -> None:
        """Note a request and its answer."""
        self.seen.append((f"{exchange.method} {exchange.pattern}", exchange.status))

    def close(self) -> None:
        """Stop."""
        self._server.should_exit = True
        self._thread.join()

    def count(self, start: str, status: int = 200) -> int:
        """Say how many requests of a kind were answered so."""
        return sum(kind.startswith(start) and found == status for kind, found in self.seen)

    def token(self, kind: str, revision: str = "main") -> tuple[str, str]:
        """Ask for an address and a token."""
        response = httpx.get(f"{self.url}/api/models/org/model/xet-{kind}-token/{revision}")
        response.raise_for_status()
        body = response.json()
        assert response.headers["x-xet-cas-url"] == body["casUrl"]
        assert response.headers["x-xet-access-token"] == body["accessToken"]
        assert response.headers["x-xet-token-expiration"] == str(body["exp"])
        return body["casUrl"], body["accessToken"]

    def run(self, *arguments: str, script: str = "xet_client.py") -> subprocess.CompletedProcess[str]:
        """Run a client."""
        environment = {
            **os.environ,
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(self.cache),
            "HF_XET_CACHE": str(self.cache),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "*",
        }
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=100, check=False
        )

    def upload(self, *paths: Path) -> subprocess.CompletedProcess[str]:
        """Upload files."""
        return self.run("upload", *self.token("write"), *map(str, paths))

    def commit(self, *paths: Path) -> None:
        """Commit uploaded files, as the commit endpoint does."""
        done = []
        with self.store.begin_commit("org/model") as transaction:
            for path in paths:
                sha256 = hashlib.sha256(path.read_bytes()).digest()
                source = self.hub.uploads.find(sha256, "local", path.stat().st_size)
                assert source is not None
                transaction.put_file(path.name, source)
                transaction.claim(path.name, Fact(FactKind.FILE_SHA256, NOTHING, sha256))
                done.append((path.name, sha256))
            transaction.publish("upload")
        snapshot = self.store.snapshots.snapshot("org/model", None)
        self.hub.uploads.committed([(sha256, snapshot.entry(name).file) for name, sha256 in done], "local")

    def download(self, path: Path, out: Path) -> bytes:
        """Download a committed file."""
        entry = self.store.snapshots.snapshot("org/model", None).entry(path.name)
        ran = self.run("download", *self.token("read"), entry.file.hex, str(path.stat().st_size), str(out))
        assert ran.returncode == 0, ran.stderr
        return out.read_bytes()


@pytest.fixture
def served(store, tmp_path):
    """Run a hub with an empty repository."""
    store.create_repository("org/model")
    running = Served(store, tmp_path)
    yield running
    running.close()


def make_file(path: Path, nbytes: int, seed: int = 1) -> Path:
    """Make a file of weights."""
    values = np.random.default_rng(seed).normal(0, 0.02, nbytes // 4).astype(np.float32)
    path.write_bytes(values.tobytes() + b"end")
    return path


def test_up_and_down(served, tmp_path):
    """Twenty megabytes go up and come back; no copy is left among the uploads."""
    path = make_file(tmp_path / "w.bin", 20_000_000)
    ran = served.upload(path)
    assert ran.returncode == 0, ran.stderr
    served.commit(path)
    assert served.download(path, tmp_path / "again.bin") == path.read_bytes()
    assert served.count("GET /cas/{place}/v1/data", 206) == 1
    assert not [file for file in served.hub.uploads.folder.rglob("*") if file.is_file()]


def test_a_small_change_sends_little(served, tmp_path):
    """Four bytes of difference send the chunk around them; the rest is found where earlier commits put it."""
    path = make_file(tmp_path / "w.bin", 20_000_000)
    served.upload(path)
    served.commit(path)
    changed = bytearray(path.read_bytes())
    changed[9_000_000:9_000_004] = b"edit"
    path.write_bytes(changed)
    ran = served.upload(path)
    assert ran.returncode == 0, ran.stderr
    assert served.hub.uploads.space.nbytes < 400_000
    served.commit(path)
    assert served.download(path, tmp_path / "again.bin") == changed


def test_forgotten_chunks_are_sent_again(served, tmp_path):
    """After `gc --now` a client with a warm cache begins anew; after another loss it needs one more try."""
    path = make_file(tmp_path / "w.bin", 2_000_000)
    served.upload(path)
    served.commit(path)
    served.store.delete_repository("org/model")
    served.store.create_repository("org/model")
    collect_garbage(served.store, grace_s=0, drops_retained=True)
    assert served.upload(path).returncode == 0
    served.commit(path)
    with served.store.state.write() as connection:
        connection.exec_driver_sql("DELETE FROM xorb_place")
    assert served.upload(path).returncode != 0
    assert served.upload(path).returncode == 0
    served.commit(path)
    assert served.download(path, tmp_path / "again.bin") == path.read_bytes()


def test_what_plain_http_does_not_give(served, tmp_path, monkeypatch):
    """A file above the client's limit for plain HTTP comes through Xet; without it the client refuses."""
    path = make_file(tmp_path / "w.bin", 12_000_000)
    served.upload(path)
    served.commit(path)
    ran = served.run("w.bin", str(tmp_path / "plain"), script="hub_download.py")
    assert ran.returncode != 0
    monkeypatch.setattr(resolve, "XET_MIN_NBYTES", 1_000_000)
    ran = served.run("w.bin", str(tmp_path / "xet"), script="hub_download.py")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "xet" / "w.bin").read_bytes() == path.read_bytes()
    assert served.count("GET /{P}{repo}/resolve") == 0


def test_clients_that_vanish_leave_nothing(served):
    """A connection that ends in the middle of a xorb takes its bytes with it."""
    url, token = served.token("write")
    address = urlsplit(url)
    head = (
        f"POST {address.path}/v1/xorbs/default/{'0' * 64} HTTP/1.1\r\n"
        f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Length: 50000000\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + bytes(5_000_000))
        wait_until(lambda: served.hub.uploads.space.nbytes == 50_000_000)
    wait_until(lambda: served.hub.uploads.space.nbytes == 0)
    assert not [file for file in served.hub.uploads.folder.rglob("*") if file.is_file()]


def wait_until(is_so) -> None:
    """Wait for something that is about to be."""
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_folder_goes_up_by_default(served, tmp_path):
    """upload_folder with default settings: equal files, a nearly equal one and a small one; again, it sends nothing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    first = make_file(folder / "a.safetensors", 15_000_000)
    (folder / "b.safetensors").write_bytes(first.read_bytes())
    (folder / "c.safetensors").write_bytes(b"edit" + first.read_bytes()[4:])
    (folder / "config.json").write_text("{}")
    for _ in range(2):
        ran = served.run(str(folder), script="hub_upload.py")
        assert ran.returncode == 0, ran.stderr
    assert served.count("POST /cas/{place}/v1/xorbs") == 1
    for path in folder.iterdir():
        assert served.store.read("org/model", path.name) == path.read_bytes()
    assert served.hub.uploads.space.nbytes == 0
    assert not [file for file in served.hub.uploads.folder.rglob("*") if file.is_file()]
    # A warm client sends to another repository; then everything is deleted for good, and it begins anew.
    ran = served.run(str(folder), "org/other", script="hub_upload.py")
    assert ran.returncode == 0, ran.stderr
    assert served.count("POST /cas/{place}/v1/xorbs") == 1
    for name in ("org/model", "org/other"):
        served.store.delete_repository(name)
    collect_garbage(served.store, grace_s=0, drops_retained=True)
    ran = served.run(str(folder), script="hub_upload.py")
    assert ran.returncode == 0, ran.stderr
    assert served.count("POST /cas/{place}/v1/xorbs") == 2
    assert served.store.read("org/model", "c.safetensors") == (folder / "c.safetensors").read_bytes()
