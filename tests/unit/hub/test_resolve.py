"""Ranges as RFC 9110 has them."""

from __future__ import annotations

import pytest

from tensorhub.errors import RangeNotSatisfiableError
from tensorhub.hub.resolve import parse_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=-", None),
        ("bytes=99999999999999999999999999-", None),
    ],
)
def test_parse_range(text: str, expected: tuple[int, int] | None) -> None:
    """What cannot be understood is ignored, as the RFC allows."""
    assert parse_range(text, 100) == expected


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_of_nothing(text: str) -> None:
    """A range that holds no byte is refused."""
    with pytest.raises(RangeNotSatisfiableError):
        parse_range(text, 100)


def test_empty_file() -> None:
    """No range of an empty file holds a byte."""
    with pytest.raises(RangeNotSatisfiableError):
        parse_range("bytes=0-", 0)
