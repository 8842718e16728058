"""Which addresses only this machine can reach."""

from __future__ import annotations

import pytest

from tensorhub.hub.config import HubConfig


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("hub", False),
    ],
)
def test_loopback(host: str, is_loopback: bool) -> None:
    """A name that is not known to be this machine counts as reachable."""
    assert HubConfig(host=host).is_loopback is is_loopback
