"""Hubs to look at, shared by the tests of the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.config import HubConfig

from .page_hub import fill, open_client


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "hub"
    with Store.create(path) as store:
        fill(store)
    return path


@pytest.fixture(scope="module")
def client(filled: Path) -> Iterator[TestClient]:
    """Read a hub without users."""
    with open_client(filled, HubConfig()) as opened:
        yield opened


@pytest.fixture
def guarded(filled: Path, tmp_path: Path) -> Iterator[TestClient]:
    """Use a hub that may be changed."""
    shutil.copytree(filled, tmp_path / "copy")
    with open_client(tmp_path / "copy", HubConfig()) as opened:
        yield opened
