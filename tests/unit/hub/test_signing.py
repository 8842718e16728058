"""Signed texts: good for one purpose and a time; the hostile half is in tests/hostile."""

from __future__ import annotations

import pytest

from tensorhub.errors import AuthenticationError
from tensorhub.hub.signing import Signer
from tensorhub.store.state import State

PAYLOAD = {"oid": "é" * 3, "nbytes": 12, "parts": [1, 2]}


def test_round_trip(state: State, clock) -> None:
    """A payload comes back, also by another process over the same state, until its time is over."""
    signer = Signer(state, clock)
    text = signer.sign(PAYLOAD, 60, purpose="lfs")
    assert signer.verify(text, "lfs") == PAYLOAD
    other = State(state.path)
    assert Signer(other, clock).verify(text, "lfs") == PAYLOAD
    other.close()
    clock.now_s += 59
    assert signer.verify(text, "lfs") == PAYLOAD
    clock.now_s += 1
    with pytest.raises(AuthenticationError, match="expired"):
        signer.verify(text, "lfs")


def test_fits_into_a_url(state: State) -> None:
    """Nothing in it needs to be encoded."""
    text = Signer(state).sign(PAYLOAD, 60, purpose="lfs")
    assert text.replace(".", "", 1).replace("-", "").replace("_", "").isalnum()
    assert text.isascii()
