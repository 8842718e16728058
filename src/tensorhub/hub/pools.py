"""Thread pools: where a server's blocking work runs.

Duty: bounded pools, and a clear refusal when too much waits. Not its duty: the work.
Invariants: a pool never holds more jobs than its limit; a job that was begun is finished.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from tensorhub.errors import QueueFullError

P = ParamSpec("P")
R = TypeVar("R")


class Pool:
    """A thread pool with a bounded queue.

    Parameters
    ----------
    name
        For messages and thread names.
    threads
        How many jobs run at a time.
    max_waiting
        How many more may wait.

    Attributes
    ----------
    busy
        Jobs that run or wait now.
    """

    def __init__(self, name: str, threads: int, max_waiting: int) -> None:
        self.name = name
        self.busy = 0
        self._limit = threads + max_waiting
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"hub-{name}")

    async def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a job in a thread and wait for it; call from the event loop.

        Raises
        ------
        QueueFullError
            Too many wait already.
        """
        if self.busy >= self._limit:
            raise QueueFullError(
                f"{self.name} jobs of the hub",
                expected=f"fewer than {self._limit}",
                found=str(self.busy),
                action="Try again in a few seconds.",
            )
        with self._lock:
            self.busy += 1
        future = self._executor.submit(job, *args, **kwargs)
        future.add_done_callback(self._done)  # not when the caller leaves: the job may still run then
        return await asyncio.wrap_future(future)

    def _done(self, _: Future[R]) -> None:
        with self._lock:
            self.busy -= 1

    def close(self) -> None:
        """Wait for what runs, and take no more."""
        self._executor.shutdown(wait=True, cancel_futures=True)
