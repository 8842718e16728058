"""Several writers, readers and collectors at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tensorhub import Store, collect_garbage, verify
from tensorhub.errors import IntegrityError, RevisionMovedError, StoreLockedError
from tensorhub.store.ingest import Ingest

from ...weights import assert_sound, noise, put, read_all, safetensors, tuned, weights

pytestmark = pytest.mark.wide

BASE = weights((128, 320), 1)
ROOT = Path(__file__).parents[3]

WRITER = """
import sys, time
from pathlib import Path
from tensorhub import Store
from tensorhub.errors import RevisionMovedError
from tests.weights import put, safetensors, tuned, weights
hub, name, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
for turn in range(3):
    with Store.open(hub) as store:
        try:
            near = tuned(weights((128, 320), 1), seed + turn)
            put(store, name, {"m.safetensors": safetensors({"w": near})})
        except RevisionMovedError:
            print("moved")
        else:
            print("won")
"""


def writers(store: Store, names: list[str]) -> list[list[str]]:
    """Run one process for each name, all starting together; gives what each printed."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path), name, str(10 * number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, name in enumerate(names, 1)
    ]
    time.sleep(1.0)
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate()[0].split() for process in started]
    assert [process.returncode for process in started] == [0] * len(names)
    return answers


def test_processes_to_their_own_repositories(store: Store) -> None:
    """Writers of different repositories never disturb each other."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    assert writers(store, ["p/one", "p/two", "p/three"]) == [["won"] * 3] * 3
    for number, name in enumerate(("p/one", "p/two", "p/three"), 1):
        expected = safetensors({"w": tuned(BASE, 10 * number + 2)})
        assert read_all(store, name) == {"m.safetensors": expected}
        assert len(store.commits(name)) == 3
    assert_sound(store)


def test_processes_to_the_same_ref(store: Store) -> None:
    """Every commit that was told to be made is in the history; the others were told that they lost."""
    answers = writers(store, ["p/same", "p/same"])
    won = sum(answer.count("won") for answer in answers)
    assert won + sum(answer.count("moved") for answer in answers) == 6
    assert len(store.commits("p/same")) == won >= 3
    assert_sound(store)


def test_one_of_many_wins(store: Store) -> None:
    """Of transactions that began on the same commit exactly one moves the ref."""
    put(store, "a/b", {"x": b"0"})
    barrier = threading.Barrier(4)

    def work(number: int) -> bool:
        with store.begin_commit("a/b", workers=1) as transaction:
            transaction.put_tensors("m.safetensors", {"w": tuned(BASE, number)})
            barrier.wait()
            try:
                transaction.publish()
            except RevisionMovedError as error:
                assert error.found
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        outcome = list(pool.map(work, range(4)))
    assert outcome.count(True) == 1
    winner = outcome.index(True)
    assert read_all(store, "a/b")["m.safetensors"] == safetensors({"w": tuned(BASE, winner)})
    assert len(store.commits("a/b")) == 2
    assert_sound(store)


def test_the_first_commit_is_made_once(store: Store) -> None:
    """The same holds for a ref, and a repository in two spellings, that did not exist."""
    barrier = threading.Barrier(4)

    def work(name: str) -> bool:
        with store.begin_commit(name, workers=1) as transaction:
            transaction.put_file("x", name.encode())
            barrier.wait()
            try:
                transaction.publish()
            except RevisionMovedError:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        outcome = list(pool.map(work, ["New/Name", "new/name", "New/Name", "NEW/name"]))
    assert outcome.count(True) == 1
    assert len(store.repositories()) == 1
    assert_sound(store)


def test_threads_to_their_own_repositories(store: Store) -> None:
    """Threads that share a store add the same and near content at the same time."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        for turn in range(3):
            files = {
                "m.safetensors": safetensors({"w": tuned(BASE, turn), "v": weights((200, 200), turn)}),
                "own.bin": noise(10_000, 100 * number + turn),
            }
            put(store, f"t/{number}", files)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for number in range(4):
        assert len(store.commits(f"t/{number}")) == 3
        assert read_all(store, f"t/{number}")["own.bin"] == noise(10_000, 100 * number + 2)
    assert_sound(store)


def test_an_aborted_twin_takes_nothing_away(store: Store) -> None:
    """Two transactions bring the same blob; one gives up, and the other still leans on it."""
    child = safetensors({"w": tuned(BASE, 2)})
    with store.begin_commit("a/stays", workers=1) as stays:
        with store.begin_commit("a/goes", workers=1) as goes:
            stays.put_tensors("base.safetensors", {"w": BASE})
            stays._ingest.drain()
            goes.put_tensors("base.safetensors", {"w": BASE})
            goes._ingest.drain()
        stays.put_file("m.safetensors", child)
        stays.publish()
    assert read_all(store, "a/stays")["m.safetensors"] == child
    assert [item.coding for item in store.tensors("a/stays", path="m.safetensors")] == ["delta"]
    assert_sound(store)


def run_while(work: Callable[[], object], threads: list[Callable[[], None]], seconds: float) -> None:
    """Repeat ``work`` while threads run; the first error of any is raised."""
    with ThreadPoolExecutor(len(threads)) as pool:
        running = [pool.submit(thread) for thread in threads]
        end = time.monotonic() + seconds
        while not all(future.done() for future in running) and time.monotonic() < end:
            work()
        for future in running:
            future.result()


def test_gc_beside_writers(store: Store) -> None:
    """Garbage is collected again and again while writers add, delete and add again."""

    def write(number: int) -> None:
        with Store.open(store.path) as mine:
            for turn in range(6):
                files = {
                    "m.safetensors": safetensors({"w": tuned(BASE, turn % 3)}),
                    "x.bin": noise(60_000, turn % 2),
                }
                for _ in range(20):
                    try:
                        put(mine, f"w/{number}", files)
                        break
                    except (
                        StoreLockedError
                    ) as error:  # gc took what this counted on: the same call works later
                        assert error.retryable
                else:
                    raise AssertionError("never came through")
                assert read_all(mine, f"w/{number}") == files
                if turn % 3 == 2:
                    mine.delete_repository(f"w/{number}")
            put(mine, f"w/{number}", {"end": noise(70_000, number)})

    run_while(lambda: collect_garbage(store, grace_s=0), [lambda: write(1), lambda: write(2)], 30.0)
    for number in (1, 2):
        assert read_all(store, f"w/{number}") == {"end": noise(70_000, number)}
    assert_sound(store)


def test_readers_beside_gc(store: Store) -> None:
    """Reading goes on while packs are rewritten under the readers, in this and in other open stores."""
    live = {"m.safetensors": safetensors({"w": BASE}), "c.safetensors": safetensors({"w": tuned(BASE, 3)})}
    stop = threading.Event()

    def read(which: Store) -> None:
        while not stop.is_set():
            assert read_all(which, "a/live") == live

    def churn() -> None:
        try:
            for turn in range(6):
                with store.begin_commit("a/churn", workers=1) as transaction:
                    transaction.put_file(f"{turn}", noise(300_000, turn))
                    transaction.delete_all()
                    for path, content in live.items():
                        transaction.put_file(path, content + bytes([turn]))
                    transaction.publish()
                store.squash("a/churn")
                collect_garbage(store, grace_s=0)
        finally:
            stop.set()

    with store.begin_commit("a/live", workers=1) as transaction:
        transaction.put_file("dead", noise(300_000, 99))
        transaction._ingest.drain()
        transaction.delete_all()
        for path, content in live.items():
            transaction.put_file(path, content)
        transaction.publish()
    with Store.open(store.path) as other:
        run_while(lambda: time.sleep(0.01), [churn, lambda: read(store), lambda: read(other)], 60.0)
    assert_sound(store)


def test_errors_in_workers_reach_the_caller(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails in a worker fails the call; the store stays as it was and works on."""
    monkeypatch.setattr(Ingest, "_code_chunk", lambda *_: (_ for _ in ()).throw(IntegrityError("test")))
    with pytest.raises(IntegrityError):
        put(store, "a/b", {"x": noise(10_000, 1)})
    monkeypatch.undo()
    assert store.repositories() == []
    put(store, "a/b", {"x": noise(10_000, 1)})
    assert verify(store).is_sound
