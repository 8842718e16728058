"""Measures a whole store of a family against the recipe and against others, in every mode.

Adds every repository of the family, in alphabetical and in reverse order, closes the store, counts every byte
on disk, restores every repository and compares each file. Then codes every distinct tensor by itself and against
its best self-contained base, in each mode, and compares coded chunks and their records with the recipe's coding of
the same tensor, by kind of repository. Run::

    python -m benchmarks.family --family DATA/family --peers --json benchmarks/records/family.json
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.family_recipe import recipe
from benchmarks.family_tensors import TENSOR_TARGETS, measure_tensors
from benchmarks.peers import measure_peers
from benchmarks.record import arguments, machine, print_table, write_record
from benchmarks.store_folder import (
    SHARED_MEMORY,
    beside_packs_share,
    check_equal_folders,
    folder_nbytes,
    stored_nbytes,
    temporary_folder,
)
from tensorhub import Mode, Store, add_folder, restore, stats, to_json

# Issue 2, number 1: whole store over recipe; number 5: share of all that is not packs.
TARGETS = {"alphabetical": 1.05, "reverse": 1.12}
BESIDE_PACKS_TARGET = 0.02


def measure_order(family: Path, names: list[str], work: Path, mode: Mode) -> dict[str, Any]:
    """Make a store of repositories in the given order, measure it closed, and prove it."""
    path = work / "store"
    started = time.perf_counter()
    with Store.create(path, mode=mode) as store:
        for name in names:
            add_folder(store, family / name, f"local/{name}")
    add_s = time.perf_counter() - started
    parts = stored_nbytes(path)
    files = 0
    with Store.open(path) as store:
        facts = to_json(stats(store))
        for name in names:
            restore(store, f"local/{name}", work / name)
            files += check_equal_folders(family / name, work / name)
    return {
        "stored_nbytes": parts,
        "beside_packs_share": round(beside_packs_share(parts), 4),
        "files_compared": files,
        "add_s": round(add_s, 2),
        "stats": facts,
    }


def print_result(record: dict[str, Any]) -> None:
    """Print the record as a table."""
    aim = record["recipe"]["nbytes"]
    rows: list[tuple[object, ...]] = [("what", "bytes", "of the recipe", "target", "ratio")]
    rows.append(("files as they are", f"{record['nbytes']:,}", f"{record['nbytes'] / aim:.3f}", "", "1.00"))
    rows.append(("recipe", f"{aim:,}", "1.000", "", f"{record['nbytes'] / aim:.2f}"))
    for order, found in record["orders"].items():
        nbytes = found["stored_nbytes"]["all"]
        rows.append(
            (
                f"store, {order}",
                f"{nbytes:,}",
                f"{nbytes / aim:.3f}",
                f"{TARGETS[order.split(',')[0]]:.2f}",
                f"{record['nbytes'] / nbytes:.2f}",
            )
        )
    for name, peer in record.get("peers", {}).items():
        if peer["nbytes"] is None:
            rows.append((name, "not installed", "", "", ""))
        else:
            ratio = record["nbytes"] / peer["nbytes"]
            rows.append((name, f"{peer['nbytes']:,}", f"{peer['nbytes'] / aim:.3f}", "", f"{ratio:.2f}"))
    print_table(rows, f"{record['data']}: {record['repositories']} repositories")
    rows = [("coded chunks and records over recipe", "recipe", "balanced", "max", "same base, max", "target")]
    for group, found in record["tensors"].items():
        target = TENSOR_TARGETS.get(group, "")
        rows.append(
            (
                group,
                f"{found['recipe']:,}",
                *(f"{found[key]:.4f}" for key in ("balanced", "max", "max_over_recipe_same_base")),
                target,
            )
        )
    print_table(rows)
    rows = [("beside packs", "catalogue", "refs", "other", "share", "target")]
    for order, found in record["orders"].items():
        parts = found["stored_nbytes"]
        rows.append(
            (
                order,
                f"{parts['catalog']:,}",
                f"{parts['refs']:,}",
                f"{parts['other']:,}",
                f"{found['beside_packs_share']:.2%}",
                f"{BESIDE_PACKS_TARGET:.2%}",
            )
        )
    print_table(rows)


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--family", type=Path, required=True, help="folder of repositories")
    parser.add_argument("--peers", action="store_true", help="measure tar+zstd, ZipNN and chunks too")
    options = parser.parse_args()
    names = sorted(path.name for path in options.family.iterdir() if path.is_dir())
    if options.quick:
        names = names[:6]
    record: dict[str, Any] = {
        "machine": machine(),
        "data": options.family.name,
        "repositories": len(names),
        "nbytes": sum(folder_nbytes(options.family / name) for name in names),
        "targets": {**TARGETS, "beside_packs_share": BESIDE_PACKS_TARGET},
    }
    parent = options.work or (SHARED_MEMORY if SHARED_MEMORY.is_dir() else None)
    with temporary_folder(parent) as work:
        family = options.family
        if options.quick:
            family = work / "part"
            family.mkdir()
            for name in names:
                shutil.copytree(options.family / name, family / name)
        record["recipe"] = recipe(family)
        record["orders"] = {}
        for mode in (Mode.BALANCED, Mode.MAX):
            for order, ordered in (("alphabetical", names), ("reverse", names[::-1])):
                with temporary_folder(work) as place:
                    found = measure_order(family, ordered, place, mode)
                found["of_recipe"] = round(found["stored_nbytes"]["all"] / record["recipe"]["nbytes"], 4)
                record["orders"][f"{order}, {mode.value}"] = found
        record["tensors"] = measure_tensors(family)
        if options.peers:
            record["peers"] = measure_peers(family)
    print_result(record)
    write_record(record, options.json)


if __name__ == "__main__":
    main()
