"""Small tensors that look like trained BF16 weights, for the lineage tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tensorhub.lineage.sketch import Sketch, sketch_of
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec


def normal(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape, np.float32) * np.float32(0.02)


def tuned(weights: NDArray[np.float32], change: float, seed: int) -> NDArray[np.float32]:
    """Fine-tune: each weight moves by about ``change`` of its size."""
    noise = np.random.default_rng(seed).standard_normal(weights.shape, np.float32)
    return weights * (1 + np.float32(change) * noise)


def bf16(weights: NDArray[np.float32]) -> NDArray[np.uint16]:
    return ((weights.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


def sketch_bf16(weights: NDArray[np.float32]) -> Sketch:
    return sketch_of(bf16(weights).tobytes(), TensorSpec("w", DType.BF16, weights.shape))
