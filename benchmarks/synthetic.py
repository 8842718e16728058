"""Safetensors files of weight-like BF16 numbers, of any size, written piece by piece.

Duty: bulk for measuring speed and memory. Not its duty: compression ratios, which only trained models tell;
a normal distribution comes close to what byte planes make of real BF16 weights (two thirds).
Invariants: same seed, same bytes (NumPy's SFC64); memory stays at a few pieces whatever the size.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PIECE_NELEMS = 4 << 20
_DEVIATION = 0.02  # usual for a hidden size of some thousands


def bf16_pieces(nelems: int, seed: int, change: float = 0.0) -> Iterator[NDArray[np.uint16]]:
    """Make weights in pieces, as BF16 words.

    Parameters
    ----------
    nelems
        How many.
    seed
        Decides the weights.
    change
        Standard deviation of what is added before rounding, as a part of that of the weights; the result is
        a fine-tune of the weights of the same seed with no change.
    """
    weights = np.random.Generator(np.random.SFC64(seed))
    changes = np.random.Generator(np.random.SFC64([seed, int(change * 1e9)]))
    for start in range(0, nelems, _PIECE_NELEMS):
        count = min(_PIECE_NELEMS, nelems - start)
        values = weights.standard_normal(count, np.float32)
        if change:
            values += np.float32(change) * changes.standard_normal(count, np.float32)
        values *= np.float32(_DEVIATION)
        words = values.view(np.uint32)
        words += 0x7FFF + (words >> 16 & 1)  # to nearest, ties to even
        yield (words >> 16).astype("<u2")


def write_model(path: Path, shapes: Mapping[str, tuple[int, ...]], seed: int, change: float = 0.0) -> int:
    """Write a safetensors file of BF16 tensors and give its size in bytes."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    nelems = 0
    for name, shape in shapes.items():
        count = int(np.prod(shape, dtype=np.int64))
        header[name] = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [2 * nelems, 2 * (nelems + count)],
        }
        nelems += count
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for piece in bf16_pieces(nelems, seed, change):
            file.write(piece.data)
    return path.stat().st_size
