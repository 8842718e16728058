"""Dates are those that clients parse."""

import pytest

from tensorhub.hub.dates import iso_date


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (-5, "1970-01-01T00:00:00.000Z"),
        (1 << 80, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_dates(at_ms: int, expected: str) -> None:
    """Always UTC and ending in Z; no number is beyond the calendar."""
    assert iso_date(at_ms) == expected
