"""Sizes of tensors."""

import pytest

from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec


@pytest.mark.parametrize(
    ("dtype", "shape", "nelems", "nbytes", "row_nelems"),
    [
        (DType.BF16, (3, 4, 5), 60, 120, 20),
        (DType.F32, (), 1, 4, 1),
        (DType.F64, (7,), 7, 56, 1),
        (DType.I8, (0, 9), 0, 0, 9),
        (DType.F4, (3,), 3, 2, 1),
        (DType.F6_E2M3, (4,), 4, 3, 1),
    ],
)
def test_sizes(dtype: DType, shape: tuple[int, ...], nelems: int, nbytes: int, row_nelems: int) -> None:
    """Elements, bytes and row length follow from shape and type; bits are rounded up."""
    spec = TensorSpec("w", dtype, shape)
    assert (spec.nelems, spec.nbytes, spec.row_nelems) == (nelems, nbytes, row_nelems)
