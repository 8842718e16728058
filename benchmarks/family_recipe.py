"""The recipe that a store of a family is measured against, from raw files and with known parents.

Sum over distinct tensors of the best of {byte planes, XOR with the true parent + byte planes}, zstd level 1
over 2 MiB pieces, plus distinct other files and safetensors headers by zstd level 3. It pays nothing for
names, indexes, checksums or random access. No code of the store takes part.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from benchmarks.lineage_recipe import Bytes, FamilyTensor, read_tensors
from benchmarks.store_folder import file_paths

PIECE_NBYTES = 2 << 20
_PLANES = zstandard.ZstdCompressor(level=1)
_OTHER = zstandard.ZstdCompressor(level=3)

# From the data set's own description. Who is not listed was trained or cast from nothing that XOR could use.
PARENTS = {
    "base-sharded": "base",
    "ckpt-0001": "base",
    "ckpt-0002": "ckpt-0001",
    "ckpt-0003": "ckpt-0002",
    "ckpt-0004": "ckpt-0002",  # no ckpt-0003 in the larger family; see parent_of
    "ft-chat": "base",
    "ft-frozen": "base",
    "ft-ft": "ft-prose",
    "ft-gentle": "base",
    "ft-json": "base",
    "ft-lora": "base",
    "ft-mild": "base",
    "ft-prose": "base",
}


def parent_of(repository: str, present: set[str]) -> str | None:
    """Give the true parent of a repository, or None."""
    if repository == "ckpt-0004" and "ckpt-0003" in present:
        return "ckpt-0003"
    parent = PARENTS.get(repository, "base" if repository.startswith(("base-", "ft-", "ckpt-")) else None)
    return parent if parent in present else None


def planes_nbytes(data: Bytes, element_width: int) -> int:
    """Coded size of a tensor by itself; a piece that does not shrink costs what it is."""
    total = 0
    for start in range(0, data.size, PIECE_NBYTES):
        piece = data[start : start + PIECE_NBYTES]
        planes = np.ascontiguousarray(piece.reshape(-1, element_width).T)
        total += min(len(_PLANES.compress(planes.data)), piece.size)
    return total


def xor_rows(target: Bytes, parent: Bytes) -> Bytes:
    """XOR the bytes that both have, which are the common rows; the rest of the target stays."""
    common = min(target.size, parent.size)
    return np.concatenate([target[:common] ^ parent[:common], target[common:]])


def is_comparable(target: FamilyTensor, parent: FamilyTensor) -> bool:
    """Whether the parent's tensor has the same element type and the same rows."""
    return target.spec.dtype == parent.spec.dtype and target.spec.shape[1:] == parent.spec.shape[1:]


def lineage_order(repositories: set[str]) -> list[str]:
    """Order repositories so that parents come before children."""

    def depth(repository: str) -> int:
        parent = parent_of(repository, repositories)
        return 0 if parent is None else 1 + depth(parent)

    return sorted(repositories, key=lambda repository: (depth(repository), repository))


def recipe(family: Path) -> dict[str, Any]:
    """Measure the recipe on a folder of repositories.

    Returns
    -------
    dict
        ``nbytes`` in all, its parts, and coded bytes by repository; a tensor counts for the first one.
    """
    repositories = {path.name for path in family.iterdir() if path.is_dir()}
    tensors: dict[str, dict[str, FamilyTensor]] = {name: {} for name in repositories}
    for name in repositories:
        for tensor in read_tensors(family / name):
            tensors[name][tensor.spec.name] = tensor
    seen: set[bytes] = set()
    by_repository: dict[str, int] = {}
    standalone_nbytes = delta_nbytes = 0
    for repository in lineage_order(repositories):
        parent = parent_of(repository, repositories)
        by_repository[repository] = 0
        for name, tensor in tensors[repository].items():
            digest = hashlib.blake2b(tensor.data.tobytes()).digest()
            if digest in seen:
                continue
            seen.add(digest)
            alone = planes_nbytes(tensor.data, tensor.element_width)
            base = tensors[parent].get(name) if parent else None
            delta = alone
            if base is not None and is_comparable(tensor, base):
                delta = planes_nbytes(xor_rows(tensor.data, base.data), tensor.element_width)
            by_repository[repository] += min(alone, delta)
            if delta < alone:
                delta_nbytes += delta
            else:
                standalone_nbytes += alone
    other_nbytes = _other_nbytes(family)
    return {
        "nbytes": standalone_nbytes + delta_nbytes + other_nbytes,
        "distinct_tensors": len(seen),
        "standalone_nbytes": standalone_nbytes,
        "delta_nbytes": delta_nbytes,
        "other_nbytes": other_nbytes,
        "by_repository": by_repository,
    }


def _other_nbytes(family: Path) -> int:
    """Coded size of distinct files and headers that are not tensors."""
    seen: set[bytes] = set()
    for path in file_paths(family):
        content = path.read_bytes()
        if path.suffix == ".safetensors":
            content = content[: 8 + struct.unpack("<Q", content[:8])[0]]
        seen.add(content)
    return sum(min(len(_OTHER.compress(content)), len(content)) for content in seen)
