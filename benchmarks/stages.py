"""Where the time of add and get goes: processor seconds of all threads by stage.

Duty: run one add or get with a clock that counts only processor time of the calling thread, so that waiting
for the interpreter lock, for a disk or for another thread is nobody's stage. Not its duty: wall time, which
is measured without any of this (``throughput``).
Invariants: the stages and ``other`` (Python between the stages: dispatch, catalogue, records) add up to the
process's processor time. The store is wrapped from outside and left as it was.
"""

from __future__ import annotations

import os
import threading
import time
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from tensorhub.codecs.planner import decode_chunk
from tensorhub.store import coding, digesting, hashing, ingest, pack, reader, restore

ADD_STAGES = ("read", "digest", "sketch", "search", "code", "read_back", "write")
GET_STAGES = ("read", "decode", "checksum", "digest", "write")


class StageClock:
    """Adds up thread time by stage; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = defaultdict(float)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its thread time goes to a stage."""

        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.thread_time() - started
                with self._lock:
                    self.seconds[stage] += spent

        return call


@contextmanager
def add_clock() -> Iterator[StageClock]:
    """Let the ingest's own stage times count thread time, and time what reading bases takes inside them."""
    clock = StageClock()
    shim = types.SimpleNamespace(perf_counter=time.thread_time, time_ns=time.time_ns)
    with (
        mock.patch.object(ingest, "time", shim),
        mock.patch.object(coding, "time", shim),
        mock.patch.object(digesting, "time", shim),
        mock.patch.object(
            reader.BlobReader, "_cached_chunk", clock.timed("base", reader.BlobReader._cached_chunk)
        ),
    ):
        yield clock


@contextmanager
def get_clock() -> Iterator[StageClock]:
    """Time the steps of reading and restoring."""
    clock = StageClock()

    class TimedHasher:
        """A store's hasher whose states are timed."""

        def __init__(self, state: Any) -> None:
            self._state = state
            self.update = clock.timed("digest", state.update)
            self.digest = state.digest

    start = hashing.Hasher.start

    def timed_start(self: Any) -> Any:
        return TimedHasher(start(self))

    system = types.SimpleNamespace(**vars(os))
    system.pwrite = clock.timed("write", os.pwrite)
    with (
        mock.patch.object(restore, "os", system),
        mock.patch.object(hashing.Hasher, "start", timed_start),
        mock.patch("tensorhub.store.reader.decode_chunk", clock.timed("decode", decode_chunk)),
        mock.patch("tensorhub.store.reader.checksum", clock.timed("checksum", hashing.checksum)),
        mock.patch.object(pack.PackFile, "read", clock.timed("read", pack.PackFile.read)),
    ):
        yield clock
