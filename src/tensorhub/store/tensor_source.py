"""Tensors in memory as a byte source: the safetensors file that they would make.

Duty: header and data laid end to end, without copying the data. Not its duty: the header's layout (formats).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tensorhub.errors import ShapeMismatchError, SourceChangedError, UnsupportedDTypeError
from tensorhub.formats.safetensors_write import build_header, sort_for_writing
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec
from tensorhub.store.numpy_dtypes import from_numpy_dtype

Buffer = bytes | bytearray | memoryview
TensorData = NDArray[np.generic] | tuple[str, tuple[int, ...], Buffer]


class JoinedSource:
    """Several buffers read as if they were one."""

    def __init__(self, name: str, parts: list[memoryview]) -> None:
        self.name = name
        self._parts = [part for part in parts if len(part)]
        self._starts = [0]
        for part in self._parts:
            self._starts.append(self._starts[-1] + len(part))

    @property
    def nbytes(self) -> int:
        """Total length in bytes."""
        return self._starts[-1]

    def read_into(self, offset: int, out: bytearray | memoryview) -> None:
        """Fill ``out`` from ``offset``."""
        view = memoryview(out).cast("B")
        if offset + len(view) > self.nbytes:
            raise SourceChangedError(
                self.name, expected=f"{offset + len(view)} bytes", found=f"{self.nbytes}"
            )
        index, filled = bisect_right(self._starts, offset) - 1, 0
        while filled < len(view):
            begin = offset + filled - self._starts[index]
            taken = self._parts[index][begin : begin + len(view) - filled]
            view[filled : filled + len(taken)] = taken
            filled += len(taken)
            index += 1


def tensors_source(
    path: str, tensors: Mapping[str, TensorData], metadata: Mapping[str, str] | None
) -> JoinedSource:
    """Lay tensors out as a safetensors file.

    Parameters
    ----------
    path
        Name for messages.
    tensors
        Name -> array, or ``(dtype name, shape, bytes)``; borrowed.
    metadata
        For the header.

    Raises
    ------
    UnsupportedDTypeError
        A dtype has no safetensors spelling.
    ShapeMismatchError
        Shape and number of bytes differ.
    """
    views: dict[str, memoryview] = {}
    specs: list[TensorSpec] = []
    for name, data in tensors.items():
        spec, view = _describe(name, data)
        if len(view) != spec.nbytes or spec.nelems * spec.dtype.bits % 8:
            raise ShapeMismatchError(
                f"tensor {name!r}",
                expected=f"{spec.nbytes} bytes for shape {spec.shape}",
                found=f"{len(view)} bytes",
                action="Give the tensor's whole data.",
            )
        specs.append(spec)
        views[name] = view
    ordered = sort_for_writing(specs)
    header = memoryview(build_header(ordered, metadata))
    return JoinedSource(path, [header, *(views[spec.name] for spec in ordered)])


def _describe(name: str, data: TensorData) -> tuple[TensorSpec, memoryview]:
    if isinstance(data, tuple):
        dtype_name, shape, buffer = data
        try:
            dtype = DType[dtype_name]
        except KeyError:
            raise UnsupportedDTypeError(
                f"dtype {dtype_name!r} of tensor {name!r}",
                expected="a dtype in safetensors spelling, such as BF16",
                found=dtype_name,
                action="See docs/format.md, section 6, for the list.",
            ) from None
        return TensorSpec(name, dtype, tuple(shape)), memoryview(buffer).cast("B")
    array = np.ascontiguousarray(data)
    spec = TensorSpec(name, from_numpy_dtype(data.dtype), data.shape)
    return spec, array.reshape(-1).view(np.uint8).data
