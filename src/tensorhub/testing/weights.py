"""Bytes that look like weights, for tests.

Duty: small, deterministic buffers of every kind that a store meets: dtypes, NaN payloads, tails, near copies.
Not its duty: real models.
Invariant: the same name and seed give the same bytes on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import ml_dtypes
import numpy as np

_SEED = 20240229  # any fixed number; golden vectors depend on it


@dataclass(frozen=True, slots=True)
class WeightSample:
    """A buffer with its element width.

    Attributes
    ----------
    name
        What it is like.
    data
        The bytes.
    element_width
        Bytes per element.
    """

    name: str
    data: bytes
    element_width: int


def weight_samples(count: int = 3000) -> list[WeightSample]:
    """Make one buffer of each kind.

    Parameters
    ----------
    count
        Elements in the larger ones.

    Returns
    -------
    list of WeightSample
        Floats of every width, integers, NaN payloads, constants, noise, text, empty and odd lengths.
    """
    rng = np.random.default_rng(_SEED)
    weights = (rng.standard_normal(count) * 0.02).astype(np.float32)
    noise = rng.integers(0, 256, count, np.uint8).tobytes()
    bf16 = weights.astype(ml_dtypes.bfloat16).tobytes()
    nan_payloads = rng.integers(0x7F81, 0x8000, count).astype("<u2").tobytes()
    masked = np.where(rng.random(count) < 0.1, weights, 0).astype("<f4").tobytes()
    samples = [
        WeightSample("bf16", bf16, 2),
        WeightSample("f16", weights.astype("<f2").tobytes(), 2),
        WeightSample("f32", weights.astype("<f4").tobytes(), 4),
        WeightSample("f64", weights.astype("<f8").tobytes(), 8),
        WeightSample("f8_e4m3", (weights * 1000).astype(ml_dtypes.float8_e4m3fn).tobytes(), 1),
        WeightSample("i8", np.clip(weights * 2000, -127, 127).astype(np.int8).tobytes(), 1),
        WeightSample("i64 range", np.arange(count, dtype="<i8").tobytes(), 8),
        WeightSample("c128", weights.astype("<c16").tobytes(), 16),
        WeightSample("f32 mostly zero", masked, 4),
        WeightSample("bf16 NaN payloads", nan_payloads, 2),
        WeightSample("zeros", bytes(count), 4),
        WeightSample("constant elements", b"\x80\x3f" * count, 2),
        WeightSample("noise", noise, 2),
        WeightSample("text", b'{"a": [1, 2, 3]}, ' * (count // 8), 1),
        WeightSample("empty", b"", 2),
        WeightSample("one byte", b"\x7f", 4),
        WeightSample("width 32", noise, 32),
    ]
    samples += [WeightSample(f"bf16 less {n} bytes", bf16[:-n], 2) for n in (1, 3)]
    samples += [WeightSample(f"noise of width {w}", noise[: 40 * w + w // 2], w) for w in range(1, 18)]
    return samples


def near_copy(data: bytes, share: float = 0.05, seed: int = _SEED) -> bytes:
    """Change a few low bits, as a fine-tune does.

    Parameters
    ----------
    data
        The original.
    share
        Share of bytes that change.
    seed
        Which bytes.

    Returns
    -------
    bytes
        As long as ``data``.
    """
    rng = np.random.default_rng(seed)
    values = np.frombuffer(data, np.uint8).copy()
    mask = rng.random(len(values)) < share
    values[mask] ^= rng.integers(1, 8, int(mask.sum()), np.uint8)
    return values.tobytes()
