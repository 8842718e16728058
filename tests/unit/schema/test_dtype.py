"""Element types."""

import pytest

from tensorhub.errors import UnsupportedDTypeError
from tensorhub.schema.dtype import DType


def test_ids_never_change() -> None:
    """The numbers are on disk: this list may grow, and nothing in it may change."""
    text = (
        "BOOL U8 I8 F8_E4M3 F8_E5M2 F8_E8M0 F8_E4M3FNUZ F8_E5M2FNUZ F4 F6_E2M3 F6_E3M2 I16 U16 F16 BF16 "
        "I32 U32 F32 I64 U64 F64 C64"
    )
    names = text.split()
    assert {dtype.name: dtype.record_id for dtype in DType} == {
        name: number for number, name in enumerate(names, 1)
    }


@pytest.mark.parametrize("dtype", DType)
def test_sizes(dtype: DType) -> None:
    """Bits agree with the name; packed types are coded as bytes; the id leads back."""
    digits = "".join(character for character in dtype.name.partition("_")[0] if character.isdigit())
    assert dtype.bits == (8 if dtype is DType.BOOL else int(digits))
    assert dtype.element_width == max(1, dtype.bits // 8)
    assert DType.from_record_id(dtype.record_id) is dtype


@pytest.mark.parametrize("number", [0, 23, -1, 1 << 40])
def test_unknown_ids(number: int) -> None:
    """A number of a later version is refused."""
    with pytest.raises(UnsupportedDTypeError):
        DType.from_record_id(number)
