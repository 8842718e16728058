"""Element types of tensors, in the spelling of safetensors.

Duty: name, stable numeric id, size in bits. Not its duty: arithmetic or NumPy objects.
Invariants: ids are written to disk and never reused; sizes are in bits, because the format has
sub-byte types.
"""

from __future__ import annotations

from enum import Enum

from tensorhub.errors import UnsupportedDTypeError


class DType(Enum):
    """An element type; the value is ``(record id, bits)``.

    The names are those of the safetensors format, so ``DType["BF16"]`` parses a header.
    """

    BOOL = (1, 8)
    U8 = (2, 8)
    I8 = (3, 8)
    F8_E4M3 = (4, 8)
    F8_E5M2 = (5, 8)
    F8_E8M0 = (6, 8)
    F8_E4M3FNUZ = (7, 8)
    F8_E5M2FNUZ = (8, 8)
    F4 = (9, 4)
    F6_E2M3 = (10, 6)
    F6_E3M2 = (11, 6)
    I16 = (12, 16)
    U16 = (13, 16)
    F16 = (14, 16)
    BF16 = (15, 16)
    I32 = (16, 32)
    U32 = (17, 32)
    F32 = (18, 32)
    I64 = (19, 64)
    U64 = (20, 64)
    F64 = (21, 64)
    C64 = (22, 64)

    @property
    def record_id(self) -> int:
        """Number that stands for the type in records."""
        return self.value[0]

    @property
    def bits(self) -> int:
        """Bits of one element."""
        return self.value[1]

    @property
    def element_width(self) -> int:
        """Bytes of one element; 1 for sub-byte types, which are coded as plain bytes."""
        return max(1, self.bits // 8)

    @classmethod
    def from_record_id(cls, record_id: int) -> DType:
        """Find the type by its record id.

        Raises
        ------
        UnsupportedDTypeError
            No type has this id.
        """
        try:
            return _BY_RECORD_ID[record_id]
        except KeyError:
            raise UnsupportedDTypeError(
                f"dtype id {record_id}",
                expected="a dtype id of this format version",
                found=str(record_id),
                action="Use a newer TensorHub to read this store.",
            ) from None


_BY_RECORD_ID = {dtype.record_id: dtype for dtype in DType}
