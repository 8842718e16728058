"""Locks of repositories: in order, bounded, and nothing left behind."""

from __future__ import annotations

import asyncio

import pytest

from tensorhub.errors import QueueFullError
from tensorhub.hub.repository_locks import RepositoryLocks
from tensorhub.schema.names import parse_repository

ONE, SAME, OTHER = (parse_repository(name) for name in ("a/b", "A/B", "a/c"))


def test_order() -> None:
    """One at a time to each, in the order of asking; others do not wait."""
    locks, seen = RepositoryLocks(), []

    async def work(name: str, number: int) -> None:
        async with locks.hold(parse_repository(name)):
            seen.append((name, number))
            await asyncio.sleep(0.001)
            seen.append((name, number))

    async def main() -> None:
        await asyncio.gather(*(work("A/B" if number % 2 else "a/b", number) for number in range(6)))

    asyncio.run(main())
    assert [number for _, number in seen] == [number for number in range(6) for _ in range(2)]
    assert locks._held == {}


def test_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many wait; a holder that fails lets the next go on."""
    monkeypatch.setattr("tensorhub.hub.repository_locks.MAX_WAITING", 1)
    locks = RepositoryLocks()

    async def main() -> None:
        async with locks.hold(ONE):
            waiting = asyncio.ensure_future(locks.hold(SAME).__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                async with locks.hold(ONE):
                    pass
            async with locks.hold(OTHER):
                pass
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert locks._held == {}
