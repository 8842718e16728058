"""Chunks for codecs of every distribution that a coder of theirs treats on its own, and the codecs by their kernels.

Invariant: the same name, count, width and seed give the same bytes on every machine and with every NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tensorhub import _native
from tensorhub.codecs import reference_joint, reference_planes, reference_ulp_delta

Words = npt.NDArray[np.uint64]


def random_words(count: int, seed: int) -> Words:
    """Give numbers that look random: splitmix64, whose stream no library can change."""
    with np.errstate(over="ignore"):
        z = (np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed << 32)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def count_bits(words: Words) -> Words:
    """Give how many bits of each number are set."""
    bits = np.unpackbits(words.view(np.uint8)).reshape(-1, 64)
    return bits.sum(axis=1, dtype=np.uint64)


def bell(count: int, seed: int, spread: int = 32) -> Words:
    """Give small numbers with a bell-shaped distribution: how many of `spread` bits are set."""
    return count_bits(random_words(count, seed) >> np.uint64(64 - spread))


def to_bytes(numbers: Words, width: int) -> bytes:
    """Give the low `width` bytes of each number; above 8 bytes they repeat."""
    plain = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)
    return np.tile(plain, (1, 2))[:, :width].tobytes()


def weights(count: int, width: int, seed: int) -> Words:
    """Give floats by their bits: an exponent like that of weights, noise in sign and mantissa."""
    exponent_bits, bias = {1: (4, 5), 2: (8, 100), 4: (8, 100), 8: (11, 1000)}.get(width, (8, 100))
    mantissa_bits = 8 * min(width, 8) - 1 - exponent_bits
    words = random_words(count, seed)
    # Each halving of the magnitude is half as frequent.
    octave = np.minimum(count_bits(~words & (words - np.uint64(1))), np.uint64(bias))
    exponent = np.uint64(bias + 5) - octave if bias > 5 else octave
    mantissa = random_words(count, seed + 1) >> np.uint64(64 - mantissa_bits)
    sign = random_words(count, seed + 2) >> np.uint64(63)
    return sign << np.uint64(8 * min(width, 8) - 1) | exponent << np.uint64(mantissa_bits) | mantissa


def trimmed_rows(count: int, width: int, seed: int) -> Words:
    """Give noise in rows of 256 of which each second one lacks its lowest bits."""
    words = random_words(count, seed)
    is_short = (np.arange(count) // 256 % 2).astype(bool)
    return np.where(is_short, words & ~np.uint64(0x0303030303030303), words)


def rare(count: int, width: int, seed: int) -> Words:
    """Give one symbol, and in one place another."""
    words = np.full(count, 0x4242424242424242, np.uint64)
    words[seed % max(1, count) :][:1] = 0x99FF00FF00FF0001
    return words


def sparse(count: int, width: int, seed: int) -> Words:
    """Give zeros, one in fifty of them replaced by anything."""
    words = random_words(count, seed)
    return np.where(words % np.uint64(50) == 0, random_words(count, seed + 1), np.uint64(0))


def far_escapes(count: int, width: int, seed: int) -> Words:
    """Give few frequent bytes, and one in ten from anywhere."""
    anywhere = random_words(count, seed)
    return np.where(
        anywhere % np.uint64(10) == 0, anywhere, bell(count, seed + 1, 5) * np.uint64(0x0101010101010101)
    )


def nans(count: int, width: int, seed: int) -> Words:
    """Give NaNs with payloads, of both signs, and infinities."""
    bits = 8 * min(width, 8)
    return random_words(count, seed) | np.uint64({8: 0x78, 16: 0x7F80, 32: 0x7F800000}.get(bits, 0x7FF << 52))


KINDS: dict[str, Callable[[int, int, int], Words]] = {
    "noise": lambda count, width, seed: random_words(count, seed),
    "one symbol": lambda count, width, seed: np.full(count, 0x0101010101010101 * (seed % 256), np.uint64),
    "two symbols": lambda count, width, seed: (
        random_words(count, seed) >> np.uint64(63) << np.uint64(seed % 8)
    ),
    "all 256 alike": lambda count, width, seed: (
        np.arange(count, dtype=np.uint64) * np.uint64(0x0101010101010101)
    ),
    "fifteen symbols": lambda count, width, seed: random_words(count, seed) % np.uint64(15),
    "bell": lambda count, width, seed: bell(count, seed) * np.uint64(0x0101010101010101),
    "narrow bell": lambda count, width, seed: bell(count, seed, 8) << np.uint64(8),
    "wide bell": lambda count, width, seed: bell(count, seed, 64) * np.uint64(3),
    "weights": weights,
    "f32 holding bf16": lambda count, width, seed: weights(count, 2, seed) << np.uint64(16),
    "trimmed rows": trimmed_rows,
    "rare": rare,
    "sparse": sparse,
    "far escapes": far_escapes,
    "nans": nans,
    "sorted": lambda count, width, seed: np.cumsum(bell(count, seed) ** np.uint64(2)),
}


def chunk(kind: str, count: int, width: int, seed: int = 1, tail: int = 0) -> bytes:
    """Make a chunk of `count` elements and `tail` bytes of an unfinished one."""
    return to_bytes(KINDS[kind](count, width, seed), width) + bytes(range(200, 200 + tail))


def prediction_of(target: bytes, how: str, width: int, seed: int = 5) -> bytes:
    """Make a prediction of a chunk: how far the elements, as integers, are from it."""
    count = len(target) // width
    if how == "equal":
        return target
    if how == "zeros":
        return bytes(len(target))
    if how == "unrelated":
        return random_words(len(target) // 8 + 1, seed).view(np.uint8)[: len(target)].tobytes()
    words = random_words(count, seed)
    step = {
        "few steps": np.where(
            words % np.uint64(30) == 0, bell(count, seed + 1) - np.uint64(16), np.uint64(0)
        ),
        "small steps": bell(count, seed + 1, 4) - np.uint64(2),
        "large steps": (bell(count, seed + 1) - np.uint64(16))
        * (words >> np.uint64(40) + words % np.uint64(24)),
        "low byte lost": words >> np.uint64(64 - 8 * max(1, width - 2) - 3),
        "few far steps": np.where(words % np.uint64(50) == 0, words, np.uint64(0)),
    }[how]
    elements = np.frombuffer(target[: count * width], f"<u{width}")
    return (elements + step.astype(f"<u{width}")).tobytes() + target[count * width :]


PREDICTIONS = (
    "equal",
    "zeros",
    "unrelated",
    "few steps",
    "small steps",
    "large steps",
    "low byte lost",
    "few far steps",
)


@dataclass(frozen=True)
class Kernel:
    """A codec as its kernels see it; ``setting`` is the effort of planes and the kind of joint."""

    name: str
    needs_prediction: bool = False

    def encode(self, target: bytes, width: int, setting: int = 0, prediction: bytes = b"") -> bytes:
        if self.name == "planes":
            return _native.encode_planes(target, width, setting)
        if self.name == "joint":
            return _native.encode_joint(target, setting)
        call = {"ulp_delta": _native.encode_ulp_delta, "ulp_delta_fast": _native.encode_ulp_delta_fast}[
            self.name
        ]
        return call(target, prediction, width)

    def decode(self, coded: bytes, width: int, nbytes: int, prediction: bytes = b"") -> bytes:
        """Decode into guarded memory that is not aligned, out of memory that ends with the last coded byte."""
        memory = bytearray(b"\xa5" * (nbytes + 34))
        out = memoryview(memory)[17 : 17 + nbytes]
        try:
            if self.name == "planes":
                _native.decode_planes(coded, width, out)
            elif self.name == "joint":
                _native.decode_joint(coded, width, out)
            elif self.name == "ulp_delta":
                _native.decode_ulp_delta(coded, prediction, width, out)
            else:
                _native.decode_ulp_delta_fast(coded, prediction, width, out)
        finally:
            assert memory[:17] == memory[17 + nbytes :] == b"\xa5" * 17
        return bytes(out)

    def define(self, coded: bytes, width: int, nbytes: int, prediction: bytes = b"") -> bytes:
        """Decode by the plain twin."""
        if self.name == "planes":
            return reference_planes.decode_planes(coded, width, nbytes)
        if self.name == "joint":
            return reference_joint.decode_joint(coded, width, nbytes)
        if self.name == "ulp_delta":
            return reference_ulp_delta.decode_ulp_delta(coded, prediction, width, nbytes)
        return reference_ulp_delta.decode_ulp_delta_fast(coded, prediction, width, nbytes)


PLANES, JOINT = Kernel("planes"), Kernel("joint")
ULP_DELTA, ULP_DELTA_FAST = Kernel("ulp_delta", True), Kernel("ulp_delta_fast", True)
KERNELS = (PLANES, JOINT, ULP_DELTA, ULP_DELTA_FAST)
LEVELS = tuple(_native.simd_levels())


@contextmanager
def simd_level(name: str):
    """Use another SIMD path for a while."""
    used = _native.simd_level()
    _native.set_simd_level(name)
    try:
        yield
    finally:
        _native.set_simd_level(used)


def encode_on_every_path(
    kernel: Kernel, target: bytes, width: int, setting: int = 0, prediction: bytes = b""
) -> bytes:
    """Encode on every SIMD path of this processor; all must write the same bytes."""
    results = []
    for level in LEVELS:
        with simd_level(level):
            results.append(kernel.encode(target, width, setting, prediction))
    assert len(set(results)) == 1, (kernel.name, LEVELS, [len(coded) for coded in results])
    return results[0]


def decode_on_every_path(
    kernel: Kernel, coded: bytes, width: int, nbytes: int, prediction: bytes = b""
) -> bytes:
    """Decode on every SIMD path of this processor; all must give the same bytes."""
    results = []
    for level in LEVELS:
        with simd_level(level):
            results.append(kernel.decode(coded, width, nbytes, prediction))
    assert len(set(results)) == 1, (kernel.name, LEVELS)
    return results[0]
