"""Locks of repositories: one commit at a time to each, in the order in which they came.

Duty: the queue. Not its duty: other processes (the store's compare-and-swap sees to them).
Invariants: waiting takes no thread, so that many commits to one repository hold up no others; a lock that nobody
holds or waits for takes no memory. Used from one event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tensorhub.errors import QueueFullError
from tensorhub.schema.names import RepositoryId

MAX_WAITING = 256  # for one repository; each keeps its spool meanwhile


class RepositoryLocks:
    """Locks by repository, compared without case."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[asyncio.Lock, list[None]]] = {}

    @asynccontextmanager
    async def hold(self, repository: RepositoryId) -> AsyncIterator[None]:
        """Wait for a repository's lock, and hold it.

        Raises
        ------
        QueueFullError
            Too many wait for it already.
        """
        lock, users = self._held.setdefault(repository.key, (asyncio.Lock(), []))
        if len(users) > MAX_WAITING:
            raise QueueFullError(
                f"commits to {repository}",
                expected=f"at most {MAX_WAITING} that wait",
                found=str(len(users)),
                action="Try again in a few seconds.",
            )
        users.append(None)
        try:
            async with lock:
                yield
        finally:
            users.pop()
            if not users:
                del self._held[repository.key]
