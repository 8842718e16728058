"""A server that is killed at any moment of an upload: nothing is lost or half visible, and the client's retry works."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tensorhub import Store, verify

from ..weights import noise

REPOSITORY = "local/m"
DATA = noise(30_000_000, 5)
OID = hashlib.sha256(DATA).hexdigest()


class Server:
    """A hub in a process of its own."""

    def __init__(self, store: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "tensorhub", "serve", "--store", str(store), "--port", str(port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{self.url}/healthz")
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(60)


@contextmanager
def serving(store: Path, how: signal.Signals = signal.SIGKILL) -> Iterator[Server]:
    server = Server(store)
    try:
        yield server
    finally:
        server.stop(how)


def begin(url: str, name: str) -> str | None:
    """Ask for a link to upload to; None where the file is here."""
    objects = [{"oid": OID, "size": len(DATA)}]
    body = {"operation": "upload", "transfers": ["basic"], "objects": objects}
    item = httpx.post(f"{url}/{name}.git/info/lfs/objects/batch", json=body).json()["objects"][0]
    if "actions" not in item:
        return None
    link = urlsplit(item["actions"]["upload"]["href"])
    return f"{url}{link.path}?{link.query}"


def commit(url: str, name: str, timeout: float = 60) -> httpx.Response:
    """Commit the uploaded file with a text."""
    lines = [
        {"key": "header", "value": {"summary": "s"}},
        {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": OID, "size": len(DATA)}},
        {"key": "file", "value": {"path": "t.txt", "encoding": "base64", "content": "dGV4dA=="}},
    ]
    content = "\n".join(json.dumps(line) for line in lines)
    return httpx.post(f"{url}/api/models/{name}/commit/main", content=content, timeout=timeout)


def upload(url: str, name: str) -> None:
    """Do what a client does, from the beginning."""
    assert httpx.post(f"{url}/api/repos/create", json={"name": name}).status_code in (200, 409)
    if (link := begin(url, name)) is not None:
        assert httpx.put(link, content=DATA, timeout=60).status_code == 200
    assert commit(url, name).status_code == 200


def half() -> Iterator[bytes]:
    yield DATA[: len(DATA) // 2]
    time.sleep(0.2)
    raise ConnectionAbortedError


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["in a body", "before the commit", "in the commit", "after the commit"])
def test_killed(tmp_path: Path, moment: str) -> None:
    """Then started again and asked again."""
    path = tmp_path / "hub"
    Store.create(path).close()
    with serving(path) as server:
        httpx.post(f"{server.url}/api/repos/create", json={"name": REPOSITORY})
        link = begin(server.url, REPOSITORY)
        assert link is not None
        if moment == "in a body":
            with pytest.raises(ConnectionAbortedError):
                httpx.put(link, content=half(), headers={"Content-Length": str(len(DATA))})
        else:
            assert httpx.put(link, content=DATA, timeout=60).status_code == 200
        if moment == "in the commit":
            with suppress(httpx.TimeoutException):  # a fast machine may be through
                commit(server.url, REPOSITORY, 0.05)
        elif moment == "after the commit":
            assert commit(server.url, REPOSITORY).status_code == 200
    with serving(path, signal.SIGTERM) as server:
        names = {item["path"] for item in httpx.get(f"{server.url}/api/models/{REPOSITORY}/tree/main").json()}
        whole = {".gitattributes", "w.bin", "t.txt"}
        assert names == whole if moment == "after the commit" else names in ({".gitattributes"}, whole)
        upload(server.url, REPOSITORY)
        assert httpx.get(f"{server.url}/{REPOSITORY}/resolve/main/w.bin", timeout=60).content == DATA
        assert httpx.get(f"{server.url}/{REPOSITORY}/resolve/main/t.txt").content == b"text"
    with Store.open(path) as store:
        assert verify(store).is_sound
