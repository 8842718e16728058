"""`cat` streams any range of a file."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tensorhub.cli import main


@pytest.mark.parametrize(
    ("offset", "length"), [(0, None), (0, 8), (100_000, 300_000), (1_099_420, None), (2_000_000, 5), (7, 0)]
)
def test_ranges(offset: int, length: int | None, store_path: Path, family: Path, capfdbinary) -> None:
    """Exactly the bytes of the range, and nothing else on stdout."""
    options = ["--offset", str(offset)] + ([] if length is None else ["--length", str(length)])
    assert main(["cat", "local/ft-lora", "model.safetensors", *options]) == 0
    data = (family / "ft-lora" / "model.safetensors").read_bytes()
    assert capfdbinary.readouterr() == (data[offset:][:length], b"")


def test_json_holds_the_bytes(run, store_path: Path, family: Path) -> None:
    """With --json the bytes are Base64."""
    document = run("cat", "local/base", "config.json", "--length", 20, "--json").json()
    assert base64.b64decode(document["base64"]) == (family / "base" / "config.json").read_bytes()[:20]
    assert (document["path"], document["offset"], document["nbytes"]) == ("config.json", 0, 20)


def test_missing_file(run, store_path: Path) -> None:
    """A path that is not in the snapshot is not found, and stdout stays empty."""
    outcome = run("cat", "local/base", "nope.json", "--json")
    assert (outcome.code, outcome.stdout) == (10, "")
    assert outcome.error()["error"] == "FileEntryNotFoundError"
