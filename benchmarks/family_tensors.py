"""What the codecs make of each distinct tensor of a family, against the recipe's coding of the same tensor.

Duty: coded chunks and their records, by kind of repository, in modes balanced and max. Not its duty: the store as a
whole, which finds its bases itself (``family``).
Invariants: a tensor counts for the first repository that has it, parents before children. The codecs take the root of
the family where a tensor of the same shape is there, because a store keeps bases self-contained; the recipe takes the
true parent, or the same base as the codecs (``recipe_same_base``). Everything is decoded again and compared.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.family_recipe import (
    is_comparable,
    lineage_order,
    parent_of,
    planes_nbytes,
    xor_rows,
)
from benchmarks.lineage_recipe import FamilyTensor, read_tensors
from tensorhub.codecs.base import CodecContext
from tensorhub.codecs.mode import Mode
from tensorhub.codecs.planner import decode_chunk, encode_smallest
from tensorhub.schema.records import CHUNK_NBYTES

# Issue 3: coded chunks and records over the recipe, (balanced,) max.
TENSOR_TARGETS = {
    "BF16 with a parent": "max 0.83",
    "ft-gentle": "max 0.32",
    "ft-mild": "max 0.54",
    "ft-json": "max 0.78",
    "ckpt": "max 0.82",
    "BF16 without a parent": "0.93, max 0.92",
    "all without a parent": "0.965",
}
# What a record takes on disk: digest, sizes, counts of a blob; flags, codec, place, two checksums of a chunk; a
# source's digest. The pack's table is compressed, which digests and checksums do not notice.
_BLOB_NBYTES, _CHUNK_NBYTES, _SOURCE_NBYTES = 44, 26, 38


def coded_nbytes(target: bytes, width: int, base: bytes | None, mode: Mode) -> int:
    """Code a tensor chunk by chunk as the store does, prove it, and count its bytes, records included."""
    chunk_nbytes = CHUNK_NBYTES // width * width
    total, is_delta = _BLOB_NBYTES, False
    for start in range(0, len(target), chunk_nbytes):
        chunk = target[start : start + chunk_nbytes]
        prediction = None if base is None else base[start : start + len(chunk)].ljust(len(chunk), b"\0")
        coded, used = encode_smallest(chunk, width, prediction, mode)
        out = bytearray(len(chunk))
        context = CodecContext(width, prediction if used else None)
        decode_chunk(coded.codec_id, coded.codec_version, coded.parameters, coded.data, context, out)
        assert out == chunk, "a chunk did not come back"
        total += coded.nbytes + _CHUNK_NBYTES
        is_delta |= used
    return total + (_SOURCE_NBYTES if is_delta else 0)


def measure_tensors(family: Path) -> dict[str, Any]:
    """Measure all distinct tensors.

    Returns
    -------
    dict
        By group: bytes of the recipe, and what the modes take over them.
    """
    repositories = {path.name for path in family.iterdir() if path.is_dir()}
    tensors: dict[str, dict[str, FamilyTensor]] = {
        name: {tensor.spec.name: tensor for tensor in read_tensors(family / name)} for name in repositories
    }
    seen: set[bytes] = set()
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for repository in lineage_order(repositories):
        parent_name = parent_of(repository, repositories)
        for name, tensor in tensors[repository].items():
            target = tensor.data.tobytes()
            digest = hashlib.blake2b(target).digest()
            if digest in seen:
                continue
            seen.add(digest)
            own = tensors[parent_name].get(name) if parent_name else None
            if own is not None and not is_comparable(tensor, own):
                own = None
            root = tensors.get("base", {}).get(name)
            base = root if own is not None and root is not None and is_comparable(tensor, root) else own
            width = tensor.element_width
            alone = planes_nbytes(tensor.data, width)
            recipes = [
                alone
                if parent is None
                else min(alone, planes_nbytes(xor_rows(tensor.data, parent.data), width))
                for parent in (own, base)
            ]
            coded_against = None if base is None else base.data.tobytes()
            sizes = {
                mode: coded_nbytes(target, width, coded_against, mode) for mode in (Mode.BALANCED, Mode.MAX)
            }
            for group in _groups(repository, tensor, has_parent=own is not None):
                sums[group]["recipe"] += recipes[0]
                sums[group]["recipe_same_base"] += recipes[1]
                for mode, nbytes in sizes.items():
                    sums[group][mode.value] += nbytes
    return {
        group: {
            "recipe": found["recipe"],
            "balanced": round(found["balanced"] / found["recipe"], 4),
            "max": round(found["max"] / found["recipe"], 4),
            "max_over_recipe_same_base": round(found["max"] / found["recipe_same_base"], 4),
        }
        for group, found in sorted(sums.items())
    }


def _groups(repository: str, tensor: FamilyTensor, *, has_parent: bool) -> list[str]:
    """Give the groups that a tensor counts for."""
    is_bf16 = tensor.spec.dtype.name == "BF16"
    if not has_parent:
        return ["all without a parent", *(["BF16 without a parent"] if is_bf16 else [])]
    name = "ckpt" if repository.startswith("ckpt") else repository
    return [name, *(["BF16 with a parent"] if is_bf16 else [])]
