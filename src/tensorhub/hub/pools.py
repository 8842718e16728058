"""Thread pools: where a server's blocking work runs.

Duty: bounded pools, and a clear refusal when too much waits. Not its duty: the work.
Invariants: a pool never holds more jobs than its limit; a job that was begun is finished.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar, cast

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
        loop = asyncio.get_running_loop()
        # Not wrap_future: it leaves a cycle that keeps each result, a piece of a file, until the next collection.
        waiter: asyncio.Future[R] = loop.create_future()

        def work() -> None:
            result, failure = None, None
            try:
                result = job(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the job is awaited
                failure = error
            with self._lock:
                self.busy -= 1  # not when the caller leaves: the job may still run then
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_deliver, waiter, result, failure)
            del failure

        self._executor.submit(work)
        return await waiter

    def close(self) -> None:
        """Wait for what runs, and take no more."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _deliver(waiter: asyncio.Future[R], result: R | None, failure: BaseException | None) -> None:
    if waiter.done():
        return  # the caller left
    if failure is not None:
        waiter.set_exception(failure)
    else:
        waiter.set_result(cast(R, result))
