"""The sketch value and its builder."""

from __future__ import annotations

import numpy as np
import pytest

from tensorhub.errors import (
    InvalidRecordError,
    ShapeMismatchError,
    UnsupportedDTypeError,
    UnsupportedVersionError,
)
from tensorhub.lineage.placement import sample_positions
from tensorhub.lineage.sketch import Sketch, SketchBuilder, parse_sketch, sketch_geometry, sketch_of
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec
from tensorhub.schema.wire import RecordWriter

from .weights import bf16, normal, sketch_bf16


def test_values_are_the_sampled_elements():
    """NaN payloads included: samples are bytes, never numbers."""
    words = np.random.default_rng(0).integers(0, 1 << 16, (40, 96), dtype=np.uint16)
    words[::2] |= 0x7F81
    sketch = sketch_of(words.tobytes(), TensorSpec("w", DType.BF16, words.shape))
    assert sketch.values == words.reshape(-1)[sample_positions(40, 96, 2)].tobytes()


@pytest.mark.parametrize("run_nbytes", [1, 7, 1000, 4096])
def test_runs_may_be_cut_anywhere_and_come_in_any_order(run_nbytes):
    data = np.random.default_rng(1).bytes(8 * 700)
    whole = SketchBuilder(8, 100, 7)
    whole.update(0, data)
    pieces = SketchBuilder(8, 100, 7)
    for start in reversed(range(0, len(data), run_nbytes)):
        pieces.update(start, memoryview(data)[start : start + run_nbytes])
    assert pieces.finish() == whole.finish()


@pytest.mark.parametrize(
    ("dtype", "shape", "geometry"),
    [
        (DType.BF16, (6, 5), (2, 6, 5)),
        (DType.F32, (6, 5, 4), (4, 6, 20)),
        (DType.F8_E4M3, (9,), (1, 9, 1)),
        (DType.F64, (), (8, 1, 1)),
        (DType.C64, (3, 0), (8, 3, 0)),
        (DType.F4, (6, 10), (1, 6, 5)),
        (DType.F4, (6, 5), (1, 15, 1)),
        (DType.F6_E2M3, (3,), (1, 3, 1)),
    ],
)
def test_geometry_and_round_trip(dtype, shape, geometry):
    spec = TensorSpec("w", dtype, shape)
    assert sketch_geometry(spec) == geometry
    sketch = sketch_of(np.random.default_rng(2).bytes(spec.nbytes), spec)
    assert (sketch.element_width, sketch.nrows, sketch.row_nelems) == geometry
    assert parse_sketch(sketch.to_bytes()) == sketch
    assert len(sketch.to_bytes()) < 600


def test_the_name_does_not_matter():
    data = bf16(normal((8, 8), 0)).tobytes()
    assert sketch_of(data, TensorSpec("a", DType.BF16, (8, 8))) == sketch_of(
        data, TensorSpec("b", DType.BF16, (8, 8))
    )


def test_width_without_sketch():
    with pytest.raises(UnsupportedDTypeError):
        SketchBuilder(3, 4, 4)


@pytest.mark.parametrize(("offset", "nbytes"), [(-1, 4), (0, 17), (16, 1)])
def test_runs_outside_are_refused(offset, nbytes):
    with pytest.raises(ShapeMismatchError):
        SketchBuilder(2, 2, 4).update(offset, bytes(nbytes))


def test_missing_and_repeated_runs_are_noticed():
    builder = SketchBuilder(2, 64, 64)
    builder.update(0, bytes(4096))
    with pytest.raises(ShapeMismatchError, match="missing"):
        builder.finish()
    builder.update(4096, bytes(4096))
    builder.update(0, bytes(4096))
    with pytest.raises(ShapeMismatchError, match="twice"):
        builder.finish()


def record(version: int, width: int, nrows: int, row_nelems: int, values: bytes) -> bytes:
    writer = RecordWriter()
    for value in (version, width, nrows, row_nelems):
        writer.varint(value)
    writer.raw(values)
    return writer.getvalue()


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", InvalidRecordError),
        (record(2, 2, 1, 1, bytes(512)), UnsupportedVersionError),
        (record(0, 2, 1, 1, bytes(512)), UnsupportedVersionError),
        (record(1, 3, 1, 1, bytes(512)), InvalidRecordError),
        (record(1, 0, 1, 1, bytes(512)), InvalidRecordError),
        (record(1, 8, 1 << 62, 1, bytes(512)), InvalidRecordError),
        (record(1, 2, 1 << 40, 1 << 40, bytes(512)), InvalidRecordError),
        (record(1, 2, 1, 1, bytes(511)), InvalidRecordError),
        (record(1, 2, 1, 1, bytes(513)), InvalidRecordError),
        (record(1, 2, 0, 1, b"\1" * 512), InvalidRecordError),
    ],
)
def test_hostile_records_are_refused(data, error):
    with pytest.raises(error):
        parse_sketch(data)


def test_every_truncation_is_refused():
    data = sketch_bf16(normal((300, 300), 0)).to_bytes()
    for end in range(len(data)):
        with pytest.raises(InvalidRecordError):
            parse_sketch(data[:end])


def test_the_largest_geometry_is_accepted():
    """Nothing in a parsed sketch may upset what reads it."""
    assert parse_sketch(record(1, 1, (1 << 63) - 1, 1, bytes(512))) == Sketch(
        1, 1, (1 << 63) - 1, 1, bytes(512)
    )
