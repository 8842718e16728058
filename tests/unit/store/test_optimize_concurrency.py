"""Optimizing beside readers, writers, removals, gc and verify."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tensorhub import Store, collect_garbage, optimize, verify
from tensorhub.errors import StoreLockedError
from tensorhub.store import pack_output

from ...weights import assert_sound, noise, put, read_all, safetensors, tuned, weights
from .test_concurrency import run_while

pytestmark = pytest.mark.usefixtures("modes")
BASE = weights((300, 700), 1)
LIVE = {
    "m.safetensors": safetensors({"w": BASE, "v": weights((200, 300), 2)}),
    "c.safetensors": safetensors({"w": tuned(BASE, 3)}),
    "text": noise(50, 4) * 3000,
}


def write(path: Path, number: int) -> None:
    """Add, remove and add again, near what is live; gc may ask to do an add once more."""
    with Store.open(path) as mine:
        for turn in range(6):
            files = {"m.safetensors": safetensors({"w": tuned(BASE, 10 * number + turn % 3)})}
            for _ in range(20):
                try:
                    put(mine, f"w/{number}", files)
                    break
                except StoreLockedError as error:
                    assert error.retryable
            else:
                raise AssertionError("never came through")
            assert read_all(mine, f"w/{number}") == files
            if turn % 3 == 2:
                mine.delete_repository(f"w/{number}")
        put(mine, f"w/{number}", {"end": noise(70_000, number)})


def test_beside_everything(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else goes on, every byte that is live can be read, and nothing is taken for damaged."""
    monkeypatch.setattr(pack_output, "TARGET_NBYTES", 200_000)
    put(store, "a/live", LIVE)
    stop = threading.Event()

    def code() -> None:
        with Store.open(store.path) as mine:
            try:
                for turn in range(8):
                    report = optimize(mine, mode=("max", "fast")[turn % 2], is_forced=True, workers=2)
                    assert report.damaged == ()
            finally:
                stop.set()

    def read(which: Store) -> None:
        while not stop.is_set():
            assert read_all(which, "a/live") == LIVE

    def check() -> None:
        with Store.open(store.path) as mine:
            while not stop.is_set():
                damages = verify(mine, workers=1).damages
                assert not [damage for damage in damages if damage.affected], damages

    with Store.open(store.path) as other:
        threads = [code, check, lambda: read(store), lambda: read(other)]
        threads += [lambda: write(store.path, 1), lambda: write(store.path, 2)]
        run_while(lambda: collect_garbage(store, grace_s=0), threads, 60.0)
    assert read_all(store, "a/live") == LIVE
    for number in (1, 2):
        assert read_all(store, f"w/{number}") == {"end": noise(70_000, number)}
    collect_garbage(store, grace_s=0)
    assert_sound(store)


def test_two_at_once(store: Store) -> None:
    """Two runs in different modes write what each thinks best; one record of each blob counts, and all is well."""
    put(store, "a/live", LIVE)
    barrier = threading.Barrier(2)

    def code(mode: str) -> None:
        with Store.open(store.path) as mine:
            barrier.wait()
            optimize(mine, mode=mode, is_forced=True, workers=2)

    threads = [threading.Thread(target=code, args=(mode,)) for mode in ("max", "fast")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_all(store, "a/live") == LIVE
    assert_sound(store)
    report = optimize(store, mode="max")
    assert optimize(store, mode="max").stored_nbytes_before == report.stored_nbytes_after
    collect_garbage(store)
    assert read_all(store, "a/live") == LIVE
    assert_sound(store)
