"""Between the format's element types and NumPy's."""

import numpy as np
import pytest

from tensorhub.errors import UnsupportedDTypeError
from tensorhub.schema.dtype import DType
from tensorhub.store.numpy_dtypes import from_numpy_dtype, to_numpy_dtype


@pytest.mark.parametrize("dtype", DType)
def test_both_ways(dtype: DType) -> None:
    """A type of whole bytes has a NumPy type of that width and comes back; packed ones are refused."""
    if dtype.bits < 8:
        with pytest.raises(UnsupportedDTypeError):
            to_numpy_dtype(dtype)
        return
    numpy_dtype = to_numpy_dtype(dtype)
    assert numpy_dtype.itemsize * 8 == dtype.bits
    assert from_numpy_dtype(numpy_dtype) is dtype


@pytest.mark.parametrize("name", [">i4", ">f2", "U3", "S3", "O", "c16", "M8[s]", "V2"])
def test_strangers(name: str) -> None:
    """Other types, and other byte orders, are refused and never approximated."""
    with pytest.raises(UnsupportedDTypeError):
        from_numpy_dtype(np.dtype(name))
