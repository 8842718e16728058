"""Measures add and get in GB/s, from files to store and back, and where the time goes (number 2).

Each round measures every case once, in turn, so that a slow minute of the machine meets all of them; the
median of the rounds counts. ``get`` proves every digest as it always does; its files are compared with the
originals outside of the timing. On disk, source and packs are dropped from the page cache before they are
read. One worker is pinned to one processor together with the thread that feeds it. Run::

    python -m benchmarks.throughput --family DATA/family --json benchmarks/records/throughput.json
"""

from __future__ import annotations

import mmap
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from benchmarks.record import arguments, machine, print_table, spread, write_record
from benchmarks.stages import ADD_STAGES, GET_STAGES, add_clock, get_clock
from benchmarks.store_folder import (
    SHARED_MEMORY,
    check_equal_folders,
    drop_from_page_cache,
    file_paths,
    folder_nbytes,
    stored_nbytes,
    temporary_folder,
)
from benchmarks.synthetic import write_model
from tensorhub import Store, add_folder, restore
from tensorhub.formats.folder import scan_folder
from tensorhub.store.add import put_entry

# Issue 2, number 2, per core.
TARGETS = {"add": 0.12, "get": 0.40}
SEED, CHANGE = 1, 1e-3  # the fine-tune's change relative to the weights' deviation
TENSOR_SHAPE = (8192, 4096)  # 64 MiB of BF16
TENSORS, QUICK_TENSORS = 15, 2  # 1.007 GB
ROUNDS = 3
WORKERS = (1, 2)
GROUPS = ("family", "model", "fine-tune")


@dataclass(frozen=True, slots=True)
class Case:
    """Data to measure: folders to add, and those that the store holds before."""

    name: str
    folders: tuple[Path, ...]
    before: tuple[Path, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes that go in and come back."""
        return sum(folder_nbytes(folder) for folder in self.folders)


@contextmanager
def pinned(workers: int) -> Iterator[None]:
    """Keep this thread, and all it starts, on as many processors as there are workers."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:workers])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def make_cases(family: Path | None, work: Path, *, quick: bool) -> list[Case]:
    """Write or copy the data into a folder."""
    cases = []
    if family is not None:
        shutil.copytree(family, work / "family")
        names = sorted(path.name for path in family.iterdir() if path.is_dir())[: 6 if quick else None]
        cases.append(Case("family", tuple(work / "family" / name for name in names)))
    shapes = {f"layers.{i}.weight": TENSOR_SHAPE for i in range(QUICK_TENSORS if quick else TENSORS)}
    write_model(work / "model" / "model.safetensors", shapes, SEED)
    write_model(work / "fine-tune" / "model.safetensors", shapes, SEED, CHANGE)
    cases.append(Case("model", (work / "model",)))
    cases.append(Case("fine-tune", (work / "fine-tune",), (work / "model",)))
    return cases


class Rounds:
    """Measurements of one place (shared memory or disk), by case and workers."""

    def __init__(self, cases: list[Case], work: Path, *, is_cold: bool) -> None:
        self.cases = cases
        self.work = work
        self.is_cold = is_cold
        self.seconds: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self.stored: dict[str, int] = {}

    def run(self) -> None:
        """Measure every case once."""
        for case in self.cases:
            for workers in WORKERS:
                self._store_round(case, workers)
            self._peer_round(case)

    def _settle(self, case: Case, *folders: Path) -> None:
        if self.is_cold:
            os.sync()
            for folder in folders:
                drop_from_page_cache(folder)
        touch_memory(case.nbytes)

    def _time(self, what: tuple[str, str, str], work: Callable[[], None]) -> None:
        started = time.perf_counter()
        work()
        self.seconds[what].append(time.perf_counter() - started)

    def _store_round(self, case: Case, workers: int) -> None:
        with temporary_folder(self.work) as place:
            path = place / "store"
            prepare(path, case)
            before = stored_nbytes(path)["all"]
            who = f"tensorhub, {workers} worker{'s' if workers > 1 else ''}"
            self._settle(case, *case.folders)
            with pinned(workers):
                self._time((case.name, "add", who), lambda: add_all(path, case, workers))
            self.stored[case.name] = stored_nbytes(path)["all"] - before
            self._settle(case, path)
            with pinned(workers):
                self._time((case.name, "get", who), lambda: get_all(path, case, place / "out", workers))
            for folder in case.folders:
                check_equal_folders(folder, place / "out" / folder.name)

    def _peer_round(self, case: Case) -> None:
        with temporary_folder(self.work) as place, pinned(1):
            self._settle(case, *case.folders)
            self._time((case.name, "add", "cp"), lambda: copy_all(case.folders, place / "copy"))
            self._settle(case, *case.folders)
            self._time((case.name, "add", "zstd -3"), lambda: zstd_all(case.folders, place / "zstd"))
            self._settle(case, place / "zstd")
            self._time((case.name, "get", "zstd -3"), lambda: unzstd_all(place / "zstd", place / "out"))


def touch_memory(nbytes: int) -> None:
    """Write to as much memory as what follows will fill, and free it.

    A virtual machine whose host takes free memory back pays for each page again at its first use: 2.3 s per
    GB on one such machine, six times the writing itself, and only in the cases that happened to come first.
    """
    with mmap.mmap(-1, nbytes + nbytes // 2) as memory:
        for offset in range(0, len(memory), mmap.PAGESIZE):
            memory[offset] = 1


def prepare(path: Path, case: Case) -> None:
    """Make the store as it is before the measured add."""
    with Store.create(path) as store:
        for folder in case.before:
            add_folder(store, folder, f"local/{folder.name}")


def add_all(path: Path, case: Case, workers: int) -> None:
    """Open the store, add the folders, close it."""
    with Store.open(path) as store:
        for folder in case.folders:
            add_folder(store, folder, f"local/{folder.name}", workers=workers)


def get_all(path: Path, case: Case, destination: Path, workers: int) -> None:
    """Open the store, restore the folders, close it."""
    with Store.open(path) as store:
        for folder in case.folders:
            restore(store, f"local/{folder.name}", destination / folder.name, workers=workers)


def copy_all(folders: tuple[Path, ...], destination: Path) -> None:
    """Copy folders as ``cp -r`` does."""
    for folder in folders:
        shutil.copytree(folder, destination / folder.name)


def zstd_all(folders: tuple[Path, ...], destination: Path) -> None:
    """Compress each file as ``zstd -3 --single-thread`` does."""
    for folder in folders:
        for path in file_paths(folder):
            target = destination / folder.name / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, target.open("wb") as out:
                zstandard.ZstdCompressor(level=3, write_checksum=True).copy_stream(source, out)


def unzstd_all(source: Path, destination: Path) -> None:
    """Decompress what :func:`zstd_all` made; zstd checks its checksums."""
    for path in file_paths(source):
        target = destination / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        with path.open("rb") as coded, target.open("wb") as out:
            zstandard.ZstdDecompressor().copy_stream(coded, out)


def measure_stages(case: Case, work: Path, workers: int) -> dict[str, dict[str, float]]:
    """Run add and get once more under the stage clock; gives processor seconds per GB by stage."""
    gigabytes = case.nbytes / 1e9
    result = {}
    with temporary_folder(work) as place, pinned(workers):
        path = place / "store"
        prepare(path, case)
        add: dict[str, float] = dict.fromkeys(ADD_STAGES, 0.0)
        touch_memory(case.nbytes)
        with add_clock() as clock, Store.open(path) as store:
            started = time.process_time()
            for folder in case.folders:
                with store.begin_commit(f"local/{folder.name}", workers=workers) as transaction:
                    for entry in scan_folder(folder).entries:
                        put_entry(transaction, entry)
                    transaction.publish()
                    for stage, seconds in transaction.totals.stage_s.items():
                        add[stage] += seconds
        total = time.process_time() - started
        touch_memory(case.nbytes)
        add["other"] = total - sum(add.values())
        add["bases, inside search and code"] = clock.seconds["base"]
        add["all"] = total
        with get_clock() as clock:
            started = time.process_time()
            get_all(path, case, place / "out", workers)
        total = time.process_time() - started
        get = {stage: clock.seconds[stage] for stage in GET_STAGES}
        get["other"] = total - sum(get.values())
        get["all"] = total
        for verb, stages in (("add", add), ("get", get)):
            result[verb] = {stage: round(seconds / gigabytes, 3) for stage, seconds in stages.items()}
    return result


def measure_place(cases: list[Case], work: Path, rounds: int, *, is_cold: bool) -> dict[str, Any]:
    """Measure all cases of one place."""
    measured = Rounds(cases, work, is_cold=is_cold)
    for _ in range(rounds):
        measured.run()
    result: dict[str, Any] = {"filesystem": "disk" if is_cold else "shared memory", "cases": {}}
    for case in cases:
        speeds: dict[str, Any] = {"add": {}, "get": {}}
        for (name, verb, who), seconds in measured.seconds.items():
            if name == case.name:
                speeds[verb][who] = spread([case.nbytes / second / 1e9 for second in seconds])
        one, two = (
            {verb: speeds[verb][who]["median"] for verb in speeds}
            for who in ("tensorhub, 1 worker", "tensorhub, 2 workers")
        )
        result["cases"][case.name] = {
            "nbytes": case.nbytes,
            "files": sum(len(file_paths(folder)) for folder in case.folders),
            "stored_nbytes": measured.stored[case.name],
            "gb_per_s": speeds,
            "scaling_to_2": {verb: round(two[verb] / one[verb], 2) for verb in one},
        }
    return result


def print_result(record: dict[str, Any]) -> None:
    """Print the record as tables."""
    for place in record["places"]:
        rows: list[tuple[object, ...]] = [("GB/s (median; least to greatest)", *GROUPS, "target")]
        for verb in ("add", "get"):
            names = next(iter(place["cases"].values()))["gb_per_s"][verb]
            for who in names:
                cells = []
                for case in GROUPS:
                    found = place["cases"].get(case, {}).get("gb_per_s", {}).get(verb, {}).get(who)
                    cells.append(
                        f"{found['median']:.3f} ({found['min']:.3f} to {found['max']:.3f})" if found else "-"
                    )
                rows.append((f"{verb}, {who}", *cells, TARGETS[verb] if "1 worker" in who else ""))
            scaling = [str(place["cases"].get(c, {}).get("scaling_to_2", {}).get(verb, "-")) for c in GROUPS]
            rows.append((f"{verb}, 2 workers over 1", *scaling, ""))
        print_table(rows, place["filesystem"])
    print_stages(record["stages_s_per_gb"])


def print_stages(cases: dict[str, Any]) -> None:
    """Print where the time goes, by case and number of workers."""
    for verb in ("add", "get"):
        rows = [
            (f"{verb}: processor seconds per GB", *(f"{case}, {n}" for case in cases for n in cases[case]))
        ]
        stages = next(iter(next(iter(cases.values())).values()))[verb]
        for stage in stages:
            rows.append((stage, *(f"{cases[c][n][verb][stage]:.3f}" for c in cases for n in cases[c])))
        print_table(rows, "Where the time goes (one and two workers)")


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--family", type=Path, help="folder of repositories; without it, generated data only")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-disk", action="store_true", help="measure in shared memory only")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    record: dict[str, Any] = {
        "machine": machine(),
        "data": {
            "family": options.family.name if options.family else None,
            "tensor": f"BF16 {list(TENSOR_SHAPE)}",
            "seed": SEED,
            "change": CHANGE,
        },
        "targets_gb_per_s_per_core": TARGETS,
        "places": [],
    }
    places = [(SHARED_MEMORY, False)] if SHARED_MEMORY.is_dir() else []
    if not options.no_disk or not places:
        places.append((options.work, True))
    for parent, is_cold in places:
        with temporary_folder(parent) as work:
            cases = make_cases(options.family, work, quick=options.quick)
            record["places"].append(measure_place(cases, work, rounds, is_cold=is_cold))
            if "stages_s_per_gb" not in record:
                record["stages_s_per_gb"] = {
                    case.name: {str(n): measure_stages(case, work, n) for n in WORKERS} for case in cases
                }
    print_result(record)
    write_record(record, options.json)


if __name__ == "__main__":
    main()
