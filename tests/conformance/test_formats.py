"""Every built-in format keeps the contract of formats."""

from collections.abc import Sequence

from tensorhub.formats.base import Format
from tensorhub.formats.registry import BUILT_IN_FORMATS
from tensorhub.formats.safetensors import SafetensorsFormat, build_header
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec
from tensorhub.testing.format_suite import FormatSuite


class TestSafetensors(FormatSuite):
    """The safetensors format."""

    def make_format(self) -> Format:
        return SafetensorsFormat()

    def examples(self) -> Sequence[tuple[str, bytes]]:
        specs = [
            TensorSpec("a.weight", DType.BF16, (3, 2)),
            TensorSpec("b", DType.F32, ()),
            TensorSpec("c", DType.I8, (0,)),
        ]
        odd = b'{"x":{"shape":[2],"data_offsets":[1,3],"dtype":"U8"},"__metadata__":{"k":"v"}}   '
        return [
            ("model.safetensors", build_header(specs, {"format": "pt"}) + bytes(range(16))),
            ("odd.safetensors", len(odd).to_bytes(8, "little") + odd + b"01234"),
            ("empty.safetensors", build_header([])),
        ]


def test_every_format_is_here() -> None:
    """A format that is registered has a suite in this file."""
    assert {type(known) for known in BUILT_IN_FORMATS} == {SafetensorsFormat}
    assert len({known.name for known in BUILT_IN_FORMATS}) == len(BUILT_IN_FORMATS)
