"""Any file is cut; what none explains is bytes."""

from tensorhub.formats.base import Format, ParsedFile
from tensorhub.formats.registry import parse_file
from tensorhub.formats.safetensors import build_header
from tensorhub.formats.source import ByteSource, MemorySource
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import ParsedSegment, TensorSpec


class _Wrong(Format):
    """A format with a bug."""

    name = "wrong"

    def parse(self, path_in_repo: str, source: ByteSource) -> ParsedFile | None:
        return ParsedFile(self.name, (ParsedSegment(0, 1),))


def test_bytes() -> None:
    """An unknown file is one segment, an empty file none."""
    assert parse_file("a.bin", MemorySource(b"hello")) == ParsedFile("bytes", (ParsedSegment(0, 5),))
    assert parse_file("a.safetensors", MemorySource(b"")) == ParsedFile("bytes", ())


def test_misnamed() -> None:
    """A safetensors file is cut whatever it is called."""
    content = build_header([TensorSpec("t", DType.F32, (2,))]) + bytes(8)
    for path in ("a.bin", "a.SAFETENSORS", "pytorch_model"):
        parsed = parse_file(path, MemorySource(content))
        assert parsed.format_name == "safetensors"
        assert parsed.segments[-1] == ParsedSegment(len(content) - 8, 8, TensorSpec("t", DType.F32, (2,)))


def test_misnamed_without_tensors() -> None:
    """A few bytes that happen to read as an empty header are no safetensors file unless called so."""
    content = build_header([])
    assert parse_file("a.bin", MemorySource(content)).format_name == "bytes"
    assert parse_file("a.safetensors", MemorySource(content)).format_name == "safetensors"


def test_broken_format() -> None:
    """A format that leaves a hole cannot lose bytes: the file is bytes, with a notice."""
    parsed = parse_file("a", MemorySource(b"xyz"), [_Wrong()])
    assert parsed.segments == (ParsedSegment(0, 3),)
    assert "wrong" in parsed.notices[0]
