"""Killed between any two write steps, a store opens clean and holds all of the old or all of the new."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tensorhub import Store, collect_garbage, optimize, rebuild_catalog, stats
from tensorhub.errors import StoreNotFoundError

from ..weights import assert_sound, put, read_all
from .content import NEW, OLD, put_new

pytestmark = pytest.mark.wide

ROOT = Path(__file__).parents[2]


class Children:
    """Starts processes that die."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
        self._parent = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.child"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, hub: Path, action: str, step: int | str) -> int:
        """Start one; gives its process id."""
        assert self._parent.stdin
        print(json.dumps([str(hub), action, step]), file=self._parent.stdin, flush=True)
        return int(self._answer())

    def _answer(self) -> Any:
        assert self._parent.stdout
        return json.loads(self._parent.stdout.readline())

    def wait(self) -> tuple[int, str]:
        """Wait for the end of the one that was started; gives steps done (0 if it died) and where."""
        code, text = self._answer()
        assert code in (0, -signal.SIGKILL), text
        return (0, text) if code else (int(text), text)

    def run(self, hub: Path, action: str, step: int | str) -> tuple[int, str]:
        """Start one and wait."""
        self.ask(hub, action, step)
        return self.wait()

    def close(self) -> None:
        assert self._parent.stdin
        assert self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """Start the parent of the processes that die."""
    made = Children()
    yield made
    made.close()


def only_known_files(hub: Path) -> None:
    """Check that nothing temporary is left."""
    assert list((hub / "packs" / "tmp").iterdir()) == []
    assert list((hub / "leases").glob("*.lease")) == []
    assert [path for path in (hub / "refs").rglob("*") if path.name.startswith(".")] == []


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """Make a store of two repositories that share content."""
    path = tmp_path / "hub"
    with Store.create(path) as store:
        put(store, "other/one", {"m.safetensors": OLD["m.safetensors"]})
        put(store, "a/b", OLD)
    return path


def pick(total: int, count: int, seed: int) -> list[int]:
    """Choose steps to die at: the last ones always, where refs and catalogue change, others by chance."""
    tail = list(range(max(1, total - 5), total + 1))
    rest = [step for step in range(1, total + 1) if step not in tail]
    chosen = random.Random(seed).sample(rest, min(max(0, count - len(tail)), len(rest)))
    return sorted({*tail, *chosen})


def check_add(hub: Path, where: str) -> None:
    """Check a store whose add of ``NEW`` over ``OLD`` was killed, then do it again."""
    with Store.open(hub) as store:
        found = read_all(store, "a/b")
        assert found in (OLD, NEW), where
        commits = store.commits("a/b")
        assert len(commits) == (1 if found == OLD else 2), where
        assert read_all(store, "a/b", commits[-1].commit_id) == OLD, where
        assert read_all(store, "other/one") == {"m.safetensors": OLD["m.safetensors"]}
        assert_sound(store)
        put_new(store, "a/b", NEW)
        assert read_all(store, "a/b") == NEW, where
        assert len(store.commits("a/b")) == 2
        assert_sound(store)
        only_known_files(hub)
        collect_garbage(store, grace_s=0)
        assert read_all(store, "a/b") == NEW
        assert_sound(store)
    assert rebuild_catalog(hub) == ()
    with Store.open(hub) as store:
        assert read_all(store, "a/b") == NEW, where
        assert_sound(store)


def sweep_add(children: Children, hub: Path, count: int) -> None:
    copy = hub.with_name("copy")
    shutil.copytree(hub, copy)
    total, _ = children.run(copy, "add", 0)
    for step in pick(total, count, 1):
        shutil.rmtree(copy)
        shutil.copytree(hub, copy)
        _, where = children.run(copy, "add", step)
        check_add(copy, f"step {step} of {total}: {where}")


def test_add_killed(children: Children, hub: Path) -> None:
    """Adding dies at some of its write steps."""
    sweep_add(children, hub, 12)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_add_killed_anywhere(children: Children, hub: Path) -> None:
    """Adding dies at each of its write steps."""
    sweep_add(children, hub, 10_000)


def sweep_gc(children: Children, hub: Path, count: int) -> None:
    with Store.open(hub) as store:
        put(store, "a/b", {"m.safetensors": NEW["m.safetensors"]})
        put(store, "c/dead", {"x": NEW["long.bin"]})
        store.delete_repository("c/dead")
        store.squash("a/b")
        put(store, "other/one", {"x": b"x"})
        store.squash("other/one")
    copy = hub.with_name("copy")
    shutil.copytree(hub, copy)
    total, _ = children.run(copy, "gc", 0)
    with Store.open(copy) as store:
        freed_to = sum(path.stat().st_size for path in store.layout.list_packs().values())
    for step in pick(total, count, 2):
        shutil.rmtree(copy)
        shutil.copytree(hub, copy)
        _, where = children.run(copy, "gc", step)
        with Store.open(copy) as store:
            for round_ in range(2):
                assert read_all(store, "a/b") == {"m.safetensors": NEW["m.safetensors"]}, where
                assert read_all(store, "other/one") == {"x": b"x"}, where
                assert_sound(store)
                if not round_:
                    collect_garbage(store, grace_s=0)
                    only_known_files(copy)
            packs = sum(path.stat().st_size for path in store.layout.list_packs().values())
            assert packs <= freed_to + 2000, where
        assert rebuild_catalog(copy) == ()
        with Store.open(copy) as store:
            assert read_all(store, "a/b") == {"m.safetensors": NEW["m.safetensors"]}, where
            assert_sound(store)


def test_gc_killed(children: Children, hub: Path) -> None:
    """Garbage collection dies at some of its write steps; the next one finishes it."""
    sweep_gc(children, hub, 10)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_gc_killed_anywhere(children: Children, hub: Path) -> None:
    """Garbage collection dies at each of its write steps."""
    sweep_gc(children, hub, 10_000)


def sweep_optimize(children: Children, hub: Path, count: int) -> None:
    with Store.open(hub) as store:
        for name, files in (("a/raw", OLD), ("b/raw", NEW)):
            with store.begin_commit(name, mode="fast", workers=2) as transaction:
                for path, content in files.items():
                    transaction.put_file(path, content)
                transaction.publish()
        expected = {info.repo_id: read_all(store, info.repo_id) for info in store.repositories()}
    copy = hub.with_name("copy")
    shutil.copytree(hub, copy)
    total, _ = children.run(copy, "optimize", 0)
    with Store.open(copy) as store:
        assert len(store.layout.list_packs()) > 5
        done = stats(store)
    for step in pick(total, count, 6):
        shutil.rmtree(copy)
        shutil.copytree(hub, copy)
        _, where = children.run(copy, "optimize", step)
        with Store.open(copy) as store:
            for round_ in range(2):
                for name, files in expected.items():
                    assert read_all(store, name) == files, where
                assert_sound(store)
                if not round_:
                    optimize(store, mode="max", workers=2)
                    only_known_files(copy)
                    collect_garbage(store)
                    only_known_files(copy)
            assert optimize(store, mode="max").blobs_rewritten == 0, where
            assert stats(store).packs_nbytes < done.packs_nbytes, where
        assert rebuild_catalog(copy) == ()
        with Store.open(copy) as store:
            for name, files in expected.items():
                assert read_all(store, name) == files, where
            assert_sound(store)


@pytest.mark.usefixtures("modes")
def test_optimize_killed(children: Children, hub: Path) -> None:
    """Optimizing dies at some of its write steps; the next run goes on, and gc takes what is left over."""
    sweep_optimize(children, hub, 10)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("modes")
def test_optimize_killed_anywhere(children: Children, hub: Path) -> None:
    """Optimizing dies at each of its write steps."""
    sweep_optimize(children, hub, 10_000)


@pytest.mark.parametrize(
    ("action", "count"),
    [
        ("squash", 4),
        ("delete", 3),
        pytest.param("squash", 1000, marks=pytest.mark.slow),
        pytest.param("delete", 1000, marks=pytest.mark.slow),
    ],
)
def test_removal_killed(children: Children, hub: Path, action: str, count: int) -> None:
    """Squash and deletion happen, or do not; the content of others never suffers."""
    with Store.open(hub) as store:
        put(store, "a/b", NEW)
    copy = hub.with_name("copy")
    shutil.copytree(hub, copy)
    total, _ = children.run(copy, action, 0)
    for step in pick(total, count, 3):
        shutil.rmtree(copy)
        shutil.copytree(hub, copy)
        _, where = children.run(copy, action, step)
        with Store.open(copy) as store:
            names = [info.repo_id for info in store.repositories()]
            if "a/b" in names:
                assert read_all(store, "a/b") == NEW, where
                if action == "squash":
                    store.squash("a/b")
                    assert len(store.commits("a/b")) == 1
                else:
                    store.delete_repository("a/b")
            else:
                assert action == "delete"
            collect_garbage(store, grace_s=0)
            assert read_all(store, "other/one") == {"m.safetensors": OLD["m.safetensors"]}, where
            assert_sound(store)


def test_creation_killed(children: Children, tmp_path: Path) -> None:
    """A store is there, or it is not and can be made."""
    total, _ = children.run(tmp_path / "0", "create", 0)
    for step in pick(total, 6, 4):
        path = tmp_path / str(step)
        children.run(path, "create", step)
        try:
            Store.open(path).close()
        except StoreNotFoundError:
            Store.create(path).close()
        with Store.open(path) as store:
            put(store, "a/b", {"x": b"x"})
            assert_sound(store)


def test_rebuild_killed(children: Children, hub: Path) -> None:
    """A rebuild that died is finished by opening the store."""
    total, _ = children.run(hub, "rebuild", 0)
    for step in pick(total, 5, 5):
        children.run(hub, "rebuild", step)
        with Store.open(hub) as store:
            assert read_all(store, "a/b") == OLD
            digest = store.tensors("a/b")[0].digest
            assert len(store.places.repositories([digest])[digest]) == 2
            assert_sound(store)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 20))])
def test_killed_at_any_time(children: Children, hub: Path, seed: int) -> None:
    """A kill by the system at a random moment, wherever the process is."""
    child = children.ask(hub, "add", 0)
    delay_s = random.Random(seed).uniform(0, 0.15)
    time.sleep(delay_s)
    with suppress(ProcessLookupError):  # it may be done
        os.kill(child, signal.SIGKILL)
    children.wait()
    check_add(hub, f"after {delay_s:.3f} s")


def test_interrupted_by_the_user(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A KeyboardInterrupt in the middle leaves neither a lease nor half a pack nor a moved ref."""
    from tensorhub.store.ingest import Ingest

    collect, calls = Ingest._collect, 0

    def interrupt(self: Ingest) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        collect(self)

    with Store.open(hub) as store:
        with monkeypatch.context() as patch:
            patch.setattr(Ingest, "_collect", interrupt)
            with pytest.raises(KeyboardInterrupt):
                put_new(store, "a/b", NEW)
        only_known_files(hub)
        assert read_all(store, "a/b") == OLD
        put_new(store, "a/b", NEW)
        assert read_all(store, "a/b") == NEW
        assert_sound(store)


def test_what_was_sealed_is_used_again(children: Children, hub: Path) -> None:
    """Adding again after a kill codes only what was not sealed yet."""
    _, where = children.run(hub, "add", "before record_places")
    with Store.open(hub) as store:
        assert read_all(store, "a/b") == OLD, where
        result = put(store, "a/b", NEW)
        assert result.new_nbytes == 0, where
        assert_sound(store)
