"""Optimizing: smaller, and everything else as before; what is known is not found out again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tensorhub import OptimizeReport, Store, collect_garbage, optimize, rebuild_catalog, stats, to_json
from tensorhub.codecs.mode import Mode
from tensorhub.errors import RepositoryNotFoundError, UsageError
from tensorhub.schema.coding_fact import CodingFact
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.store import coding, recode
from tensorhub.store import optimize as optimize_module
from tensorhub.store.leases import Lease
from tensorhub.store.pack_output import PackOutput

from ...weights import assert_sound, max_depth, noise, read_all, safetensors, tuned, weights

pytestmark = pytest.mark.usefixtures("modes")
BASE = weights((700, 1024), 1)
FILES = {
    "a/base": {"m.safetensors": safetensors({"w": BASE, "small": weights((30, 40), 2)}), "t": b"text" * 999},
    "b/child": {"m.safetensors": safetensors({"w": tuned(BASE, 3)}), "noise": noise(100_000, 4)},
}


def fill(store: Store, mode: str) -> Store:
    """Put the files of both repositories in a mode."""
    for name, files in FILES.items():
        with store.begin_commit(name, mode=mode, workers=2) as transaction:
            for path, content in files.items():
                transaction.put_file(path, content)
            transaction.publish()
    return store


def assert_unchanged(store: Store, commits: dict[str, str]) -> None:
    """Check content and commits, as they are and from a catalogue made anew."""
    for name, files in FILES.items():
        assert read_all(store, name) == files
        assert store.resolve(name) == commits[name]
    assert max_depth(store) <= 1
    assert_sound(store)
    copy = store.path.with_name("copy")
    shutil.copytree(store.path, copy)
    assert rebuild_catalog(copy) == ()
    with Store.open(copy) as again:
        for name, files in FILES.items():
            assert read_all(again, name) == files
        assert_sound(again)
    shutil.rmtree(copy)


def assert_coded(store: Store, *names: str) -> None:
    """Check that no tensor is raw any more."""
    for item in (item for name in names or FILES for item in store.tensors(name)):
        assert item.stored_nbytes < item.nbytes


def commits_of(store: Store) -> dict[str, str]:
    return {name: store.resolve(name) for name in FILES}


def counts(report: OptimizeReport) -> tuple[int, int, int]:
    return report.blobs_rewritten, report.blobs_settled, report.blobs_kept


def test_smaller_and_given_back(store: Store) -> None:
    """Coded bytes become fewer, gc gives the old ones back at once, and nothing else changes."""
    fill(store, "fast")
    before, commits = stats(store), commits_of(store)
    told = optimize(store, mode="max", is_dry_run=True)
    report = optimize(store, mode="max")
    assert to_json(told) == to_json(replace(report, is_dry_run=True))
    assert report.stored_nbytes_after < 0.75 * report.stored_nbytes_before
    assert (report.mode, report.damaged) == ("max", ())
    assert report.nbytes == sum(len(content) for files in FILES.values() for content in files.values())
    assert_unchanged(store, commits)
    freed = collect_garbage(store).freed_nbytes
    assert freed > 0.95 * report.stored_nbytes_before
    assert stats(store).packs_nbytes < 0.75 * before.packs_nbytes
    assert_unchanged(store, commits)
    assert collect_garbage(store).freed_nbytes == 0


def test_dry_run_writes_nothing(store: Store) -> None:
    """Neither packs nor leases nor facts."""
    fill(store, "fast")
    before = sorted(path for path in store.path.rglob("*") if "catalog" not in path.name)
    assert optimize(store, mode="max", is_dry_run=True).blobs_rewritten > 0
    assert sorted(path for path in store.path.rglob("*") if "catalog" not in path.name) == before
    assert store.catalog.packs().keys() == store.layout.list_packs().keys()


def test_the_mode_is_the_stores_by_default(tmp_path: Path) -> None:
    """A store that was made for max is brought there; another name is refused."""
    with Store.create(tmp_path / "hub", mode="max") as store:
        fill(store, "fast")
        assert optimize(store).mode == "max"
        assert optimize(store, mode=Mode.BALANCED).mode == "balanced"
        with pytest.raises(UsageError):
            optimize(store, mode="slow")


def test_never_larger_unless_forced(store: Store) -> None:
    """A mode that would make blobs larger leaves them, and says how many; forced it takes them, and stays so."""
    fill(store, "max")
    packs, commits = store.layout.list_packs(), commits_of(store)
    report = optimize(store, mode="fast")
    assert report.stored_nbytes_after == report.stored_nbytes_before
    assert report.blobs_rewritten == 0 < report.blobs_kept
    assert len(store.layout.list_packs()) == len(packs) + 1  # what was found out
    forced = optimize(store, mode="fast", is_forced=True)
    assert forced.stored_nbytes_after == forced.nbytes > forced.stored_nbytes_before
    assert {item.coding for name in FILES for item in store.tensors(name)} == {"standalone"}
    again = optimize(store, mode="fast", is_forced=True)
    assert (again.blobs_rewritten, again.stored_nbytes_before) == (0, forced.nbytes)
    assert_unchanged(store, commits)
    collect_garbage(store)
    assert_unchanged(store, commits)


def test_what_is_known_is_not_found_out_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run codes only the smallest blobs; gc, a new catalogue, or another mode's run change nothing."""
    fill(store, "fast")
    large = sum(1 for row in blob_sizes(store) if row >= optimize_module.MIN_REMEMBERED_NBYTES)
    assert 3 <= large < len(blob_sizes(store))
    assert optimize(store, mode="balanced").blobs_settled == 0
    assert counts(optimize(store, mode="balanced")) == (0, large, 0)
    assert optimize(store, mode="max").blobs_settled == 0
    packs = store.layout.list_packs()
    for mode in ("max", "balanced", "fast"):  # what max could not make smaller, no mode can
        assert optimize(store, mode=mode).blobs_settled == large
    assert store.layout.list_packs() == packs
    collect_garbage(store)
    assert optimize(store, mode="max").blobs_settled == large
    store.close()
    rebuild_catalog(store.path)
    with Store.open(store.path) as again:
        assert optimize(again, mode="max").blobs_settled == large
        assert optimize(again, mode="max", is_forced=True).blobs_settled == large
        assert optimize(again, mode="balanced", is_forced=True).blobs_settled == 1  # noise: raw in every mode
        monkeypatch.setattr(optimize_module, "planner_signature", lambda: 7)
        assert optimize(again, mode="max").blobs_settled == 0  # another planner may do better


def blob_sizes(store: Store) -> list[int]:
    with store.catalog.read() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT nbytes FROM blob")]


@pytest.mark.parametrize("value", [b"", b"\xff" * 40, CodingFact(1, 2, 7, 7).to_bytes()])
def test_facts_that_say_nothing(store: Store, value: bytes) -> None:
    """A fact that cannot be read, or is about another coding or planner, does not keep a blob from being tried."""
    fill(store, "fast")
    with Lease(store.layout) as lease:
        output = PackOutput(store, lease)
        for digest in {item.digest for name in FILES for item in store.tensors(name)}:
            output.writer().table.facts.append(Fact(FactKind.CODING, digest, value))
        output.seal()
    assert optimize(store, mode="max").blobs_settled == 0
    assert_coded(store)


def test_an_add_in_another_mode_is_seen(store: Store) -> None:
    """Blobs that came since the last run are tried, the others are settled."""
    fill(store, "max")
    optimize(store, mode="max")
    new = safetensors({"w": weights((400, 500), 77)})
    with store.begin_commit("c/new", mode="fast") as transaction:
        transaction.put_file("m.safetensors", new)
        transaction.publish()
    settled = optimize(store, mode="max", is_dry_run=True).blobs_settled
    assert optimize(store, mode="max").blobs_settled == settled > 0
    assert_coded(store, "c/new")
    assert read_all(store, "c/new") == {"m.safetensors": new}


def test_some_repositories(store: Store) -> None:
    """Only what they reach, and the bases of that, is coded anew."""
    fill(store, "fast")
    with store.begin_commit("c/other", mode="fast") as transaction:
        transaction.put_tensors("m.safetensors", {"w": weights((300, 500), 9)})
        transaction.publish()
    (other,) = store.tensors("c/other")
    assert optimize(store, ["c/other"], mode="max").blobs == 2
    (after,) = store.tensors("c/other")
    assert after.stored_nbytes < other.stored_nbytes
    assert all(item.stored_nbytes == item.nbytes for name in FILES for item in store.tensors(name))
    with pytest.raises(RepositoryNotFoundError):
        optimize(store, ["c/nothing"])
    assert optimize(store, ["a/base", "b/child"], mode="max").blobs_rewritten > 0


def test_bases_of_what_was_asked_for(store: Store) -> None:
    """A base counts, though only another repository, or none any more, has it as a file."""
    fill(store, "max")
    assert optimize(store, ["b/child"], mode="max").blobs == 4  # header, tensor and noise; and the base
    store.delete_repository("a/base")
    assert optimize(store, mode="max").blobs == 4


def test_dead_blobs_are_left(store: Store) -> None:
    """What no ref reaches is not worth the work."""
    fill(store, "fast")
    for name in FILES:
        store.delete_repository(name)
    assert optimize(store, mode="max").blobs == 0


def test_damage_is_told(store: Store) -> None:
    """A damaged blob is named and left; the rest is done, and told to the listener."""
    fill(store, "fast")
    (item,) = store.tensors("b/child")
    where = store.catalog.blob_record(item.digest).chunks[0].stored
    assert where.pack is not None
    path = store.layout.pack(where.pack)
    data = bytearray(path.read_bytes())
    data[where.offset] ^= 1
    path.write_bytes(data)
    report = optimize(store, mode="max")
    assert report.damaged == (str(item.digest),)
    assert_coded(store, "a/base")
    assert read_all(store, "a/base") == FILES["a/base"]


def test_killed_runs_go_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sealed before an interruption counts, and is not done again."""
    fill(store, "fast")
    monkeypatch.setattr(recode, "SEAL_EVERY_NBYTES", 1)
    finish, calls = recode.Recoder._finish, 0

    def interrupt(self: recode.Recoder, job: recode._Job) -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        finish(self, job)

    with monkeypatch.context() as patch:
        patch.setattr(recode.Recoder, "_finish", interrupt)
        with pytest.raises(KeyboardInterrupt):
            optimize(store, mode="max", workers=2)
    assert list(store.layout.temporary.iterdir()) == []
    assert list(store.layout.leases.glob("*.lease")) == []
    report = optimize(store, mode="max")
    assert report.blobs_settled >= 1
    assert_coded(store)
    assert_unchanged(store, commits_of(store))


def test_small_and_plain_bytes_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every size is coded with the mode that was asked for."""
    fill(store, "fast")
    asked: set[Mode] = set()
    encode: Callable[..., object] = coding.encode_smallest

    def note(*args: object) -> object:
        asked.add(args[3])  # type: ignore[arg-type]
        return encode(*args)

    monkeypatch.setattr(coding, "encode_smallest", note)
    assert optimize(store, mode="balanced").blobs == len(blob_sizes(store))
    assert asked == {Mode.BALANCED}
