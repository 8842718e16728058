"""The real client makes, fills, renames and removes repositories of a hub that runs, through LFS."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tensorhub import Store

from .servers import run_hub

pytest.importorskip("huggingface_hub")
SCRIPT = Path(__file__).with_name("write_client.py")


@pytest.mark.slow
def test_write_client(tmp_path: Path) -> None:
    """Everything that write_client.py does; nothing is left among the uploads."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with Store.create(tmp_path / "hub") as store, run_hub(store) as (url, hub):
        environment = {
            **os.environ,
            "HF_ENDPOINT": url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "NO_PROXY": "*",
        }
        done = subprocess.run(
            [sys.executable, str(SCRIPT), str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]
        assert hub.uploads.space.nbytes == 0
        assert [path for path in hub.uploads.folder.rglob("*") if path.is_file()] == []
