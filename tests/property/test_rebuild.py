"""A catalogue built anew answers like the one that grew."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tensorhub import Store, collect_garbage, rebuild_catalog, similar, stats, to_json, trace_lineage

from ..weights import assert_sound, noise, put, read_all, safetensors, tuned, weights


def answers(store: Store) -> dict[str, Any]:
    """Ask everything that does not depend on the size of the catalogue file."""
    totals = to_json(stats(store))
    for name in ("stored_nbytes", "catalog_nbytes", "ratio"):
        del totals[name]
    del totals["saved"]["overhead"]
    found: dict[str, Any] = {"stats": totals, "repositories": to_json(store.repositories())}
    for info in store.repositories():
        name = info.repo_id
        found[name] = {
            "files": to_json(store.files(name)),
            "tensors": to_json(store.tensors(name)),
            "commits": to_json(store.commits(name)),
            "lineage": to_json(trace_lineage(store, name)),
            "facts": [store.catalog.facts(file.digest) for file in store.files(name)],
            "similar": {
                item.name: sorted(
                    to_json(similar(store, name, item.name)),
                    key=lambda one: (-one["predicted_ratio"], one["digest"]),
                )
                for item in store.tensors(name)
                if item.nbytes >= 1 << 16
            },
        }
    return found


def check(store: Store) -> Store:
    """Compare the answers before and after, and give the store that is open now."""
    before = answers(store)
    store.close()
    assert rebuild_catalog(store.path) == ()
    again = Store.open(store.path)
    assert answers(again) == before
    return again


def fill(store: Store) -> None:
    base = {"w": weights((128, 320), 1), "v": weights((100, 400), 2), "s": weights((40, 40), 3)}
    put(store, "a/base", {"m.safetensors": safetensors(base), "README.md": b"# base"})
    put(store, "b/copy", {"m.safetensors": safetensors(base, {"format": "pt"}), "x": noise(100_000, 5)})
    child = {"w": tuned(base["w"], 4), "v": base["v"], "s": tuned(base["s"], 5)}
    put(store, "a/child", {"m.safetensors": safetensors(child)})
    put(
        store,
        "a/child",
        {"m.safetensors": safetensors(child | {"w": tuned(base["w"], 6)}), "y": noise(90_000, 6)},
    )
    grown = weights((160, 320), 7)
    grown[:128] = base["w"]
    put(store, "c/grown", {"m.safetensors": safetensors({"w": grown})})


def test_after_adds(store: Store) -> None:
    """Several repositories that share and lean on each other."""
    fill(store)
    with check(store) as again:
        assert_sound(again)


def test_after_gc_and_deletes(store: Store) -> None:
    """Rewritten packs lie later than what names their content; deleted repositories leave no trace."""
    fill(store)
    put(store, "b/copy", {"m.safetensors": safetensors({"w": weights((128, 320), 1)}, {"format": "pt"})})
    store.squash("b/copy")
    store.delete_repository("a/base")
    collect_garbage(store, grace_s=0)
    with check(store) as again:
        assert_sound(again)


@pytest.mark.parametrize("seed", range(6))
def test_after_anything(store: Store, seed: int) -> None:
    """Whatever was done, in whatever order."""
    chance = random.Random(seed)
    base = weights((128, 320), 50)
    names = ["a/one", "b/two", "c/three"]
    for step in range(10):
        name = chance.choice(names)
        known = {info.repo_id for info in store.repositories() if info.refs}
        action = chance.choice(["add", "add", "add", "delete", "squash", "gc"])
        if action == "add":
            files = {"m.safetensors": safetensors({"w": tuned(base, chance.randrange(3))})}
            files |= {str(n): noise(30_000, chance.randrange(5)) for n in range(chance.randrange(4))}
            put(store, name, files)
        elif action == "gc":
            collect_garbage(store, grace_s=0)
        elif name in known and action == "squash":
            store.squash(name)
        elif name in known:
            store.delete_repository(name)
        assert step < 10
    collect_garbage(store, grace_s=0)
    contents = {info.repo_id: read_all(store, info.repo_id) for info in store.repositories()}
    with check(store) as again:
        assert {name: read_all(again, name) for name in contents} == contents
        assert_sound(again)


def test_lost_catalogue(store: Store, tmp_path: Path) -> None:
    """Without a catalogue the store opens, and answers as before."""
    fill(store)
    before = answers(store)
    store.close()
    for path in store.path.glob("catalog.sqlite*"):
        path.unlink()
    with Store.open(store.path) as again:
        assert answers(again) == before


def test_killed_while_opening_without_a_catalogue(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that was half built when its process died is completed by the next one."""
    from tensorhub.store import store as store_module
    from tensorhub.store import sync

    fill(store)
    before = answers(store)
    for module, name in ((sync, "index_pack"), (sync, "complete_trees"), (store_module, "fill_places")):
        store.close()
        for path in store.path.glob("catalog.sqlite*"):
            path.unlink()

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            with pytest.raises(KeyboardInterrupt):
                Store.open(store.path)
        with Store.open(store.path) as again:
            assert answers(again) == before, name


def test_first_home_of_shared_tensors(store: Store) -> None:
    """Which repository counts as a shared base's home does not depend on where its tree lies."""
    base, child = weights((128, 320), 1), tuned(weights((128, 320), 1), 2)
    with store.begin_commit("z/first") as transaction:
        transaction.put_file("x", noise(300_000, 1))
        transaction.put_file("x", b"changed my mind")
        transaction.put_tensors("m.safetensors", {"w": base})
        transaction.publish()
    put(store, "b/second", {"m.safetensors": safetensors({"w": base}), "y": noise(1000, 2)})
    put(store, "c/child", {"m.safetensors": safetensors({"w": child})})
    collect_garbage(store, grace_s=0)
    check(store).close()


def test_small_bases(store: Store) -> None:
    """Small tensors find their bases after a rebuild as before."""
    small = weights((60, 40), 1)
    put(store, "a/base", {"m.safetensors": safetensors({"s": small})})
    with check(store) as again:
        put(again, "a/child", {"m.safetensors": safetensors({"s": tuned(small, 2)})})
        assert again.tensors("a/child")[0].coding == "delta"
