"""Measures folders into a store and back against ZipNN files, tar with zstd, and content-defined chunks.

Sizes, and seconds both ways, from files to files, with one worker pinned to one core and with two workers;
in shared memory, and on a disk whose page cache was dropped before each reading. Every contender does every
case once per round, in turn; what comes back is compared with the originals outside of the timing. A
fine-tune goes into a store that holds its base; ZipNN and tar have no use for a base. Where its time goes is
measured in a run of its own. Run::

    python -m benchmarks.end_to_end --data DATA --json benchmarks/records/end-to-end.json
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.codecs import DATA
from benchmarks.folder_codecs import FolderCodec, make_folder_codecs
from benchmarks.record import arguments, machine, print_table, spread, write_record
from benchmarks.store_folder import (
    SHARED_MEMORY,
    check_equal_folders,
    drop_from_page_cache,
    temporary_folder,
)
from benchmarks.throughput import (
    CHANGE,
    SEED,
    TENSOR_SHAPE,
    WORKERS,
    Case,
    make_cases,
    measure_stages,
    pinned,
    print_stages,
    touch_memory,
)

ROUNDS = 3


@dataclass(slots=True)
class Measured:
    """What one contender did with one case and a number of workers."""

    stored_nbytes: int = 0
    add_s: list[float] = field(default_factory=list)
    get_s: list[float] = field(default_factory=list)


class Place:
    """Measurements in shared memory or on disk."""

    def __init__(self, work: Path, *, is_cold: bool) -> None:
        self.work = work
        self.is_cold = is_cold
        self.measured: dict[tuple[str, str, int], Measured] = defaultdict(Measured)

    def run(self, case: Case, codec: FolderCodec, workers: int) -> None:
        """Measure one contender once, both ways."""
        found = self.measured[case.name, codec.name, workers]
        with temporary_folder(self.work) as folder:
            place = folder / "place"
            place.mkdir()
            codec.prepare(place, case)
            found.add_s.append(
                self._time(case, case.folders, workers, lambda: codec.add(place, case, workers))
            )
            found.stored_nbytes = codec.added_nbytes(place)
            out = folder / "out"
            found.get_s.append(
                self._time(case, (place,), workers, lambda: codec.get(place, case, out, workers))
            )
            for original in case.folders:
                check_equal_folders(original, out / original.name)

    def _time(self, case: Case, read: tuple[Path, ...], workers: int, work: Callable[[], None]) -> float:
        if self.is_cold:
            os.sync()
            for folder in read:
                drop_from_page_cache(folder)
        touch_memory(case.nbytes)
        with pinned(workers):
            started = time.perf_counter()
            work()
            return time.perf_counter() - started

    def rows(self, cases: list[Case]) -> list[dict[str, Any]]:
        """Give the record's rows."""
        rows = []
        for case in cases:
            for (name, codec, workers), found in self.measured.items():
                if name != case.name:
                    continue
                rows.append(
                    {
                        "place": "disk" if self.is_cold else "shared memory",
                        "data": name,
                        "codec": codec,
                        "workers": workers,
                        "nbytes": case.nbytes,
                        "stored_nbytes": found.stored_nbytes,
                        "ratio": round(case.nbytes / found.stored_nbytes, 4),
                        "verified": True,
                        "add_s": spread(found.add_s),
                        "get_s": spread(found.get_s),
                        "add_gb_s": round(case.nbytes / statistics.median(found.add_s) / 1e9, 3),
                        "get_gb_s": round(case.nbytes / statistics.median(found.get_s) / 1e9, 3),
                    }
                )
        return rows


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Print one table per place and case."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["place"], row["data"]].append(row)
    for (place, data), group in groups.items():
        table: list[tuple[object, ...]] = [
            ("codec", "workers", "stored bytes", "ratio", "add s", "add GB/s", "get s", "get GB/s")
        ]
        for row in group:
            speeds = []
            for verb in ("add", "get"):
                seconds = row[f"{verb}_s"]
                speeds += [f"{seconds['median']:.2f} ({seconds['min']:.2f} to {seconds['max']:.2f})"]
                speeds += [f"{row[f'{verb}_gb_s']:.3f}"]
            table.append(
                (row["codec"], row["workers"], f"{row['stored_nbytes']:,}", f"{row['ratio']:.3f}", *speeds)
            )
        print_table(table, f"{data}, {group[0]['nbytes'] / 1e9:.3f} GB, {place}")
    sys.stdout.flush()


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}; with --quick 1")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds 'family'")
    parser.add_argument("--no-disk", action="store_true", help="measure in shared memory only")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    family = options.data / "family"
    missing = {} if family.is_dir() else {"family": f"no folder 'family' in {options.data}"}
    record: dict[str, Any] = {
        "machine": machine(),
        "data": {"tensor": f"BF16 {list(TENSOR_SHAPE)}", "seed": SEED, "change": CHANGE},
        "rounds": rounds,
        "missing": missing,
        "rows": [],
    }
    places = [(SHARED_MEMORY, False)] if SHARED_MEMORY.is_dir() else []
    if not options.no_disk or not places:
        places.append((options.work, True))
    for parent, is_cold in places:
        with temporary_folder(parent) as work:
            cases = make_cases(None if missing else family, work, quick=options.quick)
            codecs, absent = make_folder_codecs(work)
            missing.update(absent)
            place = Place(work, is_cold=is_cold)
            for _ in range(rounds):
                for case in cases:
                    for workers in WORKERS:
                        for codec in codecs:
                            place.run(case, codec, workers)
            rows = place.rows(cases)
            record["rows"] += rows
            print_rows(rows)
            if "stages_s_per_gb" not in record:
                record["stages_s_per_gb"] = {
                    case.name: {str(workers): measure_stages(case, work, workers) for workers in WORKERS}
                    for case in cases
                }
    print_stages(record["stages_s_per_gb"])
    for name, reason in missing.items():
        print(f"missing: {name}: {reason}")
    if options.json:
        write_record(record, options.json)


if __name__ == "__main__":
    main()
