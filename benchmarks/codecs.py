# ruff: noqa: A005 - shadows nothing: it is run as benchmarks.codecs
"""Measures codecs chunk by chunk on one core: ratio, GB/s both ways, TensorHub's modes beside the peers.

Every codec codes the same chunks of at most 1 MiB, once per round, in turn, so that a slow minute of the
machine meets all of them; medians over the rounds count. What is decoded is compared outside of the timing.
GB/s are 1e9 original bytes per second of the process's processor time, pinned to one core, so that waiting
behind another process is nobody's loss. Memory is warm: outputs were written to before, and malloc keeps what
is freed (the process starts itself again with the two variables that tell glibc so), because a fresh page
costs more than decoding into it. Run::

    python -m benchmarks.codecs --data DATA --json benchmarks/records/codecs.json
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import tensorhub._native as native
from benchmarks.codec_peers import CODERS, Coded, Coder, TensorHub
from benchmarks.record import arguments, machine, print_table, write_record
from benchmarks.weight_data import (
    CHUNK_NBYTES,
    QUICK_NBYTES,
    SEED,
    Bytes,
    Chunk,
    DataSet,
    cut,
    list_recipes,
)

ROUNDS = 5
DATA = Path("../shared/data")
# glibc: never map a block of its own for a large request, and never give the heap's top back.
WARM_HEAP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
PACKAGES = ("blosc2", "lz4", "openzl", "pcodec", "zipnn", "zstandard")


def keep_heap_warm() -> None:
    """Start the process again under glibc variables that keep freed memory, unless they are set already."""
    if platform.system() == "Linux" and any(os.environ.get(name) != WARM_HEAP[name] for name in WARM_HEAP):
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **WARM_HEAP})


def pin_to_one_core() -> int | None:
    """Keep the process on the last core it may use, which meets the fewest interrupts; None where unknown."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


@dataclass(slots=True)
class Measured:
    """What one codec did on one data set."""

    coder: Coder
    chunks: Sequence[Chunk]
    coded_nbytes: int = 0
    encode_s: list[float] = field(default_factory=list)
    decode_s: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def run(self, data: DataSet, out: Bytes) -> None:
        """Code and decode the data set once; the first time, prove what comes back."""
        self.coder.prepare(data, self.chunks)
        started = time.process_time()
        coded = [self.coder.encode(chunk) for chunk in self.chunks]
        self.encode_s.append(time.process_time() - started)
        places = split_output(out, self.chunks)
        started = time.process_time()
        for item, chunk, place in zip(coded, self.chunks, places, strict=True):
            self.coder.decode(item, chunk, place)
        self.decode_s.append(time.process_time() - started)
        if not self.facts:
            check(self.coder, coded, self.chunks, places)
            self.coded_nbytes = sum(map(self.coder.coded_nbytes, coded))
            self.facts = {"verified": True, **self.coder.describe(coded)}

    def row(self, data: DataSet) -> dict[str, Any]:
        """Give the record's row."""
        row: dict[str, Any] = {
            "codec": self.coder.name,
            "data": data.name,
            "dtype": data.dtype,
            "nbytes": data.nbytes,
        }
        if self.error:
            return {**row, "error": self.error}
        speeds = {"encode": [data.nbytes / s / 1e9 for s in self.encode_s]}
        speeds["decode"] = [data.nbytes / s / 1e9 for s in self.decode_s]
        return {
            **row,
            "ratio": round(data.nbytes / self.coded_nbytes, 4),
            **{f"{verb}_gb_s": round(statistics.median(found), 3) for verb, found in speeds.items()},
            "spread": {verb: [round(min(found), 3), round(max(found), 3)] for verb, found in speeds.items()},
            "chunks": len(self.chunks),
            **self.facts,
        }


def split_output(out: Bytes, chunks: Sequence[Chunk]) -> list[Bytes]:
    """Give every chunk the same warm place, as a worker of a store does; what it held is not needed any more."""
    return [out[: len(chunk.target)] for chunk in chunks]


def check(coder: Coder, coded: list[Coded], chunks: Sequence[Chunk], places: list[Bytes]) -> None:
    """Decode once more, over other bytes, and compare.

    Raises
    ------
    ValueError
        Other bytes came back.
    """
    for item, chunk, place in zip(coded, chunks, places, strict=True):
        place[:] = 0xA5
        found = memoryview(coder.decode(item, chunk, place)).cast("B")
        if found != chunk.target:
            raise ValueError(f"{coder.name} does not give its input back")


def join(data: DataSet) -> Sequence[Chunk]:
    """Cut the data set into full pieces whatever the tensors' borders."""
    if all(len(chunk.target) == CHUNK_NBYTES for chunk in data.chunks):
        return data.chunks
    target = np.concatenate([np.frombuffer(chunk.target, np.uint8) for chunk in data.chunks])
    prediction = None
    if data.is_delta:
        parts = [chunk.prediction for chunk in data.chunks if chunk.prediction is not None]
        prediction = np.concatenate([np.frombuffer(part, np.uint8) for part in parts])
    return cut(target, prediction)


def measure(data: DataSet, coders: Sequence[Coder], rounds: int) -> list[dict[str, Any]]:
    """Measure all codecs on a data set; an error of a peer is a row, of TensorHub the end."""
    out = np.full(data.nbytes, 1, np.uint8)
    warm = b"\1" * (3 * data.nbytes)  # as much heap as coded bytes and copies will take
    del warm
    joined = join(data)
    runs = [Measured(coder, data.chunks) for coder in coders]
    for _ in range(rounds):
        for run in runs:
            if run.error:
                continue
            try:
                if run.coder.may_join and joined is not data.chunks and not run.encode_s:
                    run.chunks = favour(run.coder, data, joined, out)
                run.run(data, out)
            except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
                if isinstance(run.coder, TensorHub):
                    raise
                run.error = f"{type(error).__name__}: {error}".splitlines()[0]
    return [run.row(data) for run in runs]


def favour(coder: Coder, data: DataSet, joined: Sequence[Chunk], out: Bytes) -> Sequence[Chunk]:
    """Choose a peer's pieces where tensors are smaller than 1 MiB: whichever it is faster with."""
    trials = []
    for chunks in (data.chunks, joined):
        trial = Measured(coder, chunks, facts={"verified": False})
        trial.run(data, out)
        trials.append(trial.encode_s[0] + trial.decode_s[0])
    return data.chunks if trials[0] < trials[1] else joined


def make_coders(wanted: str) -> tuple[list[Coder], dict[str, str]]:
    """Make the codecs whose names hold a word, and say which are not installed."""
    coders, missing = [], {}
    for name, make in CODERS.items():
        if wanted in name:
            try:
                coders.append(make())
            except ImportError as error:
                missing[name] = str(error)
    return coders, missing


def print_rows(data: DataSet, rows: list[dict[str, Any]], missing: Sequence[str]) -> None:
    """Print what was measured on a data set: medians, and in brackets the least and the greatest."""
    table: list[tuple[object, ...]] = [("codec", "ratio", "encode GB/s", "decode GB/s", "picked")]
    for row in rows:
        if "error" in row:
            table.append((row["codec"], "-", "-", "-", row["error"][:60]))
            continue
        speeds = []
        for verb in ("encode", "decode"):
            least, greatest = row["spread"][verb]
            speeds.append(f"{row[f'{verb}_gb_s']:.3f} ({least:.3f} to {greatest:.3f})")
        picked = ", ".join(f"{name} {count}" for name, count in row.get("picked", {}).items())
        table.append((row["codec"], f"{row['ratio']:.4f}", *speeds, picked))
    table += [(name, "-", "-", "-", "not installed") for name in missing]
    print_table(table, f"{data.name} ({data.dtype}, {data.nbytes / 1e6:.1f} MB): {data.how}")
    sys.stdout.flush()


def versions() -> dict[str, str]:
    """Give the versions of the peers' packages."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}; with --quick 1")
    parser.add_argument("--only", default="", help="part of the name of data sets, or of codecs")
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds 'family'")
    options = parser.parse_args()
    keep_heap_warm()
    core = pin_to_one_core()
    rounds = options.rounds or (1 if options.quick else ROUNDS)
    recipes, missing_data = list_recipes(options.data, quick=options.quick)
    chosen = [recipe for recipe in recipes if options.only in recipe.name]
    coders, missing_codecs = make_coders("" if chosen else options.only)
    simd_level = getattr(native, "simd_level", None)
    record: dict[str, Any] = {
        "machine": {**machine(), "simd_level": simd_level() if callable(simd_level) else None},
        "method": {
            "clock": "processor time of the process",
            "core": core,
            "rounds": rounds,
            "chunk_nbytes": CHUNK_NBYTES,
            "heap": WARM_HEAP,
            "seed": SEED,
            "quick": options.quick,
        },
        "versions": versions(),
        "missing": {"data": missing_data, "codecs": missing_codecs},
        "data": {},
        "rows": [],
    }
    for recipe in chosen or recipes:
        data = recipe.make(QUICK_NBYTES if options.quick else None)
        record["data"][data.name] = data.how
        rows = measure(data, coders, rounds)
        record["rows"] += rows
        print_rows(data, rows, list(missing_codecs))
    for name, reason in {**missing_data, **missing_codecs}.items():
        print(f"missing: {name}: {reason}")
    if options.json:
        write_record(record, options.json)


if __name__ == "__main__":
    main()
