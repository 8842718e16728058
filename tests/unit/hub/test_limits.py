"""Limits count by caller, say when to come again, and let slow bodies time out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message

from tensorhub.errors import BodyTimeoutError, TooManyRequestsError
from tensorhub.hub import limits
from tensorhub.hub.access import ANONYMOUS, LOCAL_OWNER, Identity
from tensorhub.hub.limits import Limits, PacedBody, caller_of


def test_requests_in_a_window() -> None:
    """So many a minute, told in the headers that clients read; then a new window."""
    now = 30.0
    counted = Limits(2, 0, lambda: now)
    assert counted.admit("a") == {
        "RateLimit": '"api";r=1;t=31',
        "RateLimit-Policy": '"fixed window";"api";q=2;w=60',
    }
    counted.admit("a")
    with pytest.raises(TooManyRequestsError) as caught:
        counted.admit("a")
    assert caught.value.retry_after_s == 31
    assert caught.value.headers["RateLimit"] == '"api";r=0;t=31'
    counted.admit("b")
    now = 60.5
    assert counted.admit("a")["RateLimit"] == '"api";r=1;t=60'


def test_no_limit() -> None:
    """Zero is any number."""
    counted = Limits(0, 0)
    assert all(counted.admit("a") == {} for _ in range(1000))
    with counted.hold("a"), counted.hold("a"):
        pass


def test_exchanges_at_a_time() -> None:
    """One too many is refused; one that ends makes room."""
    counted = Limits(0, 2)
    with counted.hold("a"):
        with counted.hold("a"), counted.hold("b"), pytest.raises(TooManyRequestsError), counted.hold("a"):
            pass
        with counted.hold("a"):
            pass


def test_number_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with made-up callers."""
    monkeypatch.setattr(limits, "_MAX_CALLERS", 2)
    counted = Limits(5, 0, lambda: 0.0)
    counted.admit("a")
    counted.admit("b")
    with pytest.raises(TooManyRequestsError):
        counted.admit("c")
    counted.admit("a")


@pytest.mark.parametrize(
    ("identity", "address", "expected"),
    [
        (Identity("Ada", is_admin=False, can_write=True, token_name="t"), "10.0.0.1", "user ada"),
        (ANONYMOUS, "10.0.0.1", "address 10.0.0.1"),
        (LOCAL_OWNER, "127.0.0.1", "address 127.0.0.1"),
        (None, "2001:db8:1:2:3:4:5:6", "address 2001:db8:1:2::/64"),
        (None, "", "address "),
    ],
)
def test_callers(identity: Identity | None, address: str, expected: str) -> None:
    """A user wherever he calls from; anybody else by his address."""
    assert caller_of(identity, address) == expected


def _messages(*items: Message) -> Iterator[Message]:
    yield from items


def test_body_is_counted() -> None:
    """Its bytes, up to its end; what comes after is not waited for."""

    async def run() -> None:
        source = _messages(
            {"type": "http.request", "body": b"abc", "more_body": True},
            {"type": "http.request", "body": b"d"},
            {"type": "http.disconnect"},
        )

        async def receive() -> Message:
            return next(source)

        body = PacedBody(receive)
        for _ in range(3):
            await body()
        assert body.nbytes == 4

    asyncio.run(run())


def test_slow_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trickles is given up; the time is that of waiting, all pauses together."""
    monkeypatch.setattr(limits, "BODY_PATIENCE_S", 0.1)

    async def run() -> int:
        async def receive() -> Message:
            await asyncio.sleep(0.03)
            return {"type": "http.request", "body": b"x", "more_body": True}

        body = PacedBody(receive)
        with pytest.raises(BodyTimeoutError) as caught:
            for _ in range(100):
                await body()
        assert caught.value.http_status == 408
        return body.nbytes

    assert 1 <= asyncio.run(run()) <= 4
