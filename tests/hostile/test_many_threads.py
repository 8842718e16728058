"""Threads come and go: the catalogue keeps no connection for those that ended."""

import gc
import threading
from pathlib import Path

import tensorhub as th

from .conftest import Family


def test_connections_of_ended_threads_are_given_back(family: Family):
    """One long-lived store, some hundred short threads, and no more open files than before."""
    with th.Store.open(family.path) as store:

        def read() -> None:
            assert store.read("b/small", "config.json") == b'{"hidden": 64}'
            store.reader.forget()

        def run(count: int) -> int:
            for _ in range(count):
                thread = threading.Thread(target=read)
                thread.start()
                thread.join()
            gc.collect()
            opened = Path("/proc/self/fd")
            return len(list(opened.iterdir())) if opened.is_dir() else 0

        before = run(5)
        assert run(100) <= before + 5
