"""The `hf` command in a process of its own, told nothing but where the hub is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from .content import hash_folder, make_model_folder

pytestmark = pytest.mark.wide

HF = Path(sys.executable).with_name("hf")


@pytest.fixture
def run_hf(hub_url: str, client_home: Path) -> object:
    """Run a command and give what it printed."""
    command = str(HF) if HF.exists() else shutil.which("hf")
    if command is None:
        pytest.skip("the hf command of huggingface_hub is not installed")
    environment = os.environ | {
        "HF_ENDPOINT": hub_url,
        "HF_TOKEN": "hf_any",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "NO_COLOR": "1",
        "NO_PROXY": "127.0.0.1",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [command, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_upload_and_download(run_hf, tmp_path: Path) -> None:
    """`hf upload` makes the repository and fills it, `hf download` brings the same files."""
    (tmp_path / "up").mkdir()
    digests = make_model_folder(tmp_path / "up")
    name = f"local/command-{uuid.uuid4().hex[:8]}"
    run_hf("upload", name, str(tmp_path / "up"), ".")
    run_hf("download", name, "--local-dir", str(tmp_path / "down"))
    assert hash_folder(tmp_path / "down") == digests


@pytest.mark.slow
def test_other_commands(run_hf, tmp_path: Path) -> None:
    """What one manages a hub with answers, and does what it says."""
    name = f"local/command-{uuid.uuid4().hex[:8]}"
    assert "local" in run_hf("auth", "whoami")
    run_hf("repos", "create", name)
    assert name in run_hf("models", "ls", "--search", name.partition("/")[2], "-q")
    assert name in run_hf("repos", "ls", "--limit", "1000", "-q")
    run_hf("repos", "branch", "create", name, "other")
    run_hf("repos", "tag", "create", name, "v1")
    assert "v1" in run_hf("repos", "tag", "list", name)
    (tmp_path / "a.txt").write_text("content\n")
    run_hf("upload", name, str(tmp_path / "a.txt"), "a.txt", "--revision", "other")
    assert run_hf("cp", f"hf://{name}@other/a.txt", "-") == "content\n"
    assert json.loads(run_hf("models", "info", name))["id"] == name
    run_hf("repos", "settings", name, "--private")
    run_hf("repos", "delete", name, "--yes")
    assert name not in run_hf("repos", "ls", "--limit", "1000", "-q")
