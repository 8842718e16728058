"""Between safetensors element types and NumPy's.

Duty: the mapping, both ways. Not its duty: converting values; bytes are only ever viewed.
Invariants: a type that NumPy (with ``ml_dtypes``) cannot view is refused, never approximated.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tensorhub.errors import UnsupportedDTypeError
from tensorhub.schema.dtype import DType

_NUMPY: dict[DType, Any] = {
    DType.BOOL: np.bool_,
    DType.U8: np.uint8,
    DType.I8: np.int8,
    DType.F8_E4M3: ml_dtypes.float8_e4m3fn,
    DType.F8_E5M2: ml_dtypes.float8_e5m2,
    DType.F8_E8M0: ml_dtypes.float8_e8m0fnu,
    DType.F8_E4M3FNUZ: ml_dtypes.float8_e4m3fnuz,
    DType.F8_E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    DType.I16: np.int16,
    DType.U16: np.uint16,
    DType.F16: np.float16,
    DType.BF16: ml_dtypes.bfloat16,
    DType.I32: np.int32,
    DType.U32: np.uint32,
    DType.F32: np.float32,
    DType.I64: np.int64,
    DType.U64: np.uint64,
    DType.F64: np.float64,
    DType.C64: np.complex64,
}
_DTYPES = {np.dtype(numpy_type): dtype for dtype, numpy_type in _NUMPY.items()}


def to_numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """Give the NumPy type that views the bytes of ``dtype``.

    Raises
    ------
    UnsupportedDTypeError
        NumPy has none: packed sub-byte types.
    """
    if dtype not in _NUMPY:
        raise UnsupportedDTypeError(
            f"dtype {dtype.name}",
            expected="a type of at least one byte",
            found=f"{dtype.bits} bits per element",
            action="Read the tensor's bytes instead.",
        )
    found: np.dtype[Any] = np.dtype(_NUMPY[dtype])
    return found


def from_numpy_dtype(numpy_dtype: np.dtype[Any]) -> DType:
    """Give the safetensors type of an array's little-endian bytes.

    Raises
    ------
    UnsupportedDTypeError
        The format has none, or the array is big-endian.
    """
    dtype = _DTYPES.get(numpy_dtype)
    if dtype is None or numpy_dtype.byteorder == ">":
        raise UnsupportedDTypeError(
            f"NumPy dtype {numpy_dtype}",
            expected="a little-endian type that safetensors knows",
            found=str(numpy_dtype),
            action="Convert the array first.",
        )
    return dtype
