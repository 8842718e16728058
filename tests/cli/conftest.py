"""A small store of real models, and a way to run commands in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tensorhub as th
from tensorhub.cli import main

FAMILY = Path(__file__).resolve().parents[2] / "examples" / "tiny-family"
MEMBERS = ("base", "base-sharded", "ft-lora")


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Parse the one document on stdout."""
        return json.loads(self.stdout)

    def error(self) -> dict[str, Any]:
        """Parse the error on stderr."""
        return json.loads(self.stderr)["error"]  # type: ignore[no-any-return]


Run = Callable[..., Outcome]


@pytest.fixture
def family() -> Path:
    """Give the folder with the example models."""
    return FAMILY


@pytest.fixture(scope="session")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with a few members of the family, once; only to be copied."""
    path = tmp_path_factory.mktemp("filled") / "store"
    with th.Store.open(path, create=True) as store:
        for name in MEMBERS:
            th.add_folder(store, FAMILY / name, f"local/{name}")
    return path


@pytest.fixture
def store_path(filled_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a store of one's own with a few models, found through the environment."""
    path = tmp_path / "store"
    shutil.copytree(filled_store, path)
    monkeypatch.setenv("TENSORHUB_STORE", str(path))
    return path


@pytest.fixture
def no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a place where no store is yet, named by the environment."""
    path = tmp_path / "none"
    monkeypatch.setenv("TENSORHUB_STORE", str(path))
    return path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run_command(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run_command
