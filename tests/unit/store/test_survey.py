"""The survey says what the slow walks say, of all repositories at once."""

import time

from tensorhub import Store, collect_garbage, parse_repository, stats
from tensorhub.store.survey import Split, Survey, Surveyor, survey

from ...weights import noise, put, safetensors, tuned, weights

BASE = weights((128, 320), 1)
OTHER = weights((100, 320), 2)
MODEL = safetensors({"w": BASE, "v": OTHER})


def check(store: Store) -> Survey:
    """Compare a survey with stats, and its parts with each other."""
    found, expected = survey(store), stats(store)
    for name in (
        "repositories",
        "files",
        "tensors",
        "blobs",
        "nbytes",
        "stored_nbytes",
        "packs_nbytes",
        "saved",
        "ratio",
    ):
        assert getattr(found.summary, name) == getattr(expected, name), name
    assert sum(found.splits.values(), Split()) == found.split
    assert found.split.nbytes == expected.nbytes
    if found.growth:
        assert (found.growth[-1].nbytes, found.growth[-1].stored_nbytes) == (
            expected.nbytes,
            expected.packs_nbytes,
        )
    return found


def put_later(store: Store, name: str, files: dict[str, bytes]) -> None:
    time.sleep(0.002)
    put(store, name, files)


def test_empty(store: Store) -> None:
    """A store without content, and one with an empty repository, have empty surveys."""
    assert check(store).splits == {}
    store.create_repository("a/b")
    assert check(store).summary.repositories == 1


def test_a_family(store: Store) -> None:
    """Each way of being small is told for each repository, with those it has it from."""
    put(store, "z/base", {"m.safetensors": MODEL, "README": noise(3000, 1)})
    put_later(store, "copy/exact", {"m.safetensors": MODEL})
    put_later(
        store,
        "a/child",
        {"m.safetensors": safetensors({"w": tuned(BASE, 3), "v": OTHER}), "own": noise(700, 2)},
    )
    put_later(store, "datasets/copy/child", {"m.safetensors": safetensors({"w": tuned(BASE, 3), "u": OTHER})})
    found = check(store)
    names = ("z/base", "copy/exact", "a/child")
    base, exact, child = (found.splits[parse_repository(name)] for name in names)
    copy = found.splits[parse_repository("copy/child", "dataset")]
    assert (base.identical_files_nbytes, base.identical_tensors_nbytes, base.delta_nbytes) == (0, 0, 0)
    assert base.standalone_nbytes == len(MODEL) + 3000
    assert exact == Split(identical_files_nbytes=len(MODEL))
    assert child.delta_nbytes == BASE.nbytes
    assert 0 < child.delta_stored_nbytes < BASE.nbytes // 2
    assert child.identical_tensors_nbytes >= OTHER.nbytes
    assert child.stored_nbytes == child.delta_stored_nbytes + child.standalone_stored_nbytes
    assert copy.identical_tensors_nbytes == BASE.nbytes + OTHER.nbytes
    edges = {(str(edge.child), str(edge.parent)): edge for edge in found.edges}
    assert set(edges) == {
        ("copy/exact", "z/base"), ("a/child", "z/base"), ("datasets/copy/child", "a/child"),
        ("datasets/copy/child", "z/base"),
    }  # fmt: skip
    assert edges["a/child", "z/base"].delta_nbytes == BASE.nbytes
    assert edges["a/child", "z/base"].delta_stored_nbytes == child.delta_stored_nbytes
    assert edges["a/child", "z/base"].identical_nbytes == OTHER.nbytes
    assert edges["copy/exact", "z/base"].nbytes == len(MODEL)
    assert edges["datasets/copy/child", "a/child"].identical_nbytes == BASE.nbytes
    assert [edge.nbytes for edge in found.edges] == sorted(
        (edge.nbytes for edge in found.edges), reverse=True
    )


def test_some_repositories(store: Store) -> None:
    """What a reader may see is told as if there were nothing else, but that a base lies elsewhere."""
    put(store, "hidden/base", {"m.safetensors": MODEL, "x": noise(3000, 1)})
    put_later(store, "a/child", {"m.safetensors": safetensors({"w": tuned(BASE, 3), "v": OTHER})})
    put_later(store, "b/copy", {"m.safetensors": MODEL, "x": noise(3000, 1)})
    seen = [parse_repository("a/child"), parse_repository("b/copy"), parse_repository("c/none")]
    found = survey(store, seen)
    child, copy = (found.splits[name] for name in seen[:2])
    assert set(found.splits) == set(seen[:2])
    assert copy.identical_files_nbytes == 0
    assert copy.standalone_nbytes >= BASE.nbytes + 3000
    assert child.identical_tensors_nbytes == 0
    edges = {(str(edge.child), str(edge.parent)): edge for edge in found.edges}
    assert set(edges) == {("b/copy", "a/child"), ("a/child", "b/copy")}
    alone = survey(store, seen[:1])
    (edge,) = alone.edges
    assert (edge.child, edge.parent, edge.delta_nbytes) == (seen[0], None, BASE.nbytes)
    assert alone.summary.stored_nbytes == alone.split.stored_nbytes == alone.growth[-1].stored_nbytes
    saved = found.summary.saved
    assert saved.overhead == 0
    together = saved.identical_files + saved.identical_tensors + saved.delta + saved.standalone
    assert together == found.summary.nbytes - found.summary.stored_nbytes
    assert survey(store, []).summary.nbytes == 0
    everything = survey(store, store.ref_store.repositories())
    assert (everything.splits, everything.edges) == (survey(store).splits, survey(store).edges)


def test_what_only_serves_as_a_base(store: Store) -> None:
    """What a delta needs and no repository holds counts against it, as in stats; dead content is overhead."""
    put(store, "a/base", {"m.safetensors": safetensors({"w": BASE})})
    put_later(store, "b/child", {"m.safetensors": safetensors({"w": tuned(BASE, 3)})})
    put_later(store, "c/other", {"x": noise(9000, 4)})
    store.delete_repository("a/base")
    store.delete_repository("c/other")
    (edge,) = check(store).edges
    assert (str(edge.child), edge.parent, edge.delta_nbytes) == ("b/child", None, BASE.nbytes)
    collect_garbage(store, grace_s=0)
    check(store)


def test_histories(store: Store) -> None:
    """Every live commit counts, each distinct file once; a date far off orders as the last."""
    for seed in range(3):
        put(store, "a/b", {"x": noise(5000, seed), "twice": noise(5000, seed), "same": b"same"})
    store.create_ref("a/b", "refs/tags/v1")
    assert check(store).summary.files == 4
    store.squash("a/b", "main")
    store.delete_ref("a/b", "refs/tags/v1")
    assert check(store).summary.files == 2


def test_surveyor(store: Store) -> None:
    """A survey is made anew only after something changed, by whoever; nothing of its making stays."""
    surveyor = Surveyor(store)
    assert surveyor.latest is None
    first = surveyor.refresh()
    assert surveyor.refresh() is surveyor.latest is first
    with Store.open(store.path) as other:
        put(other, "a/b", {"x": noise(5000, 1)})
    second = surveyor.refresh()
    assert second.summary.nbytes == 5000
    assert surveyor.refresh() is second
    store.create_repository("c/empty")
    assert surveyor.refresh().summary.repositories == 2
    store.catalog.close()
    assert surveyor.refresh().summary == surveyor.refresh().summary
    with store.catalog.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_temp_master").scalar() == 0
