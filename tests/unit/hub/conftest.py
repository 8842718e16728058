"""A state of one's own, and a clock that stands still until it is moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tensorhub.store.state import State


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
