"""Sketches: 512 sampled bytes by which a tensor's likely base is found.

Duty: the sketch value, its wire form, and its builder that rides along the digest pass.
Not its duty: where samples lie (``placement``), comparing sketches (``index``).
Invariants: a sketch depends only on the tensor's bytes, row count, row length and element width, never on
its name, on how its bytes were cut into runs, or on the machine; equal sketches have equal bytes.
Specified in ``docs/format.md``, section 11.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tensorhub.errors import (
    InvalidRecordError,
    ShapeMismatchError,
    UnsupportedDTypeError,
    UnsupportedVersionError,
)
from tensorhub.lineage.placement import SKETCH_NBYTES, SKETCHED_WIDTHS, sample_positions
from tensorhub.schema.tensor import TensorSpec
from tensorhub.schema.wire import RecordReader, RecordWriter

SKETCH_VERSION = 1
# Below, a sketch costs nearly 1 % of the tensor or more; candidates are tried directly instead.
MIN_SKETCHED_NBYTES = 64 << 10

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Sketch:
    """A small summary of a tensor.

    Attributes
    ----------
    version
        Version of placement and layout; only sketches of one version compare.
    element_width
        Bytes per element: 1, 2, 4 or 8.
    nrows
        First dimension; all elements below rank 2.
    row_nelems
        Elements of one row.
    values
        512 bytes: the sampled elements in bucket order, little-endian as stored; zeros for an empty tensor.
    """

    version: int
    element_width: int
    nrows: int
    row_nelems: int
    values: bytes

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor that was sketched."""
        return self.nrows * self.row_nelems * self.element_width

    def to_bytes(self) -> bytes:
        """Serialise the sketch: the value of a SKETCH fact, about 520 bytes."""
        writer = RecordWriter()
        for value in (self.version, self.element_width, self.nrows, self.row_nelems):
            writer.varint(value)
        writer.raw(self.values)
        return writer.getvalue()


def parse_sketch(data: bytes | memoryview) -> Sketch:
    """Parse the value of a SKETCH fact.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout or its limits.
    UnsupportedVersionError
        The sketch has another version; it can be computed again from the tensor.
    """
    reader = RecordReader(data, "sketch")
    version = reader.varint()
    if version != SKETCH_VERSION:
        raise UnsupportedVersionError(
            "sketch",
            expected=f"version {SKETCH_VERSION}",
            found=str(version),
            action="Compute the sketch again, or use a newer TensorHub.",
        )
    element_width, nrows, row_nelems = (reader.varint() for _ in range(3))
    if element_width not in SKETCHED_WIDTHS or nrows * row_nelems * element_width >= 1 << 63:
        raise InvalidRecordError(
            "sketch",
            expected=f"an element width of {SKETCHED_WIDTHS} and fewer than 2**63 bytes",
            found=f"{nrows} rows of {row_nelems} elements of {element_width} bytes",
            action="The bytes are damaged; run `tensorhub verify`.",
        )
    values = reader.raw(SKETCH_NBYTES)
    reader.finish()
    if nrows * row_nelems == 0 and any(values):
        raise InvalidRecordError(
            "sketch of an empty tensor",
            expected="zeros",
            found="samples",
            action="The bytes are damaged; run `tensorhub verify`.",
        )
    return Sketch(version, element_width, nrows, row_nelems, values)


def sketch_geometry(spec: TensorSpec) -> tuple[int, int, int]:
    """Say how a tensor is sketched.

    Returns
    -------
    element_width, nrows, row_nelems
        Arguments of ``SketchBuilder``. Elements of less than a byte count as bytes, by rows where a row is a
        whole number of bytes and as one flat run elsewhere.
    """
    nrows = spec.shape[0] if len(spec.shape) > 1 else spec.nelems
    if spec.dtype.bits >= 8:
        return spec.dtype.element_width, nrows, spec.row_nelems
    if len(spec.shape) > 1 and spec.row_nelems * spec.dtype.bits % 8 == 0:
        return 1, nrows, spec.row_nelems * spec.dtype.bits // 8
    return 1, spec.nbytes, 1


class SketchBuilder:
    """Collects a tensor's samples while its bytes pass by.

    One builder per tensor and thread; it holds about 6 KiB.

    Parameters
    ----------
    element_width
        Bytes per element: 1, 2, 4 or 8.
    nrows, row_nelems
        Geometry, as ``sketch_geometry`` gives it; fewer than 2**63 bytes.

    Raises
    ------
    UnsupportedDTypeError
        Elements of this width have no sketches.
    """

    def __init__(self, element_width: int, nrows: int, row_nelems: int) -> None:
        if element_width not in SKETCHED_WIDTHS:
            raise UnsupportedDTypeError(
                "sketch",
                expected=f"an element width of {SKETCHED_WIDTHS}",
                found=str(element_width),
                action="Keep the tensor without a sketch.",
            )
        self._element_width, self._nrows, self._row_nelems = element_width, nrows, row_nelems
        self._nbytes = math.prod((element_width, nrows, row_nelems))
        self._values = np.zeros(SKETCH_NBYTES, np.uint8)
        self._missing = SKETCH_NBYTES if self._nbytes else 0
        elements = sample_positions(nrows, row_nelems, element_width).astype(np.int64)
        # Every sampled byte by itself, so that an element may straddle two runs.
        offsets = (elements[:, None] * element_width + np.arange(element_width)).reshape(-1)
        self._order = np.argsort(offsets, kind="stable")
        self._offsets = offsets[self._order]

    def update(self, offset: int, buffer: Buffer) -> None:
        """Take the samples that lie in a run of the tensor's bytes.

        Parameters
        ----------
        offset
            Where the run starts in the tensor, in bytes; any value, elements may straddle runs.
        buffer : shape (nbytes,), uint8, borrowed for the call, C-contiguous
            The run. Runs may come in any order; together they cover the tensor once.

        Raises
        ------
        ShapeMismatchError
            The run does not lie inside the tensor.
        """
        data = np.frombuffer(buffer, np.uint8)
        if offset < 0 or offset + data.size > self._nbytes:
            raise ShapeMismatchError(
                "sketch",
                expected=f"runs inside the tensor's {self._nbytes} bytes",
                found=f"{data.size} bytes at {offset}",
                action="Give the run's offset in the tensor.",
            )
        if not self._nbytes:
            return
        first, last = np.searchsorted(self._offsets, (offset, offset + data.size))
        self._values[self._order[first:last]] = data[self._offsets[first:last] - offset]
        self._missing -= int(last - first)

    def finish(self) -> Sketch:
        """Give the sketch.

        Raises
        ------
        ShapeMismatchError
            The runs did not cover the tensor exactly once, as far as the samples show.
        """
        if self._missing:
            raise ShapeMismatchError(
                "sketch",
                expected=f"runs that cover the tensor's {self._nbytes} bytes once",
                found=f"{abs(self._missing)} sampled bytes {'missing' if self._missing > 0 else 'twice'}",
                action="Give every byte of the tensor once before finishing.",
            )
        return Sketch(
            SKETCH_VERSION, self._element_width, self._nrows, self._row_nelems, self._values.tobytes()
        )


def sketch_of(buffer: Buffer, spec: TensorSpec) -> Sketch:
    """Sketch a tensor that lies in memory.

    Parameters
    ----------
    buffer : shape (spec.nbytes,), uint8, borrowed, C-contiguous
        The tensor's bytes.
    spec
        Its type and shape; the name does not matter.

    Raises
    ------
    ShapeMismatchError
        The buffer is not as long as the tensor.
    """
    builder = SketchBuilder(*sketch_geometry(spec))
    builder.update(0, buffer)
    return builder.finish()
