"""The demonstration runs and leaves nothing behind; the pages' Python does what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_demo_runs(tmp_path: Path) -> None:
    """`make demo` restores a model byte for byte and removes its store."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "all equal" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_python_in_pages_runs(page: str, tmp_path: Path) -> None:
    """Every block of Python in the page runs in a folder where there is a model."""
    shutil.copytree(ROOT / "examples" / "tiny-family" / "base", tmp_path / "llama-chat")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)
    assert blocks
    for block in blocks:
        code = block.replace("/data/hub", str(tmp_path / "hub")).replace(
            "/tmp/llama-chat", str(tmp_path / "back")
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
