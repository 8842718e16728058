"""Arrays laid end to end as a file."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.errors import ShapeMismatchError, SourceChangedError, UnsupportedDTypeError
from tensorhub.formats.registry import parse_file
from tensorhub.store.tensor_source import JoinedSource, tensors_source

from ...weights import noise, weights


@given(st.lists(st.binary(max_size=6), max_size=6), st.integers(0, 40), st.integers(0, 40))
def test_joined(parts: list[bytes], offset: int, length: int) -> None:
    """Any range of the joined source is that of the joined bytes; past the end is an error."""
    whole = b"".join(parts)
    source = JoinedSource("x", [memoryview(part) for part in parts])
    assert source.nbytes == len(whole)
    out = bytearray(length)
    if offset + length <= len(whole):
        source.read_into(offset, out)
        assert out == whole[offset : offset + length]
    else:
        with pytest.raises(SourceChangedError):
            source.read_into(offset, out)


def test_parses_as_it_was_given() -> None:
    """What is laid out is a file of the format, with every tensor in its place."""
    tensors = {
        "b": weights((3, 4), 1),
        "a": np.arange(5),
        "f4": ("F4", (4,), b"\x12\x34"),
        "zero": np.zeros((0,), np.float32),
    }
    source = tensors_source("m.safetensors", tensors, {"k": "v"})  # type: ignore[arg-type]
    parsed = parse_file("m.safetensors", source)
    found = {segment.tensor.name: segment for segment in parsed.segments if segment.tensor}
    assert found.keys() == tensors.keys()
    for name, array in (("b", tensors["b"]), ("a", tensors["a"])):
        out = bytearray(found[name].nbytes)
        source.read_into(found[name].start, out)
        assert out == array.tobytes()  # type: ignore[union-attr]
    assert parsed.format_name == "safetensors"


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (("BF16", (3,), b"12345"), ShapeMismatchError),
        (("F4", (3,), b"12"), ShapeMismatchError),
        (("F6_E2M3", (3,), b"123"), ShapeMismatchError),
        (("BF17", (3,), b"123456"), UnsupportedDTypeError),
        (np.array([1], ">f4"), UnsupportedDTypeError),
        (np.array(["x"]), UnsupportedDTypeError),
        (np.zeros(3, np.complex128), UnsupportedDTypeError),
        (np.zeros(3, ml_dtypes.int4), UnsupportedDTypeError),
    ],
)
def test_what_has_no_place(data: object, error: type) -> None:
    """Data that does not fit its shape, or has no spelling in the format, is refused."""
    with pytest.raises(error):
        tensors_source("m.safetensors", {"x": data}, None)  # type: ignore[dict-item]


def test_borrowed() -> None:
    """The data is not copied."""
    array = np.frombuffer(bytearray(noise(64, 1)), np.uint8)
    source = tensors_source("m.safetensors", {"x": array}, None)
    array[0] ^= 1
    out = bytearray(64)
    source.read_into(source.nbytes - 64, out)
    assert out == array.tobytes()
