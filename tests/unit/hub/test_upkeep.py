"""Small jobs are done at their pace, whatever others do, and once more at the end."""

from __future__ import annotations

import logging
import threading

import pytest

from tensorhub.errors import BackendError
from tensorhub.hub.upkeep import Upkeep


def test_pace_and_failures(caplog: pytest.LogCaptureFixture) -> None:
    """A job that fails is logged and does not keep the others from their work."""
    upkeep, done, failures = Upkeep(), threading.Event(), iter([BackendError("disk"), ZeroDivisionError()])
    counts = {"fast": 0, "rare": 0}

    def fast() -> None:
        counts["fast"] += 1
        if counts["fast"] == 3:
            done.set()

    def rare() -> None:
        counts["rare"] += 1

    def fail() -> None:
        error = next(failures, None)
        if error is not None:
            raise error

    upkeep.add("fails", fail, every_s=0.001)
    upkeep.add("fast", fast, every_s=0.001)
    upkeep.add("rare", rare, every_s=3600)
    with caplog.at_level(logging.WARNING):
        upkeep.start()
        assert done.wait(10)
        upkeep.stop()
    assert counts["rare"] == 1
    assert "disk" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    before = counts["fast"]
    upkeep.stop()
    assert counts["fast"] == before


def test_nothing_to_do() -> None:
    """Without jobs it ends at once."""
    upkeep = Upkeep()
    upkeep.start()
    upkeep.stop()
