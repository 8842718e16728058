"""What the lineage benchmarks share: tensors of a folder, and the coding recipe that predictions are about.

The recipe is XOR against the base, byte planes, zstd level 1 on 1 MiB chunks. Tensors are read by a small
parser of their own, so that the benchmark needs no other room.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard
from numpy.typing import NDArray

from tensorhub.lineage.sketch import Sketch, sketch_of
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec

CHUNK_NBYTES = 1 << 20
_COMPRESSOR = zstandard.ZstdCompressor(level=1)

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FamilyTensor:
    """A distinct tensor of a folder of repositories."""

    repository: str
    spec: TensorSpec
    data: Bytes

    @property
    def element_width(self) -> int:
        """Bytes per element."""
        return self.spec.dtype.element_width

    def sketch(self) -> Sketch:
        """Sketch the tensor."""
        return sketch_of(self.data.data, self.spec)


def load_family(folder: Path, min_nbytes: int) -> list[FamilyTensor]:
    """Read each distinct tensor of at least ``min_nbytes`` once, in path and name order."""
    seen: set[bytes] = set()
    tensors = []
    for tensor in read_tensors(folder):
        digest = hashlib.blake2b(tensor.data.tobytes()).digest()
        if tensor.data.size >= min_nbytes and digest not in seen:
            seen.add(digest)
            tensors.append(tensor)
    return tensors


def read_tensors(folder: Path) -> Iterator[FamilyTensor]:
    """Read every tensor of every safetensors file below a folder, in path and name order."""
    for path in sorted(folder.rglob("*.safetensors")):
        content = path.read_bytes()
        start = 8 + struct.unpack("<Q", content[:8])[0]
        for name, entry in sorted(json.loads(content[8:start]).items()):
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                spec = TensorSpec(name, DType[entry["dtype"]], tuple(entry["shape"]))
                yield FamilyTensor(
                    path.parent.name, spec, np.frombuffer(content, np.uint8, end - begin, start + begin)
                )


def residual(target: Bytes, base: Bytes | None) -> Bytes:
    """XOR with as much of the base as there is."""
    if base is None:
        return target
    common = min(target.size, base.size)
    return np.concatenate([target[:common] ^ base[:common], target[common:]])


def plane_nbytes(data: Bytes, element_width: int) -> NDArray[np.int64]:
    """Coded size of each byte plane, summed over chunks; shape (element_width,)."""
    total = np.zeros(element_width, np.int64)
    for start in range(0, data.size, CHUNK_NBYTES):
        planes = np.ascontiguousarray(data[start : start + CHUNK_NBYTES].reshape(-1, element_width).T)
        total += [min(len(_COMPRESSOR.compress(plane.tobytes())), plane.size) for plane in planes]
    return total


def coded_nbytes(target: Bytes, base: Bytes | None, element_width: int) -> int:
    """Coded size of a tensor, alone or as a delta."""
    return int(plane_nbytes(residual(target, base), element_width).sum())
