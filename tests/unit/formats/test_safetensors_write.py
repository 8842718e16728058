"""Headers are those of the reference writer, byte for byte."""

import json

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from tensorhub.errors import LimitExceededError, UsageError
from tensorhub.formats import safetensors_write
from tensorhub.formats.safetensors import build_header, parse_header, sort_for_writing
from tensorhub.formats.source import MemorySource
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec

NUMPY = {
    DType.BOOL: np.bool_, DType.U8: np.uint8, DType.I8: np.int8, DType.I16: np.int16, DType.U16: np.uint16,
    DType.F16: np.float16, DType.I32: np.int32, DType.U32: np.uint32, DType.F32: np.float32,
    DType.F64: np.float64, DType.I64: np.int64, DType.U64: np.uint64, DType.C64: np.complex64,
}  # fmt: skip


def test_equals_the_reference_writer() -> None:
    """Every type NumPy has, odd names, scalars and empty tensors."""
    generator = np.random.default_rng(1)
    arrays = {}
    for index, (dtype, kind) in enumerate(NUMPY.items()):
        for name, shape in (("w", (2, 3)), ('é"\n\x7f😀\x01', (1,)), ("scalar", ()), ("none", (0, 4))):
            data = generator.integers(0, 2, shape)
            arrays[f"{name}.{index % 3}.{dtype.name}"] = np.asarray(data, dtype=kind)
    specs = [
        TensorSpec(name, next(d for d, kind in NUMPY.items() if array.dtype == kind), array.shape)
        for name, array in arrays.items()
    ]
    for metadata in (None, {}, {"format": "pt"}):
        ours = build_header(specs, metadata) + b"".join(
            arrays[spec.name].tobytes() for spec in sort_for_writing(specs)
        )
        assert ours == safetensors.numpy.save(arrays, metadata)


def test_every_dtype_loads() -> None:
    """The reference reader accepts a header with every type we know."""
    specs = [TensorSpec(dtype.name, dtype, (4,)) for dtype in DType]
    content = build_header(specs, {"a": "1", "b": "2"}) + bytes(sum(spec.nbytes for spec in specs))
    loaded = dict(safetensors.deserialize(content))
    assert {name: fields["dtype"] for name, fields in loaded.items()} == {d.name: d.name for d in DType}


def test_order_agrees_with_the_reference_for_every_dtype() -> None:
    """Our order of types is that of the reference serializer, also for types that NumPy lacks."""
    kinds = {
        **NUMPY,
        DType.BF16: ml_dtypes.bfloat16, DType.F8_E4M3: ml_dtypes.float8_e4m3fn,
        DType.F8_E5M2: ml_dtypes.float8_e5m2, DType.F8_E8M0: ml_dtypes.float8_e8m0fnu,
        DType.F8_E4M3FNUZ: ml_dtypes.float8_e4m3fnuz, DType.F8_E5M2FNUZ: ml_dtypes.float8_e5m2fnuz,
    }  # fmt: skip
    reference = safetensors.numpy.save({dtype.name: np.zeros(8, kind) for dtype, kind in kinds.items()})
    assert reference.startswith(build_header([TensorSpec(dtype.name, dtype, (8,)) for dtype in kinds]))


def test_round_trip() -> None:
    """What is written is read back, padded to 8."""
    specs = [TensorSpec("a", DType.F4, (2,)), TensorSpec("b", DType.BF16, (3, 1))]
    head = build_header(specs, {"k": "v"})
    assert len(head) % 8 == 0
    header = parse_header(MemorySource(head + bytes(7)))
    assert [segment.tensor for segment in header.tensors] == sort_for_writing(specs)
    assert header.metadata == {"k": "v"}
    assert json.loads(head[8:])["b"]["data_offsets"] == [0, 6]


@pytest.mark.parametrize(
    "specs",
    [
        [TensorSpec("a", DType.U8, (1,)), TensorSpec("a", DType.U8, (1,))],
        [TensorSpec("__metadata__", DType.U8, (1,))],
        [TensorSpec("\ud800", DType.U8, (1,))],
        [TensorSpec("a", DType.F4, (3,))],
    ],
)
def test_refuses(specs: list[TensorSpec]) -> None:
    """What no reader would accept is not written."""
    with pytest.raises(UsageError):
        build_header(specs)


def test_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header beyond the reference reader's limit is not written."""
    monkeypatch.setattr(safetensors_write, "MAX_HEADER_NBYTES", 100)
    with pytest.raises(LimitExceededError):
        build_header([TensorSpec("a" * 100, DType.U8, (1,))])
