"""Clients that live in environments of their own: an earlier release, and the libraries that load models.

`make test-clients` makes the environments and names their interpreters; without it these tests say so and are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.hub.config import HubConfig

from ..servers import run_hub

HERE = Path(__file__).resolve().parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.wide]


def walk(python: str, script: str, hub_url: str, work: Path, *arguments: str) -> None:
    """Run a script in another environment, with nothing but the address and a token, and a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PYTHON"))}
    environment = kept | {
        "HF_ENDPOINT": hub_url,
        "HF_TOKEN": "hf_any",
        "HF_HOME": str(work / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(
        [python, str(HERE / script), *arguments],
        env=environment,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


def test_newest_client_walks(hub_url: str, tmp_path: Path) -> None:
    """The walk itself is right: the client that is installed here does it."""
    walk(sys.executable, "client_walk.py", hub_url, tmp_path, str(tmp_path))


def test_newest_client_walks_below_a_prefix(tmp_path: Path) -> None:
    """A hub that a proxy shows at http://…/models/hf works like any other."""
    config = HubConfig(root_path="/models/hf")
    with Store.create(tmp_path / "hub") as store, run_hub(store, config) as (url, _):
        assert url.endswith("/models/hf")
        walk(sys.executable, "client_walk.py", url, tmp_path, str(tmp_path))


@pytest.mark.parametrize("release", ["0.36.2", "1.9.2", "1.33.0"])
def test_old_client_walks(hub_url: str, tmp_path: Path, release: str) -> None:
    """Earlier clients do it too: those that ask how a file may be sent, and those that no longer do."""
    environments = os.environ.get("TENSORHUB_OLD_CLIENTS")
    if not environments:
        pytest.skip(f"no environment with huggingface_hub {release}; make test-clients makes one")
    python = Path(environments).absolute() / release / "bin" / "python"
    walk(str(python), "client_walk.py", hub_url, tmp_path, str(tmp_path))


@pytest.mark.parametrize("library", ["transformers", "diffusers", "datasets"])
def test_library(hub_url: str, tmp_path: Path, library: str) -> None:
    """What was pushed by a library is loaded by it, unchanged."""
    python = os.environ.get("TENSORHUB_LIBRARIES_PYTHON", sys.executable)
    if python == sys.executable and find_spec(library) is None:
        pytest.skip(f"{library} is not installed; make test-clients makes an environment with it")
    walk(python, "libraries_walk.py", hub_url, tmp_path, library)
