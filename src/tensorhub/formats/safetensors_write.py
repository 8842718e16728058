"""Headers of new safetensors files.

Duty: the length bytes and JSON header for given tensors, byte for byte as the reference writer makes them.
Not its duty: the data behind the header.
Invariants: tensors lie without gaps, larger alignment first, then by name; the header is padded with spaces,
so that data starts at a multiple of 8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tensorhub.errors import LimitExceededError, UsageError
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec

LENGTH_NBYTES = 8
MAX_HEADER_NBYTES = 100_000_000  # the limit of the reference reader; a longer header nobody else could read

# The order of the reference writer's enumeration; it sorts tensors by it, last first.
_WRITING_ORDER = (
    DType.BOOL, DType.F4, DType.F6_E2M3, DType.F6_E3M2, DType.U8, DType.I8, DType.F8_E5M2, DType.F8_E4M3,
    DType.F8_E8M0, DType.F8_E4M3FNUZ, DType.F8_E5M2FNUZ, DType.I16, DType.U16, DType.F16, DType.BF16,
    DType.I32, DType.U32, DType.F32, DType.C64, DType.F64, DType.I64, DType.U64,
)  # fmt: skip
_RANK = {dtype: rank for rank, dtype in enumerate(_WRITING_ORDER)}


def sort_for_writing(specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    """Put tensors into the order in which their data follows the header."""
    return sorted(specs, key=lambda spec: (-_RANK[spec.dtype], spec.name))


def build_header(specs: Sequence[TensorSpec], metadata: Mapping[str, str] | None = None) -> bytes:
    """Make the head of a safetensors file.

    Parameters
    ----------
    specs
        The tensors, in any order; their data must follow in the order of :func:`sort_for_writing`.
    metadata
        Value of ``__metadata__``, written in the order given; None leaves it out.

    Returns
    -------
    bytes
        Length bytes and header; the length is a multiple of 8.

    Raises
    ------
    UsageError
        A name occurs twice or is reserved, is not Unicode text, or a tensor is not a whole number of bytes.
    LimitExceededError
        The header would be longer than 100 MB.
    """
    members: dict[str, object] = {}
    if metadata is not None:
        members["__metadata__"] = dict(metadata)
    offset = 0
    for spec in sort_for_writing(specs):
        _check(spec, is_new=spec.name not in members)
        end = offset + spec.nbytes
        members[spec.name] = {
            "dtype": spec.dtype.name, "shape": list(spec.shape), "data_offsets": [offset, end],
        }  # fmt: skip
        offset = end
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    try:
        header = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UsageError(
            "safetensors header", expected="names and metadata of Unicode text",
            found="half a surrogate pair", action="Rename the tensor or drop the metadata.",
        ) from error  # fmt: skip
    header += b" " * (-len(header) % LENGTH_NBYTES)
    if len(header) > MAX_HEADER_NBYTES:
        raise LimitExceededError(
            "safetensors header", expected=f"at most {MAX_HEADER_NBYTES} bytes", found=f"{len(header)}",
            action="Write the tensors into several files.",
        )  # fmt: skip
    return len(header).to_bytes(LENGTH_NBYTES, "little") + header


def _check(spec: TensorSpec, *, is_new: bool) -> None:
    if spec.name == "__metadata__" or not is_new:
        raise UsageError(
            f"tensor {spec.name!r}", expected="a name of its own", found="one that is taken",
            action="Rename the tensor.",
        )  # fmt: skip
    if spec.nelems * spec.dtype.bits % 8:
        raise UsageError(
            f"tensor {spec.name!r}", expected="a whole number of bytes",
            found=f"{spec.nelems * spec.dtype.bits} bits", action="Pad its last dimension.",
        )  # fmt: skip
