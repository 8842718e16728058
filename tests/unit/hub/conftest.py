"""A state or a hub of one's own, and a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.app import HubApp
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import ROUTES
from tensorhub.store.state import State
from tensorhub.store.store import Store


@dataclass
class Clock:
    """Seconds since 1970, as the test says."""

    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Give a state that nobody wrote to."""
    made = State(tmp_path / "state.sqlite")
    yield made
    made.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Give a hub over an empty store, for everybody on this machine."""
    with Store.create(tmp_path / "hub") as store:
        yield Hub(store, HubConfig())


@pytest.fixture
def client(hub: Hub) -> Iterator[TestClient]:
    """Give a client of that hub, which runs as long as the test."""
    with TestClient(HubApp(hub, ROUTES), base_url="http://localhost") as opened:
        yield opened
