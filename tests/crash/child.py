"""Processes that work on a store and die at one of their write steps. Run by the crash tests.

Reads lines ``["HUB", "ACTION", STEP]`` from standard input and forks a child for each, to save imports.
STEP counts from 1; 0 never dies; a text such as ``"before record_places"`` is the first of that name.
Answers with the child's process id, then with its exit status, its number of steps and where it died.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.crash.content import NEW, put_new  # type: ignore[import-not-found]
from tests.modes import encode_by_mode  # type: ignore[import-not-found]

from tensorhub import Store, collect_garbage, optimize, rebuild_catalog
from tensorhub.store import coding, ingest, layout, pack, pack_output, refs, transaction
from tensorhub.store.catalog import Catalog

steps = 0
report = -1


def count(name: str, limit: int | str) -> None:
    """Count a step; die there, as by a power cut of the process: no cleaning up, no flushing."""
    global steps
    steps += 1
    if limit in (steps, name):
        os.write(report, f"died at {name}".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(owner: Any, name: str, limit: int | str) -> None:
    """Die just before, or just after, a function that writes."""
    original: Callable[..., Any] = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        count(f"before {name}", limit)
        result = original(*args, **kwargs)
        count(f"after {name}", limit)
        return result

    setattr(owner, name, wrapped)


def install(limit: int | str) -> None:
    """Wrap everything that changes the disk."""
    wrap(os, "fsync", limit)
    wrap(os, "mkdir", limit)
    wrap(Path, "replace", limit)
    wrap(Path, "rename", limit)
    wrap(Path, "unlink", limit)
    wrap(pack.PackWriter, "_append", limit)
    wrap(ingest, "index_pack", limit)
    wrap(pack_output, "index_pack", limit)
    wrap(layout, "write_durably", limit)
    wrap(refs, "write_durably", limit)
    wrap(transaction, "record_places", limit)
    wrap(transaction, "complete_trees", limit)
    for name in ("drop_rows", "move_objects", "compact"):
        wrap(Catalog, name, limit)


def work(path: Path, action: str, limit: int | str) -> None:
    """Do what a child is for."""
    if action == "create":
        install(limit)
        Store.create(path).close()
        return
    if action == "rebuild":
        install(limit)
        rebuild_catalog(path)
        return
    coding.encode_smallest = encode_by_mode  # so that modes differ in size
    pack_output.TARGET_NBYTES = 50_000  # so that optimizing takes several packs
    with Store.open(path) as store:
        install(limit)
        if action == "add":
            put_new(store, "a/b", NEW)
        elif action == "gc":
            collect_garbage(store, grace_s=0)
        elif action == "optimize":
            optimize(store, mode="max", workers=2)
        elif action == "squash":
            store.squash("a/b")
        elif action == "delete":
            store.delete_repository("a/b")


def main() -> None:
    global report
    for line in sys.stdin:
        path, action, limit = json.loads(line)
        reading, report = os.pipe()
        child = os.fork()
        if not child:
            status = 1
            try:
                work(Path(path), action, limit)
                os.write(report, str(steps).encode())
                status = 0
            except BaseException:  # noqa: BLE001 - whatever it is, the test is told
                os.write(report, traceback.format_exc().encode()[-4000:])
            finally:
                os._exit(status)
        os.close(report)
        print(json.dumps(child), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), os.read(reading, 5000).decode()]), flush=True)
        os.close(reading)


main()
