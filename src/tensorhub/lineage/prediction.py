"""Predicted stored sizes: what a delta or a tensor by itself will cost, from samples alone.

Duty: turn per-plane sample statistics into predicted coded bits.
Not its duty: taking the samples, or deciding anything (``choice``).
Invariants: pure; predictions are finite and positive. The recipe that is predicted is XOR (nothing for
standalone), byte planes, zstd level 1 on 1 MiB chunks; other codecs scale but rarely reorder it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorhub._native import sketch_features
from tensorhub.lineage.placement import shared_sample_mask
from tensorhub.lineage.sketch import Sketch

# Coded bits per byte of a plane = the sum of these times (fraction of nonzero bytes, sum of the entropies of
# the eight bit positions, byte entropy). Least squares over single planes of deltas and plain tensors of a
# trained family: benchmarks/records/lineage-calibration.json (python -m benchmarks.lineage_calibration).
# Bit entropies overstate planes whose bits move together (a carry into the exponent), hence the negative one.
PLANE_COEFFICIENTS = (-0.982, 0.862, 0.271)
MIN_PLANE_BITS = 0.01  # an all-equal plane still takes a frame header per chunk, and samples never prove zero
MAX_PLANE_BITS = 8.0  # a plane that does not shrink is stored as it is


def predict_bits_per_byte(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Predict the coded size of tensors or deltas.

    Parameters
    ----------
    features : shape (n, element_width, 3), float32
        As ``sketch_features`` gives them: zero fraction, bit entropy, byte entropy of each plane.

    Returns
    -------
    ndarray, shape (n,), float64
        Coded bits per raw byte, in ``[MIN_PLANE_BITS, MAX_PLANE_BITS]``.
    """
    changed, bit_entropy, byte_entropy = 1.0 - features[..., 0], features[..., 1], features[..., 2]
    weights = PLANE_COEFFICIENTS
    planes = weights[0] * changed + weights[1] * bit_entropy + weights[2] * byte_entropy
    clipped: NDArray[np.float64] = np.clip(planes.astype(np.float64), MIN_PLANE_BITS, MAX_PLANE_BITS)
    return np.asarray(clipped.mean(axis=-1), np.float64)


def predict_standalone_ratio(sketch: Sketch) -> float:
    """Predict ``nbytes / stored nbytes`` of a tensor coded without any base.

    Returns
    -------
    float
        Ratio, at least 1; 1 for an empty tensor.
    """
    if not sketch.nbytes:
        return 1.0
    mask = shared_sample_mask(sketch.nrows, sketch.nrows, sketch.row_nelems, sketch.element_width)
    samples = np.frombuffer(sketch.values, np.uint8).reshape(1, -1)
    features = sketch_features(samples, np.zeros_like(samples[0]), mask, sketch.element_width)
    return float(MAX_PLANE_BITS / predict_bits_per_byte(features)[0])


def predict_delta_ratio(
    bits_per_byte: NDArray[np.float64], overlap: float, standalone_ratio: float
) -> NDArray[np.float64]:
    """Predict ``nbytes / stored nbytes`` of a tensor coded against a base of perhaps fewer rows.

    Parameters
    ----------
    bits_per_byte : shape (n,)
        Predicted coded bits per byte of the rows that the base has.
    overlap
        Fraction of the tensor's rows that the base has, 0 to 1.
    standalone_ratio
        Ratio for the remaining rows.

    Returns
    -------
    ndarray, shape (n,), float64
        Ratio of the whole tensor; larger is better.
    """
    stored = overlap * bits_per_byte / MAX_PLANE_BITS + (1.0 - overlap) / standalone_ratio
    return np.asarray(1.0 / stored, np.float64)
