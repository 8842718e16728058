"""A hub to measure, and clients that ask it.

Duty: a server in a process of its own, started as a user starts it; a bare reader; the Hugging Face client. Not its
duty: what is measured (``hub``).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Server:
    """A running hub."""

    url: str
    port: int
    pid: int

    def peak_mib(self) -> float:
        """Give the peak of its resident memory so far, in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def forget_peak(self) -> None:
        """Let the peak begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


@contextmanager
def serving(store: Path, *options: str) -> Iterator[Server]:
    """Run ``tensorhub serve`` on a store."""
    command = [sys.executable, "-m", "tensorhub", "--store", str(store), "serve", "--port", "0", "--json"]
    log = store.with_name(store.name + ".log").open("w")  # a line a request
    with (
        log,
        subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            yield Server(url, int(url.rsplit(":", 1)[1]), process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def fetch(port: int, path: str) -> int:
    """Read a file over a bare socket, as fast as it comes; gives its size."""
    buffer = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        nbytes = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        got = len(body)
        while got < nbytes:
            step = connection.recv_into(buffer)
            if not step:
                raise ConnectionError(f"{got} of {nbytes} bytes")
            got += step
    return nbytes


def wait_until_ready(server: Server, path: str) -> None:
    """Wait for the SHA-256 of a repository's files."""
    while True:
        try:
            urllib.request.urlopen(urllib.request.Request(server.url + path, method="HEAD")).close()
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            time.sleep(0.1)
        else:
            return


def timed(job: Any, *args: Any) -> float:
    """Give the seconds that a call takes."""
    began = time.perf_counter()
    job(*args)
    return time.perf_counter() - began


def run_client(code: str, url: str, home: Path) -> None:
    """Run Python code with the Hugging Face client pointed at a hub."""
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
