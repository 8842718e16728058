"""Writers that vanish, stall, lie or come at once: a hub on a real socket loses nothing and keeps nothing of theirs."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tensorhub import Store
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub

from ..hub.servers import run_hub

pytestmark = pytest.mark.wide

DATA = bytes(range(256)) * 80_000  # 20 MB: more than a spool keeps in memory and sockets in buffers
OID = hashlib.sha256(DATA).hexdigest()
COMMIT = "/api/models/local/m/commit/main"


class Server:
    """A hub that runs, with a repository ``local/m``."""

    def __init__(self, url: str, hub: Hub) -> None:
        self.hub = hub
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.client.post("/api/repos/create", json={"name": "m"}).raise_for_status()
        self._address = urlsplit(url)

    def send_part(self, method: str, path: str, announced: int, body: bytes) -> socket.socket:
        """Begin a request, and send a part of its body."""
        peer = socket.create_connection((self._address.hostname, self._address.port), timeout=30)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._address.netloc}\r\nContent-Length: {announced}\r\n\r\n"
        )
        peer.sendall(head.encode() + body)
        return peer

    def left(self) -> list[Path]:
        """Give what lies among the uploads."""
        return [path for path in self.hub.uploads.folder.rglob("*") if path.is_file()]

    def upload_link(self, transfers: tuple[str, ...] = ("basic",)) -> dict[str, object]:
        body = {
            "operation": "upload",
            "transfers": transfers,
            "objects": [{"oid": OID, "size": len(DATA)}],
        }
        answer = self.client.post("/local/m.git/info/lfs/objects/batch", json=body).json()
        upload: dict[str, object] = answer["objects"][0]["actions"]["upload"]
        return upload


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Store.create(tmp_path / "hub") as store, run_hub(store, HubConfig()) as (url, hub):
        made = Server(url, hub)
        yield made
        made.client.close()


def body(path: str, data: bytes) -> bytes:
    content = base64.b64encode(data).decode()
    lines = [
        {"key": "header", "value": {"summary": "s"}},
        {"key": "file", "value": {"content": content, "path": path, "encoding": "base64"}},
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def until(is_true: Callable[[], bool]) -> None:
    """Wait for something that happens in the server after its peer is gone."""
    for _ in range(1000):
        if is_true():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def test_vanishing(server: Server) -> None:
    """What a peer sent before it vanished is gone, and others go on."""
    whole = body("a.txt", DATA)
    head = server.hub.store.resolve("local/m")
    peer = server.send_part("POST", COMMIT, len(whole), whole[: len(whole) // 2])
    peer.close()
    href = urlsplit(str(server.upload_link()["href"]))
    peer = server.send_part("PUT", f"{href.path}?{href.query}", len(DATA), DATA[: len(DATA) // 2])
    until(lambda: server.hub.uploads.space.nbytes == len(DATA))
    peer.close()
    until(lambda: server.hub.uploads.space.nbytes == 0)
    assert server.left() == []
    assert server.hub.store.resolve("local/m") == head
    assert server.client.post(COMMIT, content=body("b.txt", b"1")).status_code == 200


def test_vanishing_between_parts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that nobody completes go after a day."""
    monkeypatch.setattr("tensorhub.hub.api_lfs.plan_part_nbytes", lambda *_, **__: 8_000_000)
    header = server.upload_link(("basic", "multipart"))["header"]
    assert isinstance(header, dict)
    assert server.client.put(header["00002"], content=DATA[8_000_000:16_000_000]).status_code == 200
    href = urlsplit(header["00001"])
    peer = server.send_part("PUT", f"{href.path}?{href.query}", 8_000_000, DATA[:1_000_000])
    peer.close()
    assert len(server.left()) == 1
    server.hub.uploads.sweep(time.time() + 3600)
    assert len(server.left()) == 1
    server.hub.uploads.sweep(time.time() + 2 * 24 * 3600)
    assert (server.left(), server.hub.uploads.space.nbytes) == ([], 0)


def test_stalling(server: Server) -> None:
    """Writers that send next to nothing hold up nobody."""
    whole = body("a.txt", b"1")
    href = urlsplit(str(server.upload_link()["href"]))
    peers = [server.send_part("POST", COMMIT, len(whole), whole[:20]) for _ in range(40)]
    peers += [server.send_part("PUT", f"{href.path}?{href.query}", len(DATA), b"\0") for _ in range(5)]
    began = time.perf_counter()
    for number in range(5):
        assert server.client.post(COMMIT, content=body(f"b{number}.txt", b"1")).status_code == 200
    assert time.perf_counter() - began < 10
    for peer in peers:
        peer.close()
    until(lambda: server.hub.uploads.space.nbytes == 0)


def test_at_once(server: Server) -> None:
    """Many commits to one branch and many uploads of one object: none is lost, nothing is left."""

    def write(number: int) -> int:
        return server.client.post(COMMIT, content=body(f"f{number}", b"%d" % number)).status_code

    link = str(server.upload_link()["href"])
    with ThreadPoolExecutor(8) as pool:
        uploads = [pool.submit(lambda: server.client.put(link, content=DATA).status_code) for _ in range(3)]
        assert list(pool.map(write, range(16))) == [200] * 16
        assert [upload.result() for upload in uploads] == [200] * 3
    assert len(server.hub.store.files("local/m")) == 17
    lines = [
        {"key": "header", "value": {"summary": "s"}},
        {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": OID, "size": len(DATA)}},
    ]
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    assert server.client.post(COMMIT, content=content).status_code == 200
    assert (server.left(), server.hub.uploads.space.nbytes) == ([], 0)


def test_deleted_meanwhile(server: Server) -> None:
    """A commit whose repository is deleted while it is received is refused, and does not bring it back."""
    whole = body("a.txt", b"1")
    peer = server.send_part("POST", COMMIT, len(whole), whole[:-5])
    time.sleep(0.1)
    gone = server.client.request("DELETE", "/api/repos/delete", json={"name": "m", "organization": "local"})
    assert gone.status_code == 200
    peer.sendall(whole[-5:])
    assert b" 404 " in peer.recv(1000).split(b"\r\n", 1)[0]
    peer.close()
    assert server.hub.store.ref_store.repositories() == []
