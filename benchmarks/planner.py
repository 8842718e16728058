"""Measures how far the planner's predictions are from what codecs make, and what its choices cost.

For every chunk of the data sets of ``weight_data``: predicted over coded size of ``planes``, ``ulp_delta`` and
``ulp_delta_fast``; and how much larger the planner's choice is than the smallest of all codecs that the mode may
use, each encoded in full. Run::

    python -m benchmarks.planner --data DATA --json benchmarks/records/planner.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.codecs import DATA
from benchmarks.record import arguments, machine, print_table, write_record
from benchmarks.weight_data import QUICK_NBYTES, Chunk, DataSet, list_recipes
from tensorhub._native import plan_planes, plan_ulp_delta
from tensorhub.codecs.base import CodecContext, ResidualCodec
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import encode_chunk
from tensorhub.codecs.registry import JOINT, PLANES, PLANES_ZSTD, ULP_DELTA, ULP_DELTA_FAST, ZSTD

NBYTES = 16 << 20  # of each data set; errors differ by chunk, not by amount
ALLOWED: dict[Mode, tuple[ResidualCodec, ...]] = {
    Mode.FAST: (PLANES, ULP_DELTA_FAST, ZSTD),
    Mode.BALANCED: (PLANES, ULP_DELTA_FAST, ULP_DELTA, ZSTD),
    Mode.MAX: (PLANES, JOINT, ULP_DELTA_FAST, ULP_DELTA, ZSTD, PLANES_ZSTD),
}


def smallest(chunk: Chunk, context: CodecContext, codecs: Sequence[ResidualCodec]) -> int:
    """Encode with every codec that may be used, and give the smallest size."""
    sizes = [len(chunk.target)]
    for codec in codecs:
        if codec.needs_prediction and context.prediction is None:
            continue
        coded = codec.encode(chunk.target, context)
        if coded is not None:
            sizes.append(coded.nbytes)
    return min(sizes)


def measure(data: DataSet) -> dict[str, Any]:
    """Measure one data set: errors by codec, and by mode the size chosen over the smallest."""
    errors: dict[str, list[float]] = {"planes": [], "ulp_delta": [], "ulp_delta_fast": []}
    chosen = dict.fromkeys(Mode, 0)
    best = dict.fromkeys(Mode, 0)
    for chunk in data.chunks:
        context = CodecContext(data.element_width, chunk.prediction)
        coded = PLANES.encode(chunk.target, context)
        if coded is not None:
            predicted = plan_planes(chunk.target, data.element_width).nbytes
            errors["planes"].append(predicted / coded.nbytes - 1)
        if chunk.prediction is not None:
            plan = plan_ulp_delta(chunk.target, chunk.prediction, data.element_width)
            for codec, size in ((ULP_DELTA, plan.nbytes), (ULP_DELTA_FAST, plan.fast_nbytes)):
                coded = codec.encode(chunk.target, context)
                if coded is not None:
                    errors[codec.name].append(size / coded.nbytes - 1)
        for mode in Mode:
            chosen[mode] += encode_chunk(chunk.target, context, mode).nbytes
            best[mode] += smallest(chunk, replace(context, mode=mode), ALLOWED[mode])
    return {
        "errors": {
            name: {
                "chunks": len(found),
                "median_abs": round(float(np.median(np.abs(found))), 4),
                "p95_abs": round(float(np.quantile(np.abs(found), 0.95)), 4),
                "mean": round(float(np.mean(found)), 4),
            }
            for name, found in errors.items()
            if found
        },
        "chosen_over_smallest": {mode.value: round(chosen[mode] / best[mode], 4) for mode in Mode},
    }


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder that holds 'family'")
    parser.add_argument("--only", default="", help="part of the name of data sets")
    options = parser.parse_args()
    recipes, missing = list_recipes(options.data, quick=options.quick)
    record: dict[str, Any] = {"machine": machine(), "missing": missing, "data": {}}
    head = (
        "data",
        "codec",
        "chunks",
        "median error",
        "95 %",
        "mean",
        "chosen over smallest: fast",
        "balanced",
        "max",
    )
    rows: list[tuple[object, ...]] = [head]
    for recipe in recipes:
        if options.only not in recipe.name:
            continue
        data = recipe.make(QUICK_NBYTES if options.quick else NBYTES)
        found = measure(data)
        record["data"][data.name] = {"how": data.how, **found}
        choices: tuple[object, ...] = tuple(
            f"{share:.4f}" for share in found["chosen_over_smallest"].values()
        )
        for name, error in found["errors"].items():
            shares = (f"{error[key]:.2%}" for key in ("median_abs", "p95_abs", "mean"))
            rows.append((data.name, name, error["chunks"], *shares, *choices))
            choices = ("", "", "")
    print_table(rows)
    if options.json:
        write_record(record, options.json)


if __name__ == "__main__":
    main()
