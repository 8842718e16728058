"""Limits of one caller: how often, how much at a time, how slowly.

Duty: count requests in fixed windows, exchanges that run at a time, and the pace of request bodies. Not its duty: sizes
of bodies (``request``), request heads (``protocol``), queues of work (``pools``).
Invariants: memory is bounded by ``_MAX_CALLERS``; a caller is who his token says, else where he calls from, so that
made-up tokens do not make new callers. For one event loop. References: IETF draft ``httpapi-ratelimit-headers`` in
the form that Hugging Face clients read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import Message, Receive

from tensorhub.errors import BodyTimeoutError, TooManyRequestsError
from tensorhub.hub.access import Identity

WINDOW_S = 60
# Of a request's path. RFC 9110 asks for 8000 bytes at least; a path in a repository has at most 4096.
MAX_TARGET_NBYTES = 8 << 10
_MAX_CALLERS = 100_000  # some 20 MB
# A body may pause this long in all, and a second more for each KiB that came: a phone in a tunnel is slow, one that
# sends a byte a minute holds a connection and a file on disk for nothing.
BODY_PATIENCE_S = 60.0
BODY_MIN_BYTES_PER_S = 1024


def caller_of(identity: Identity | None, address: str) -> str:
    """Name the caller that limits count: a user, or the address of somebody unknown.

    Parameters
    ----------
    identity
        Who asks; None where that is not known.
    address
        Where from; of IPv6 the first 64 bits count, which is what one customer of a provider has.
    """
    if identity is not None and identity.user is not None and identity.token_name:
        return f"user {identity.user.casefold()}"
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return f"address {address}"
    if parsed.version == 6 and not parsed.is_loopback:
        return f"address {ipaddress.ip_network((parsed, 64), strict=False)}"
    return f"address {address}"


class Limits:
    """Counts what callers do.

    Parameters
    ----------
    per_minute
        Requests that one caller may make in a minute; 0 for any number.
    parallel
        Exchanges that one caller may have at a time; 0 for any number.
    now_s
        The clock, in seconds; monotonic.
    """

    def __init__(self, per_minute: int, parallel: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._parallel = parallel
        self._now_s = now_s
        self._window = -1
        self._counts: dict[str, int] = {}
        self._running: dict[str, int] = {}

    def admit(self, caller: str) -> dict[str, str]:
        """Count a request.

        Returns
        -------
        dict
            Headers that tell the caller what is left; none where there is no limit.

        Raises
        ------
        RateLimitedError
            It is one too many; also where there are too many callers to count.
        """
        if not self._per_minute:
            return {}
        now = self._now_s()
        window = int(now // WINDOW_S)
        if window != self._window:
            self._window = window
            self._counts.clear()
        reset_s = max(1, int((window + 1) * WINDOW_S - now) + 1)
        if caller not in self._counts and len(self._counts) >= _MAX_CALLERS:
            raise _limited(f"{_MAX_CALLERS} callers a minute", "more", reset_s, {})
        count = self._counts.get(caller, 0) + 1
        self._counts[caller] = count
        left = max(0, self._per_minute - count)
        headers = {
            "RateLimit": f'"api";r={left};t={reset_s}',
            "RateLimit-Policy": f'"fixed window";"api";q={self._per_minute};w={WINDOW_S}',
        }
        if count > self._per_minute:
            raise _limited(f"at most {self._per_minute} requests a minute", str(count), reset_s, headers)
        return headers

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """Count an exchange while it runs.

        Raises
        ------
        RateLimitedError
            The caller has as many as he may have.
        """
        if not self._parallel:
            yield
            return
        running = self._running.get(caller, 0)
        if running >= self._parallel:
            raise _limited(f"at most {self._parallel} requests at a time", str(running + 1), 1, {})
        self._running[caller] = running + 1
        try:
            yield
        finally:
            if self._running[caller] > 1:
                self._running[caller] -= 1
            else:
                del self._running[caller]


def _limited(expected: str, found: str, retry_after_s: int, headers: dict[str, str]) -> TooManyRequestsError:
    error = TooManyRequestsError(
        "requests of one caller",
        expected=expected,
        found=found,
        action=f"Wait {retry_after_s} s, then go on.",
    )
    error.retry_after_s = retry_after_s
    error.headers = headers
    return error


class PacedBody:
    """A request's body that has to come at some pace; counts its bytes.

    Parameters
    ----------
    receive
        Where messages come from.

    Attributes
    ----------
    nbytes
        That came so far.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_complete = False
        self._waited_s = 0.0
        self.nbytes = 0

    async def __call__(self) -> Message:
        """Give the next message (ASGI).

        Raises
        ------
        BodyTimeoutError
            It does not come. Time that the server itself took does not count.
        """
        if self._is_complete:
            return await self._receive()
        left = BODY_PATIENCE_S + self.nbytes / BODY_MIN_BYTES_PER_S - self._waited_s
        began = time.monotonic()
        try:
            async with asyncio.timeout(max(0.001, min(left, BODY_PATIENCE_S))):
                message = await self._receive()
        except TimeoutError as error:
            raise BodyTimeoutError(
                "request body",
                expected=f"a pause of less than {BODY_PATIENCE_S:.0f} s, and {BODY_MIN_BYTES_PER_S} bytes a second",
                found=f"{self.nbytes} bytes, then nothing",
                action="Try again over a better line.",
            ) from error
        self._waited_s += time.monotonic() - began
        if message["type"] == "http.request":
            self.nbytes += len(message.get("body", b""))
            self._is_complete = not message.get("more_body", False)
        else:
            self._is_complete = True
        return message
