"""Upkeep: small jobs that a server does again and again.

Duty: one thread that calls each job at its pace. Not its duty: what jobs do.
Invariants: a job that fails is logged and tried again at its next time; each is done once more at the end, and none
is ever done twice at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tensorhub.errors import TensorHubError

_LOG = logging.getLogger("tensorhub.hub")


@dataclass(slots=True)
class _Job:
    name: str
    work: Callable[[], object]
    every_s: float
    due_s: float


class Upkeep:
    """The thread and its jobs.

    Notes
    -----
    Jobs are added before :meth:`start`. They should take milliseconds to seconds, since one waits for the other.
    """

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, name: str, work: Callable[[], object], *, every_s: float) -> None:
        """Have something done every so often.

        Parameters
        ----------
        name
            For the log.
        work
            Called in the thread.
        every_s
            Seconds from one time to the next.
        """
        self._jobs.append(_Job(name, work, every_s, time.monotonic() + every_s))

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="hub-upkeep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Do each job once more, and end."""
        if self._thread is None:
            return
        self._is_stopping.set()
        self._thread.join()
        self._thread = None
        for job in self._jobs:
            _do(job)

    def _run(self) -> None:
        while self._jobs:
            next_s = min(job.due_s for job in self._jobs)
            if self._is_stopping.wait(max(0.0, next_s - time.monotonic())):
                return
            for job in self._jobs:
                if job.due_s <= time.monotonic() and not self._is_stopping.is_set():
                    _do(job)
                    job.due_s = time.monotonic() + job.every_s


def _do(job: _Job) -> None:
    try:
        job.work()
    except TensorHubError as error:
        _LOG.warning("%s: %s", job.name, error)
    except Exception:  # noqa: BLE001 - nobody is above this thread; the others' jobs must go on
        _LOG.exception("%s: a bug in TensorHub; the job is tried again later", job.name)
