"""A pool runs jobs, is bounded, and counts what really runs."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tensorhub.errors import QueueFullError, UsageError
from tensorhub.hub.pools import Pool


def test_results_and_errors() -> None:
    """A job's result comes back, and so does its error."""

    def fail() -> None:
        raise UsageError("x")

    async def run() -> int:
        pool = Pool("test", 1, 1)
        with pytest.raises(UsageError):
            await pool.run(fail)
        found = await pool.run(pow, 2, 5)
        pool.close()
        return found

    assert asyncio.run(run()) == 32


def test_a_full_pool_refuses() -> None:
    """More than threads and waiting places are refused; a caller who left still counts until his job ends."""

    async def run() -> None:
        pool, gate = Pool("test", 1, 1), threading.Event()
        first = asyncio.ensure_future(pool.run(gate.wait))
        second = asyncio.ensure_future(pool.run(gate.wait))
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        assert pool.busy == 2
        with pytest.raises(QueueFullError):
            await pool.run(gate.wait)
        gate.set()
        assert await second
        pool.close()
        assert pool.busy == 0

    asyncio.run(run())
