"""Numbers are written as people read them."""

from __future__ import annotations

import pytest

from tensorhub.schema import sizes


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1234, "1.23 kB"),
        (9994, "9.99 kB"),
        (9996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_155_000, "1.16 MB"),
        (4 * 2**30, "4.29 GB"),
        (10**18, "1.00 EB"),
        (5 * 10**21, "5000 EB"),
        (-100_000, "-100 kB"),
    ],
)
def test_sizes_are_decimal_with_three_digits(nbytes: int, text: str) -> None:
    """Three significant digits, a decimal unit, no step at a boundary."""
    assert sizes.format_nbytes(nbytes) == text


def test_no_size_is_written_with_four_digits() -> None:
    """Around each power of a thousand the text stays short."""
    for exponent in range(1, 6):
        for delta in range(-600, 600, 7):
            text = sizes.format_nbytes(1000**exponent + delta * 1000 ** (exponent - 1) // 1000)
            assert len(text.split()[0]) <= 4, text


@pytest.mark.parametrize(
    ("nbytes", "stored_nbytes", "text"),
    [
        (100, 50, "2.00×, 50.0 % saved"),
        (100, 100, "1.00×, 0.0 % saved"),
        (100, 110, "0.91×, 10.0 % more"),
        (100_000, 1, "100,000×, 100.0 % saved"),
        (0, 0, "–, –"),
        (100, 0, "–, 100.0 % saved"),
    ],
)
def test_reduction(nbytes: int, stored_nbytes: int, text: str) -> None:
    """Ratio and saving together, also where there is nothing to divide by."""
    assert sizes.format_reduction(nbytes, stored_nbytes) == text


def test_counts_dates_shapes() -> None:
    """Nouns agree with numbers; dates are UTC; a single number has the shape []."""
    assert sizes.format_count(1, "file") == "1 file"
    assert sizes.format_count(2000, "repository", "repositories") == "2,000 repositories"
    assert sizes.format_date(0) == "1970-01-01 00:00 UTC"
    assert sizes.format_date(None) == sizes.NOTHING
    assert sizes.format_shape(()) == "[]"
    assert sizes.format_shape((2048, 96)) == "[2048, 96]"
    assert sizes.format_share(1, 8) == "12.5 %"
    assert sizes.format_share(1, 0) == sizes.NOTHING
    assert sizes.format_commit_id("0123456789abcdef") == "0123456789ab"
