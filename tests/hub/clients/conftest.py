"""A real server on a free loopback port, and the real client in front of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, HfFileSystem, constants

from tensorhub import Store

from ..servers import run_hub


@pytest.fixture(scope="session", autouse=True)
def client_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the client's caches and token away from those of whoever runs the tests."""
    home = tmp_path_factory.mktemp("client-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(home))
        patch.setenv("HF_XET_CACHE", str(home / "xet"))
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        patch.delenv("HF_TOKEN", raising=False)
        for name, place in {
            "HF_HOME": home,
            "HF_HUB_CACHE": home / "hub",
            "HF_XET_CACHE": home / "xet",
            "HF_TOKEN_PATH": home / "token",
            "HF_STORED_TOKENS_PATH": home / "stored_tokens",
        }.items():
            patch.setattr(constants, name, str(place))
        patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        yield home


@pytest.fixture(scope="session")
def hub_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve a store that begins empty; without users, so that everybody is its owner."""
    with Store.create(tmp_path_factory.mktemp("served") / "hub") as store, run_hub(store) as (url, _):
        yield url


@pytest.fixture
def api(hub_url: str) -> HfApi:
    """Make a client of the server, with a token as people have one."""
    return HfApi(endpoint=hub_url, token="hf_any")


@pytest.fixture
def repo_id(api: HfApi) -> str:
    """Make a model repository that no other test uses."""
    return api.create_repo(f"local/model-{uuid.uuid4().hex[:8]}").repo_id


@pytest.fixture
def files(hub_url: str) -> HfFileSystem:
    """Make a file system over the server that remembers nothing of other tests."""
    return HfFileSystem(endpoint=hub_url, token="hf_any", skip_instance_cache=True)
