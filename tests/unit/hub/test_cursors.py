"""Cursors come back as they went, or not at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.errors import UsageError
from tensorhub.hub.cursors import Item, parse_cursor, parse_limit, write_cursor

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts | st.integers(), min_size=1, max_size=4))
def test_round_trip(items: list[Item]) -> None:
    """Any texts and numbers."""
    assert parse_cursor(write_cursor(items), *(type(item) for item in items)) == items


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=100) | st.sampled_from(["W10", "e30", "WzFd", "WzEuNV0", "W251bGxd", "WyJcdWQ4MDAiXQ"])
)
def test_anything_else(text: str) -> None:
    """What was not written by us is refused, or a list of texts and numbers all the same."""
    try:
        items = parse_cursor(text, str, int)
    except UsageError:
        return
    assert [type(item) for item in items] == [str, int]


@pytest.mark.parametrize(
    ("query", "expected"), [({}, 7), ({"limit": "3"}, 3), ({"limit": "11"}, 10), ({"limit": "9" * 99}, 10)]
)
def test_limits(query: dict[str, str], expected: int) -> None:
    """At most the longest page."""
    assert parse_limit(query, 7, 10) == expected


@pytest.mark.parametrize("text", ["0", "-1", "", "x", "1.5", "٣", "1e3"])
def test_bad_limits(text: str) -> None:
    """No page has nothing."""
    with pytest.raises(UsageError):
        parse_limit({"limit": text}, 7, 10)
