"""Calibrates and checks the predicted sizes of ``tensorhub.lineage.prediction``.

Fits the plane coefficients on one family and reports the error of the *committed* coefficients on it and on a
second family that took no part in the fit. Run::

    python -m benchmarks.lineage_calibration --family DATA/family --check DATA/tiny-family --json FILE
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.lineage_recipe import FamilyTensor, load_family, plane_nbytes, residual
from benchmarks.record import machine
from tensorhub._native import sketch_features
from tensorhub.lineage.placement import SKETCH_NBYTES
from tensorhub.lineage.prediction import PLANE_COEFFICIENTS, predict_bits_per_byte

SEED = 1
TARGETS_PER_SHAPE = 12  # each with all namesakes and two strangers: about 1,000 deltas, one minute
MIN_NBYTES = {"fit": 64 << 10, "check": 16 << 10}  # the check family is small


def samples(tensors: list[FamilyTensor]) -> list[tuple[str, NDArray[np.float32], NDArray[np.float64]]]:
    """Give (kind, features of the sketch, measured bits per plane byte) of deltas and plain tensors."""
    chance = random.Random(SEED)
    by_shape: dict[tuple[int, tuple[int, ...]], list[FamilyTensor]] = {}
    for tensor in tensors:
        by_shape.setdefault((tensor.element_width, tensor.spec.shape), []).append(tensor)
    rows = []
    mask = np.full(SKETCH_NBYTES, 255, np.uint8)
    for (width, _), group in by_shape.items():
        sketches = {id(tensor): np.frombuffer(tensor.sketch().values, np.uint8) for tensor in group}
        for target in chance.sample(group, min(len(group), TARGETS_PER_SHAPE)):
            others = [tensor for tensor in group if tensor is not target]
            namesakes = [tensor for tensor in others if tensor.spec.name == target.spec.name]
            strangers = [tensor for tensor in others if tensor.spec.name != target.spec.name]
            picked = namesakes + chance.sample(strangers, min(2, len(strangers)))
            for base in [None, *picked]:
                other = np.zeros(SKETCH_NBYTES, np.uint8) if base is None else sketches[id(base)]
                features = sketch_features(sketches[id(target)].reshape(1, -1), other, mask, width)[0]
                nbytes = plane_nbytes(residual(target.data, None if base is None else base.data), width)
                rows.append(
                    ("plain" if base is None else "delta", features, nbytes * 8 * width / target.data.size)
                )
    return rows


def fit(rows: list[tuple[str, NDArray[np.float32], NDArray[np.float64]]]) -> list[float]:
    """Least squares over single planes."""
    features = np.concatenate([row[1] for row in rows]).astype(np.float64)
    features[:, 0] = 1.0 - features[:, 0]
    solution = np.linalg.lstsq(features, np.concatenate([row[2] for row in rows]), rcond=None)[0]
    return [round(float(value), 3) for value in solution]


def errors(rows: list[tuple[str, NDArray[np.float32], NDArray[np.float64]]], kind: str) -> dict[str, Any]:
    """Error of the committed coefficients, as fractions of raw and of coded size."""
    chosen = [row for row in rows if row[0] == kind]
    measured = np.array([row[2].mean() for row in chosen]) / 8.0
    predicted = np.array([predict_bits_per_byte(row[1][None])[0] for row in chosen]) / 8.0
    absolute = np.abs(predicted - measured)
    relative = absolute / measured
    return {
        "n": len(chosen),
        "mae_of_raw_size": round(float(absolute.mean()), 4),
        "mae_of_coded_size": round(float(relative.mean()), 4),
        "p95_of_coded_size": round(float(np.percentile(relative, 95)), 4),
        "mean_coded_fraction": round(float(measured.mean()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--family", type=Path, required=True)
    parser.add_argument("--check", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    fitted = samples(load_family(arguments.family, MIN_NBYTES["fit"]))
    checked = samples(load_family(arguments.check, MIN_NBYTES["check"]))
    record = {
        "machine": machine(),
        "recipe": "XOR, byte planes, zstd level 1, 1 MiB chunks",
        "features": ["fraction of nonzero bytes", "sum of bit entropies", "byte entropy, Miller-Madow"],
        "coefficients_fitted": fit(fitted),
        "coefficients_committed": list(PLANE_COEFFICIENTS),
        "error": {
            arguments.family.name: {kind: errors(fitted, kind) for kind in ("delta", "plain")},
            arguments.check.name: {kind: errors(checked, kind) for kind in ("delta", "plain")},
        },
    }
    text = json.dumps(record, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
