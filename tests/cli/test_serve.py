"""The command serve: it starts, says where, serves, and stops when told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tensorhub.cli import main
from tensorhub.store.store import Store


def test_serves_until_stopped(tmp_path: Path) -> None:
    """The first line on stdout says where, once it listens; an interrupt ends it in order."""
    with Store.create(tmp_path / "hub") as store, store.begin_commit("a/b") as transaction:
        transaction.put_file("x.txt", b"hello\n")
        transaction.publish("put")
    command = [
        sys.executable,
        "-m",
        "tensorhub",
        "--store",
        str(tmp_path / "hub"),
        "serve",
        "--port",
        "0",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert read_when_ready(f"{url}/a/b/resolve/main/x.txt") == b"hello\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


def read_when_ready(url: str) -> bytes:
    """Read a file as soon as its SHA-256 is known; until then the answer is 503."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(url) as response:
                found: bytes = response.read()
                return found
        except urllib.error.HTTPError as error:
            with error:
                assert error.code == 503
        time.sleep(0.02)
    raise TimeoutError(url)


def test_refuses_to_be_reached_without_users(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a sentence that says what to do."""
    assert main(["--store", str(tmp_path / "hub"), "serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert "tensorhub user add" in capsys.readouterr().err.replace("\n", " ")


def test_refuses_unknown_log_formats(tmp_path: Path) -> None:
    """Before anything is opened."""
    assert main(["--store", str(tmp_path / "hub"), "serve", "--log-format", "xml"]) == 2
    assert not (tmp_path / "hub").exists()
