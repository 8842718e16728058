"""Tensors and segments: what a file is made of.

Duty: the frozen values that say how a file is cut (design decision 1: a file is a segment map).
Not its duty: parsing formats or reading bytes.
Invariants: the segments of a file cover ``[0, nbytes)`` in order without gap or overlap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tensorhub.schema.digest import Digest
from tensorhub.schema.dtype import DType


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, element type and shape of a tensor.

    Attributes
    ----------
    name
        As written in the file.
    dtype
        Element type.
    shape
        Dimensions, outermost first; empty for a scalar.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def nelems(self) -> int:
        """Number of elements; 1 for a scalar."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor; bits are rounded up to whole bytes."""
        return (self.nelems * self.dtype.bits + 7) // 8

    @property
    def row_nelems(self) -> int:
        """Elements of one row: the product of all dimensions but the first; 1 below rank 2."""
        return math.prod(self.shape[1:]) if len(self.shape) > 1 else 1


@dataclass(frozen=True, slots=True)
class ParsedSegment:
    """A run of a file as a format sees it, before it has a digest.

    Attributes
    ----------
    start
        Offset in the file, in bytes.
    nbytes
        Length in bytes.
    tensor
        What the run is, or None for bytes that no format explains.
    """

    start: int
    nbytes: int
    tensor: TensorSpec | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of a file, named by the blob that holds its bytes.

    Attributes
    ----------
    nbytes
        Length in bytes.
    digest
        Digest of those bytes.
    tensor
        What the run is, or None for plain bytes.
    """

    nbytes: int
    digest: Digest
    tensor: TensorSpec | None = None
