"""What every answer about a file has to satisfy."""

from tensorhub.formats.base import as_bytes, fill_gaps, find_cover_fault
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import ParsedSegment, TensorSpec

SPEC = TensorSpec("t", DType.F32, (2,))


def test_as_bytes() -> None:
    """A file is one run of bytes; an empty one is none."""
    assert as_bytes(5).segments == (ParsedSegment(0, 5),)
    assert as_bytes(0, "why").segments == ()
    assert as_bytes(0, "why").notices == ("why",)


def test_fill_gaps() -> None:
    """Head, gap and tail become bytes."""
    segments = fill_gaps([ParsedSegment(12, 8, SPEC)], 10, 25)
    assert segments == (
        ParsedSegment(0, 10), ParsedSegment(10, 2), ParsedSegment(12, 8, SPEC), ParsedSegment(20, 5),
    )  # fmt: skip
    assert find_cover_fault(segments, 25) is None


def test_cover_faults() -> None:
    """Holes, overlaps, wrong ends and wrong tensor sizes are found."""
    assert find_cover_fault([ParsedSegment(1, 4)], 5) is not None
    assert find_cover_fault([ParsedSegment(0, 4)], 5) is not None
    assert find_cover_fault([ParsedSegment(0, 4), ParsedSegment(3, 2)], 5) is not None
    assert find_cover_fault([ParsedSegment(0, 0)], 0) is not None
    assert find_cover_fault([ParsedSegment(0, 5, SPEC)], 5) is not None
    assert find_cover_fault([], 0) is None
