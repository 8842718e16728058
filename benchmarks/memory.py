"""Measures peak memory, cold range reads, and what big tensors cost beside packs (numbers 3, 5 and 6).

Every add and get runs in a process of its own; its peak resident memory is set against that of a process that
only imports TensorHub. The *big* part is a 4 GiB file with one tensor of 3 GiB; the *many* part a store of
100,000 tensors of 64 KiB in ten repositories, the last a fine-tune of the first. Run::

    python -m benchmarks.memory --json benchmarks/records/memory.json
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.record import ROOT, arguments, machine, print_table, spread, write_record
from benchmarks.store_folder import (
    beside_packs_share,
    check_equal_folders,
    drop_from_page_cache,
    stored_nbytes,
    temporary_folder,
)
from benchmarks.synthetic import write_model
from tensorhub import Store, add_folder, restore
from tensorhub.store.reader import BlobReader

# Issue 2: number 3 (MiB above the interpreter), number 5 (share beside packs), number 6.
TARGETS = {"peak_mib": 512, "beside_packs_share": 0.001, "range_ms": 30}
SEED, CHANGE = 7, 1e-3
ROW_NELEMS = 8192  # 16 KiB of BF16 a row
BIG_ROWS, SMALL_ROWS, SMALL_TENSORS = 196_608, 4096, 16  # 3 GiB, and 16 tensors of 64 MiB
QUICK_DIVISOR = 16
MANY_TENSORS, REPOSITORIES = 100_000, 10
MANY_SHAPE = (256, 128)  # 64 KiB of BF16
RANGE_NBYTES, RANGES, QUICK_RANGES = 1 << 20, 30, 5
CHUNK_NBYTES = 1 << 20


def peak_nbytes() -> int:
    """Peak resident memory of this process; since its own start where the system says it."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def child(task: str, *values: str | Path | int) -> dict[str, Any]:
    """Run a task of this module in a process of its own and give its answer."""
    command = [sys.executable, "-m", "benchmarks.memory", "--task", task, *map(str, values)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{task} failed:\n{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def run_task(task: str, values: Sequence[str]) -> dict[str, Any]:
    """Do one task in this process; gives its time and the peak memory."""
    started = time.perf_counter()
    answer: dict[str, Any] = {}
    if task == "add":
        with Store.open(values[0], create=True) as store:
            add_folder(store, Path(values[1]), f"local/{Path(values[1]).name}")
    elif task == "get":
        with Store.open(values[0]) as store:
            restore(store, values[1], Path(values[2]))
    elif task == "range":
        answer = read_ranges(Path(values[0]), values[1], [int(value) for value in values[2:]])
    elif task != "nothing":
        raise ValueError(task)
    return {**answer, "seconds": round(time.perf_counter() - started, 2), "peak_nbytes": peak_nbytes()}


def read_ranges(path: Path, file: str, offsets: Sequence[int]) -> dict[str, Any]:
    """Read 1 MiB at each offset of a file, each time with a fresh store and without page cache."""
    decoded: list[int] = []
    decode = BlobReader.decode_into

    def counted(self: BlobReader, record: Any, index: int, *rest: Any, **named: Any) -> None:
        decoded.append(index)
        decode(self, record, index, *rest, **named)

    reads = []
    with mock.patch.object(BlobReader, "decode_into", counted):
        for offset in offsets:
            drop_from_page_cache(path)
            decoded.clear()
            started = time.perf_counter()
            with Store.open(path) as store:
                opened = time.perf_counter()
                content = store.read("local/big", "model.safetensors", offset=offset, length=RANGE_NBYTES)
                finished = time.perf_counter()
            with Path(file).open("rb") as original:
                original.seek(offset)
                is_equal = original.read(RANGE_NBYTES) == content
            reads.append(
                {
                    "offset": offset,
                    "open_ms": (opened - started) * 1e3,
                    "read_ms": (finished - opened) * 1e3,
                    "chunks": len(decoded),
                    "is_equal": is_equal,
                }
            )
    return {"reads": reads}


def touched_chunks(starts: Sequence[tuple[int, int]], offset: int) -> int:
    """Count the chunks that a range touches, from where the file's segments lie."""
    count = 0
    for begin, nbytes in starts:
        first, last = max(offset, begin) - begin, min(offset + RANGE_NBYTES, begin + nbytes) - begin
        if first < last:
            count += (last - 1) // CHUNK_NBYTES - first // CHUNK_NBYTES + 1
    return count


def measure_big(work: Path, baseline: int, *, quick: bool) -> dict[str, Any]:
    """Measure the 4 GiB file: peaks of add and get, bytes beside packs, range reads."""
    divisor = QUICK_DIVISOR if quick else 1
    shapes = {"big.weight": (BIG_ROWS // divisor, ROW_NELEMS)}
    shapes |= {f"layers.{i}.weight": (SMALL_ROWS // divisor, ROW_NELEMS) for i in range(SMALL_TENSORS)}
    source, path = work / "big", work / "store"
    nbytes = write_model(source / "model.safetensors", shapes, SEED)
    add = child("add", path, source)
    get = child("get", path, "local/big", work / "out")
    check_equal_folders(source, work / "out")
    parts = stored_nbytes(path)
    chance = random.Random(SEED)
    offsets = [chance.randrange(nbytes - RANGE_NBYTES) for _ in range(QUICK_RANGES if quick else RANGES)]
    # The first range of a process also pays what is loaded late, so some processes read one range only.
    alone = [child("range", path, source / "model.safetensors", offset)["reads"][0] for offset in offsets[:5]]
    reads = child("range", path, source / "model.safetensors", *offsets)["reads"]
    with Store.open(path) as store:
        tensors = store.tensors("local/big")
    segments = [(tensor.offset, tensor.nbytes) for tensor in tensors]
    head_nbytes = min(begin for begin, _ in segments)
    segments.append((0, head_nbytes))
    extra = [read["chunks"] - touched_chunks(segments, read["offset"]) for read in reads]
    if not all(read["is_equal"] for read in [*alone, *reads]):
        raise RuntimeError("a range differs from the file")
    return {
        "nbytes": nbytes,
        "largest_tensor_nbytes": max(tensor.nbytes for tensor in tensors),
        "stored_nbytes": parts,
        "beside_packs_share": round(beside_packs_share(parts), 6),
        "add": _above(add, baseline),
        "get": _above(get, baseline),
        "range": {
            "nbytes": RANGE_NBYTES,
            "read_ms": spread([read["read_ms"] for read in reads], 2),
            "open_ms": spread([read["open_ms"] for read in reads], 2),
            "new_process_read_ms": spread([read["read_ms"] for read in alone], 2),
            "new_process_open_ms": spread([read["open_ms"] for read in alone], 2),
            "chunks": sorted({read["chunks"] for read in reads}),
            "chunks_beyond_the_touched": max(extra),
        },
    }


def measure_many(work: Path, baseline: int, tensors: int) -> dict[str, Any]:
    """Measure a store of many small tensors: the peak of each add on the way, and of the last get."""
    path = work / "store"
    shapes = {f"blocks.{i}.weight": MANY_SHAPE for i in range(tensors // REPOSITORIES)}
    adds = []
    nbytes = 0
    for repository in range(REPOSITORIES):
        source = work / f"many-{repository}"
        is_last = repository == REPOSITORIES - 1
        seed, change = (SEED + 1, CHANGE) if is_last else (SEED + 1 + repository, 0.0)
        nbytes += write_model(source / "model.safetensors", shapes, seed, change)
        adds.append(child("add", path, source))
    last = f"many-{REPOSITORIES - 1}"
    get = child("get", path, f"local/{last}", work / "out")
    check_equal_folders(work / last, work / "out")
    parts = stored_nbytes(path)
    worst = max(adds, key=lambda answer: int(answer["peak_nbytes"]))
    return {
        "tensors": tensors // REPOSITORIES * REPOSITORIES,
        "nbytes": nbytes,
        "stored_nbytes": parts,
        "beside_packs_share": round(beside_packs_share(parts), 4),
        "add": _above(worst, baseline),
        "get": _above(get, baseline),
        "add_seconds": [answer["seconds"] for answer in adds],
        "add_peak_mib": [_above(answer, baseline)["peak_mib"] for answer in adds],
    }


def _above(answer: dict[str, Any], baseline: int) -> dict[str, float]:
    return {
        "peak_mib": round((answer["peak_nbytes"] - baseline) / 2**20, 1),
        "seconds": answer["seconds"],
    }


def print_result(record: dict[str, Any]) -> None:
    """Print the record as tables."""
    rows: list[tuple[object, ...]] = [("peak MiB above the interpreter", "add", "get", "target")]
    for part in ("big", "many"):
        if part in record:
            found = record[part]
            name = f"{found['nbytes'] / 2**30:.2f} GiB" + (
                f", {found['tensors']:,} tensors" if part == "many" else ""
            )
            rows.append((name, found["add"]["peak_mib"], found["get"]["peak_mib"], TARGETS["peak_mib"]))
    print_table(rows)
    if "big" not in record:
        return
    found = record["big"]
    times = found["range"]
    print_table(
        [
            ("1 MiB out of the file, cold", "median ms", "greatest", "target"),
            ("read", times["read_ms"]["median"], times["read_ms"]["max"], TARGETS["range_ms"]),
            ("open the store", times["open_ms"]["median"], times["open_ms"]["max"], ""),
            (
                "read, new process",
                times["new_process_read_ms"]["median"],
                times["new_process_read_ms"]["max"],
                "",
            ),
            (
                "open, new process",
                times["new_process_open_ms"]["median"],
                times["new_process_open_ms"]["max"],
                "",
            ),
        ]
    )
    print(f"chunks decoded: {times['chunks']}, beyond those touched: {times['chunks_beyond_the_touched']}")
    print(f"beside packs: {found['beside_packs_share']:.4%} (target {TARGETS['beside_packs_share']:.2%})")


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--part", choices=["big", "many"], help="only this part")
    parser.add_argument("--tensors", type=int, default=MANY_TENSORS, help="tensors of the many part")
    parser.add_argument("--task", nargs="+", help="for the processes that this measurement starts")
    options = parser.parse_args()
    if options.task:
        print(json.dumps(run_task(options.task[0], options.task[1:])))
        return
    tensors = min(options.tensors, 2000) if options.quick else options.tensors
    baseline = child("nothing")["peak_nbytes"]
    record: dict[str, Any] = {
        "machine": machine(),
        "targets": TARGETS,
        "interpreter_mib": round(baseline / 2**20, 1),
    }
    if options.part != "many":
        with temporary_folder(options.work) as work:
            record["big"] = measure_big(work, baseline, quick=options.quick)
    if options.part != "big":
        with temporary_folder(options.work) as work:
            record["many"] = measure_many(work, baseline, tensors)
    print_result(record)
    write_record(record, options.json)


if __name__ == "__main__":
    main()
