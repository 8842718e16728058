"""Modes have three names."""

import pytest

from tensorhub.codecs.mode import Mode, parse_mode
from tensorhub.errors import UsageError


@pytest.mark.parametrize("mode", Mode)
def test_names(mode: Mode) -> None:
    """Each mode is found by its name."""
    assert parse_mode(mode.value) is mode


def test_unknown() -> None:
    """Another name is refused, and the message has those that there are."""
    with pytest.raises(UsageError, match="fast, balanced, max"):
        parse_mode("Fast")
