"""Measures what a store of 10,000 small repositories answers in which time.

The store is made of families of ten: their first has a model of its own, the others differ from it in one tensor of
twenty; each has a README and a config, and two commits. Refs are written directly, the rest through a commit. Run::

    python -m benchmarks.many_repositories --json benchmarks/records/many-repositories.json
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from benchmarks.record import arguments, machine, print_table, spread, write_record
from benchmarks.store_folder import temporary_folder
from tensorhub import CommitTransaction, Store, parse_repository, stats
from tensorhub.schema.names import parse_ref
from tensorhub.schema.records import Commit, CommitReference, FileMode, Tree, TreeEntry
from tensorhub.store.file_facts import count_without_facts, files_without_facts
from tensorhub.store.hashing import ObjectKind
from tensorhub.store.places import fill_places
from tensorhub.store.repository_index import RepositoryIndex
from tensorhub.store.survey import Surveyor, survey

REPOSITORIES, QUICK_REPOSITORIES = 10_000, 100
FAMILY, TENSORS, SHAPE = 10, 20, (32, 64)
FIRST_MS, STEP_MS = 1_700_000_000_000, 60_000
ROUNDS = 5

Tensors = dict[str, np.ndarray[Any, np.dtype[Any]]]


def weights(seed: int) -> np.ndarray[Any, np.dtype[Any]]:
    values = np.random.default_rng(seed).standard_normal(SHAPE, np.float32) * np.float32(0.02)
    return values.astype(ml_dtypes.bfloat16)


def model(index: int, root: Tensors) -> Tensors:
    """Give the tensors of a repository: those of its family's first, one of them changed."""
    if index % FAMILY == 0:
        return root
    return root | {f"layer.{index % FAMILY}": weights(1_000_000 + index)}


def name(index: int) -> str:
    return f"org{index % 50}/model-{index:05d}"


def build(path: Path, count: int) -> None:
    """Make the store."""
    with Store.create(path) as store:
        common = {f"layer.{layer}": weights(layer) for layer in range(TENSORS)}
        root = common
        with store.begin_commit("all/files") as transaction:
            for index in range(count):
                if index % FAMILY == 0:
                    root = common | {"layer.0": weights(100 + index)}
                transaction.put_tensors(f"{index}/model.safetensors", model(index, root))
                transaction.put_file(f"{index}/README.md", b"# model %d\n" % index)
                transaction.put_file(f"{index}/config.json", b'{"family": %d}\n' % (index // FAMILY))
            transaction.publish()
        entries: dict[int, list[TreeEntry]] = {}
        for entry in store.snapshots.snapshot("all/files").tree.entries:
            number, path_in_repo = entry.path.split("/")
            entries.setdefault(int(number), []).append(TreeEntry(path_in_repo, FileMode.FILE, entry.file))
        with store.begin_commit("all/files") as transaction:
            heads = {index: put_commits(transaction, index, entries[index]) for index in range(count)}
            transaction.seal()
        for index, head in heads.items():
            ref = store.layout.ref(parse_repository(name(index)), parse_ref("main"))
            ref.parent.mkdir(parents=True)
            ref.write_text(f"{head.commit_id} {head.digest}\n")
        store.delete_repository("all/files")
        fill_places(store.catalog, store.ref_store, store.snapshots)


def put_commits(transaction: CommitTransaction, index: int, entries: list[TreeEntry]) -> CommitReference:
    """Store two commits, the first without the README; gives the second."""
    parents: tuple[CommitReference, ...] = ()
    ordered = sorted(entries, key=lambda entry: entry.path.encode())
    for step, tree in enumerate((Tree(tuple(ordered[1:])), Tree(tuple(ordered)))):
        digest = transaction.put_object(ObjectKind.TREE, tree.to_bytes())
        date_ms = FIRST_MS + index * STEP_MS + step
        commit = Commit(digest, parents, "somebody", date_ms, f"commit {step}", "", False, "", "")
        stored = transaction.put_object(ObjectKind.COMMIT, commit.to_bytes())
        parents = (CommitReference(commit.commit_id(stored), stored),)
    return parents[0]


def timed(job: Callable[[], Any], rounds: int = ROUNDS) -> dict[str, Any]:
    """Give the spread of the milliseconds that a job takes."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        job()
        found.append(1000 * (time.perf_counter() - started))
    return spread(found, 3)


def measure(path: Path) -> dict[str, Any]:
    """Ask everything."""
    found = {"open": timed(lambda: Store.open(path).close())}
    with Store.open(path) as store, Store.open(path) as other:
        index, surveyor = RepositoryIndex(store), Surveyor(store)
        found["list all"] = timed(store.repositories, 2)
        found["index: first"] = timed(index.refresh, 1)
        found["index: nothing new"] = timed(index.refresh)

        def after(writer: Store, answer: Callable[[], Any]) -> dict[str, Any]:
            times = []
            for _ in range(ROUNDS):
                with writer.begin_commit(name(1), workers=1) as transaction:
                    transaction.put_file("note", str(time.time_ns()).encode())
                    transaction.publish()
                times.append(timed(answer, 1)["median"])
            return spread(times, 3)

        found["index: after own commit"] = after(store, index.refresh)
        found["index: after another process's commit"] = after(other, index.refresh)
        spelling = parse_repository(name(7).upper())
        found["find another spelling"] = timed(lambda: store.ref_store.find_repository(spelling))
        found["survey"] = timed(lambda: survey(store))
        some = store.ref_store.repositories()[:100]
        found["survey of 100"] = timed(lambda: survey(store, some))
        surveyor.refresh()
        found["survey: nothing new"] = timed(surveyor.refresh)
        found["stats"] = timed(lambda: stats(store), 2)
        found["count files without facts"] = timed(lambda: count_without_facts(store))
        found["list 1,000 files without facts"] = timed(lambda: files_without_facts(store))
        found["commit"] = timed(lambda: commit_once(store))
    return found


def commit_once(store: Store) -> None:
    with store.begin_commit(name(3), workers=1) as transaction:
        transaction.put_file("note", str(time.time_ns()).encode())
        transaction.publish()


def main() -> None:
    """Run it."""
    options = arguments(__doc__).parse_args()
    count = QUICK_REPOSITORIES if options.quick else REPOSITORIES
    with temporary_folder(options.work) as folder:
        build(folder / "store", count)
        found = measure(folder / "store")
    rows = [(what, times["median"], times["min"], times["max"]) for what, times in found.items()]
    print_table([("what", "ms", "least", "greatest"), *rows], f"{count:,} repositories")
    write_record({"machine": machine(), "repositories": count, "unit": "ms", "times": found}, options.json)


if __name__ == "__main__":
    main()
