"""Measures base search: hits, query time, index memory, sketch cost.

``hits`` runs the whole search (sketch, index, shortlist, trial, choice) for each distinct tensor of at least
64 KiB of a family against all others, and compares the coded size of the chosen base with the best found by
coding against the ten nearest tensors of the same shape and the three nearest of other row counts, nearest by
exact count of differing bits, not by sketch. ``index`` fills an index with sketches of one shape. Run::

    python -m benchmarks.lineage hits --family DATA/family --json benchmarks/records/lineage-hits.json
    python -m benchmarks.lineage index --json benchmarks/records/lineage-index.json
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lineage_recipe import Bytes, FamilyTensor, coded_nbytes, load_family
from benchmarks.record import machine
from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.planner import estimate_nbytes
from tensorhub.lineage.choice import (
    SHORTLIST_LIMIT,
    SHORTLIST_TOLERANCE,
    Trial,
    choose_base,
    plan_trial_pieces,
    shortlist,
)
from tensorhub.lineage.index import SketchIndex
from tensorhub.lineage.prediction import predict_standalone_ratio
from tensorhub.lineage.sketch import MIN_SKETCHED_NBYTES, SKETCH_VERSION, Sketch, SketchBuilder

HIT_TOLERANCE = 1.02  # a hit is within 2 % of the best coded size
PROBE_NBYTES = 64 << 10  # common prefix over which the oracle counts differing bits: every tensor has it
ORACLE_SAME, ORACLE_OTHER = 10, 3  # nearest tensors of the same and of other row counts that are really coded
INDEX_SKETCHES = 100_000
FAMILY_SIZES = (100, 2_500)  # many small families; few large ones, where near relatives crowd the shortlist
QUERIES = 300


def oracle(
    target: int, tensors: Sequence[FamilyTensor], peers: NDArray[np.int64], probes: Bytes
) -> dict[int, int]:
    """Coded size against each plausible base; peers have the target's element width and row length."""
    own = tensors[target]
    words = probes.view(np.uint64)
    distances = np.bitwise_count(words[peers] ^ words[target]).sum(axis=1, dtype=np.int64)
    order = peers[np.argsort(distances, kind="stable")]
    same = [int(i) for i in order if tensors[i].spec.shape == own.spec.shape and i != target][:ORACLE_SAME]
    other = [int(i) for i in order if tensors[i].spec.shape != own.spec.shape][:ORACLE_OTHER]
    return {i: coded_nbytes(own.data, tensors[i].data, own.element_width) for i in same + other}


def hit_rates_by_limit(
    tensors: Sequence[FamilyTensor], index: SketchIndex, sketches: Sequence[Sketch], best: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Hit rate and trials per tensor if the shortlist were longer or shorter and trials coded everything."""

    @functools.cache
    def size(target: int, base: int | None) -> int:
        own = tensors[target]
        return coded_nbytes(own.data, None if base is None else tensors[base].data, own.element_width)

    rates = {}
    for limit in range(1, 7):
        hits = ntrials = 0
        for target, sketch in enumerate(sketches):
            matches = [match for match in index.query(sketch, limit=17) if match.key != target]
            picked = shortlist(matches, predict_standalone_ratio(sketch), limit=limit)
            base = choose_base(size(target, None), [Trial(m.key, size(target, m.key)) for m in picked])
            hits += size(target, base) <= HIT_TOLERANCE * best[target]
            ntrials += len(picked)
        rates[str(limit)] = {
            "hit_rate": round(hits / len(tensors), 4),
            "trials": round(ntrials / len(tensors), 2),
        }
    return rates


def search(
    target: int, tensors: Sequence[FamilyTensor], index: SketchIndex, sketch: Sketch
) -> tuple[int | None, int, float]:
    """Find a base as the store does; give it, the number of trials and the predicted gain."""
    own = tensors[target]
    matches = [match for match in index.query(sketch, limit=17) if match.key != target]
    picked = shortlist(matches, predict_standalone_ratio(sketch))
    if not picked:
        return None, 0, 0.0
    pieces = plan_trial_pieces(own.data.size, own.element_width)

    def cut(data: Bytes) -> bytearray:
        """Give the trial pieces of a tensor, zeros past its end."""
        joined = bytearray(sum(nbytes for _, nbytes in pieces))
        at = 0
        for offset, nbytes in pieces:
            piece = data[offset : offset + nbytes].tobytes()
            joined[at : at + len(piece)] = piece
            at += nbytes
        return joined

    def coded(base: Bytes | None) -> int:
        return estimate_nbytes(
            cut(own.data), CodecContext(own.element_width, None if base is None else cut(base))
        )

    trials = [Trial(match.key, coded(tensors[match.key].data)) for match in picked]
    gain = picked[0].predicted_ratio / predict_standalone_ratio(sketch)
    return choose_base(coded(None), trials), len(trials), gain


def measure_hits(family: Path) -> dict[str, Any]:
    tensors = load_family(family, MIN_SKETCHED_NBYTES)
    sketches = [tensor.sketch() for tensor in tensors]
    index = SketchIndex()
    for key, sketch in enumerate(sketches):
        index.add(key, sketch)
    probes = np.stack([tensor.data[:PROBE_NBYTES] for tensor in tensors])
    classes = np.array([(tensor.element_width, tensor.spec.row_nelems) for tensor in tensors])
    regrets: list[float] = []
    bests: list[int] = []
    misses: list[dict[str, Any]] = []
    closest = float("inf")
    trials, kinds = Counter[int](), Counter[str]()
    chosen_total = alone_total = 0
    for target, own in enumerate(tensors):
        peers = np.flatnonzero((classes == classes[target]).all(axis=1))
        alone = coded_nbytes(own.data, None, own.element_width)
        sizes = oracle(target, tensors, peers, probes)
        base, ntrials, gain = search(target, tensors, index, sketches[target])
        chosen = alone if base is None else coded_nbytes(own.data, tensors[base].data, own.element_width)
        best = min([alone, *sizes.values()])
        bests.append(best)
        regrets.append(chosen / best - 1.0)
        trials[ntrials] += 1
        if base is not None:
            closest = min(closest, gain)
        kinds["standalone" if base is None else "delta"] += 1
        chosen_total, alone_total = chosen_total + chosen, alone_total + alone
        if chosen > HIT_TOLERANCE * best:
            key = min(sizes, key=sizes.__getitem__)
            misses.append(
                {
                    "target": f"{own.repository}/{own.spec.name}",
                    "best": f"{tensors[key].repository}/{tensors[key].spec.name}",
                    "chosen": None
                    if base is None
                    else f"{tensors[base].repository}/{tensors[base].spec.name}",
                    "regret": round(regrets[-1], 4),
                }
            )
    return {
        "machine": machine(),
        "tensors": len(tensors),
        "hit_rate": round(1.0 - len(misses) / len(tensors), 4),
        "mean_regret": round(statistics.fmean(regrets), 5),
        "worst_regret": round(max(regrets), 4),
        "chosen_over_best_total": round(chosen_total / sum(bests), 5),
        "chosen_over_standalone_total": round(chosen_total / alone_total, 5),
        "shortlist": {"limit": SHORTLIST_LIMIT, "tolerance": SHORTLIST_TOLERANCE},
        "trials_per_tensor": {str(count): trials[count] for count in sorted(trials)},
        "choices": dict(kinds),
        "closest_prediction_of_a_delta": round(closest, 4),
        "by_shortlist_limit": hit_rates_by_limit(tensors, index, sketches, bests),
        "misses": misses,
    }


def synthetic_sketches(family_size: int, total: int) -> list[bytes]:
    """Sample bytes of BF16 tensors: families of near copies, from a gentle fine-tune to another training."""
    chance = np.random.default_rng(family_size)
    rows = []
    for _ in range(total // family_size):
        root = chance.standard_normal(256, np.float32) * chance.uniform(0.005, 0.05)
        change = 10.0 ** chance.uniform(-4.0, -0.5, (family_size, 1))  # relative size of the change
        members = root * (1.0 + change * chance.standard_normal((family_size, 256))).astype(np.float32)
        rows.append(((members.astype("<f4").view(np.uint32) + 0x8000) >> 16).astype("<u2").view(np.uint8))
    return [row.tobytes() for row in np.concatenate(rows)]


def measure_index(family_size: int) -> dict[str, Any]:
    values = synthetic_sketches(
        family_size, INDEX_SKETCHES + QUERIES // family_size * family_size + family_size
    )
    order = np.random.default_rng(0).permutation(len(values))
    sketches = [Sketch(SKETCH_VERSION, 2, 4096, 4096, values[i]) for i in order]
    index = SketchIndex()
    started = time.perf_counter()
    for key, sketch in enumerate(sketches[:INDEX_SKETCHES]):
        index.add(key, sketch)
    fill_s = time.perf_counter() - started
    queries = sketches[INDEX_SKETCHES:][:QUERIES]
    index.query(queries[0])
    times_ms, answers = [], []
    for sketch in queries:
        started = time.perf_counter()
        answers.append(index.query(sketch))
        times_ms.append((time.perf_counter() - started) * 1e3)
    exact = [index.query(sketch, is_exhaustive=True) for sketch in queries]
    pairs = list(zip(answers, exact, strict=True))
    first = [a[0].predicted_ratio >= b[0].predicted_ratio for a, b in pairs]
    as_good = [a[0].predicted_ratio * HIT_TOLERANCE >= b[0].predicted_ratio for a, b in pairs]
    shared = [len({m.key for m in a} & {m.key for m in b}) / len(b) for a, b in pairs]
    return {
        "sketches": len(index),
        "family_size": family_size,
        "queries": len(queries),
        "index_mib": round(index.nbytes / 2**20, 2),
        "add_us": round(fill_s / INDEX_SKETCHES * 1e6, 2),
        "query_ms": {
            "median": round(statistics.median(times_ms), 3),
            "p5": round(float(np.percentile(times_ms, 5)), 3),
            "p95": round(float(np.percentile(times_ms, 95)), 3),
        },
        "recall_of_best": round(statistics.fmean(first), 4),
        "recall_within_2_percent": round(statistics.fmean(as_good), 4),
        "recall_of_16": round(statistics.fmean(shared), 4),
    }


def measure_sketch_cost() -> dict[str, Any]:
    """Time the builder on 1 MiB runs of a 256 MiB BF16 tensor, hot and alone (no digest beside it)."""
    run = np.random.default_rng(0).integers(0, 255, 1 << 20, np.uint8)
    times_s = []
    for _ in range(9):
        started = time.perf_counter()
        builder = SketchBuilder(2, 32_768, 4096)
        for part in range(256):
            builder.update(part << 20, run.data)
        builder.finish()
        times_s.append(time.perf_counter() - started)
    times_s.sort()
    return {
        "tensor_mib": 256,
        "ms": {
            "median": round(times_s[4] * 1e3, 3),
            "min": round(times_s[0] * 1e3, 3),
            "max": round(times_s[8] * 1e3, 3),
        },
        "gb_per_s": round((256 << 20) / times_s[4] / 1e9, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["hits", "index"])
    parser.add_argument("--family", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "hits":
        if arguments.family is None:
            parser.error("hits needs --family")
        record = {"data": arguments.family.name, **measure_hits(arguments.family)}
    else:
        record = {
            "machine": machine(),
            "index": [measure_index(size) for size in FAMILY_SIZES],
            "sketch": measure_sketch_cost(),
        }
    text = json.dumps(record, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
