"""The application: from an ASGI request to a handler and back.

Duty: match, find out who asks, run the handler, turn errors into answers, observe. Not its duty: any one answer.
Invariants: this is the only place of the hub that catches ``TensorHubError``; what nobody foresaw is answered 500
and logged with its traceback, never shown.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from tensorhub.errors import (
    AuthenticationError,
    CapacityError,
    ForbiddenError,
    InvariantError,
    NotFoundError,
    RevisionNotReadyError,
    TargetTooLongError,
    TensorHubError,
    TooManyRequestsError,
)
from tensorhub.hub.access import ANONYMOUS, LOCAL_OWNER, Identity
from tensorhub.hub.config import is_loopback
from tensorhub.hub.exchange import Exchange, Observer
from tensorhub.hub.hub import Hub
from tensorhub.hub.limits import MAX_TARGET_NBYTES, Limits, PacedBody, caller_of
from tensorhub.hub.request import FORWARDED, HubRequest, address_of, base_url_of
from tensorhub.hub.responses import error_response
from tensorhub.hub.routes import Match, Route, RouteTable

COOKIE = "tensorhub_token"
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
# Asked by machines at a steady pace, also while all else is refused.
READY_WAIT_S = 5.0  # clients give up on an answer to HEAD after ten seconds
_READY_POLL_S = 0.1
_UNLIMITED = frozenset(("/healthz", "/metrics"))
_CLOSING = frozenset((408, 413, 414))  # the rest of such a request's body is not worth reading
# Of every answer that says nothing else: no browser takes it for a page, and nobody keeps it for others.
_USUAL_HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"private, no-cache"))
_LOG = logging.getLogger("tensorhub.hub")


ErrorPage = Callable[[HubRequest | None, TensorHubError, Response], Response]


class HubApp:
    """The ASGI application of one hub.

    Parameters
    ----------
    hub
        What is served.
    routes
        Every route, first match wins.
    observers
        Told of every exchange; must not block.
    error_page
        Turns the answer to an error into a page for browsers.
    """

    def __init__(
        self,
        hub: Hub,
        routes: Sequence[Route],
        *,
        observers: Sequence[Observer] = (),
        error_page: ErrorPage | None = None,
    ) -> None:
        self.hub = hub
        self._table = RouteTable(routes)
        self._observers = list(observers)
        self._error_page = error_page
        self.limits = Limits(hub.config.rate_limit_per_minute, hub.config.parallel_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        await _Call(self, scope, receive, send).answer()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.hub.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.hub.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def match(self, method: str, raw_path: str) -> Match:
        """Find who answers.

        Raises
        ------
        FileEntryNotFoundError, UsageError
            Nobody does.
        """
        prefix = self.hub.config.root_path
        if prefix:
            if raw_path != prefix and not raw_path.startswith(prefix + "/"):
                raise _no_such_path(raw_path)
            raw_path = raw_path[len(prefix) :] or "/"
        found = self._table.match(method, raw_path)
        if found is None:
            raise _no_such_path(raw_path)
        return found

    def error_answer(self, request: HubRequest | None, error: TensorHubError, raw: Request) -> Response:
        """Answer with an error: JSON, or a page where a browser asks."""
        response = error_response(error, request.identity if request else None)
        if response.status_code in _CLOSING:
            response.headers["Connection"] = "close"
        wants_page = "text/html" in raw.headers.get("accept", "")
        if self._error_page is not None and wants_page:
            return self._error_page(request, error, response)
        return response

    def tell(self, exchange: Exchange) -> None:
        """Tell observers of an exchange."""
        for observer in self._observers:
            observer(exchange)


class _Call:
    """One request being answered."""

    def __init__(self, app: HubApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._receive = PacedBody(receive)
        self._send = send
        self._raw = Request(scope, self._receive)
        self._status = 0
        self._sent_nbytes = 0
        self._pattern = ""
        self._request: HubRequest | None = None
        self._more_headers: dict[str, str] = {}
        self._holding = ExitStack()
        client = scope.get("client")
        self._is_trusted = client is not None and client[0] in app.hub.config.trusted_proxies
        self._address = address_of(self._raw, app.hub.config.trusted_proxies)
        trace = self._raw.headers.get("x-request-id") or self._raw.headers.get("x-amzn-trace-id") or ""
        self._request_id = (
            "".join(c for c in trace if c.isascii() and c.isprintable())[:200] or uuid.uuid4().hex
        )

    async def answer(self) -> None:
        began = time.perf_counter()
        try:
            response = await self._respond()
            try:
                await response(self._scope, self._receive, self._observed_send)
            except TensorHubError as error:
                if self._status:
                    raise  # the transfer is broken off: that is how a client is told now
                failure = self._explain(error)
                await failure(self._scope, self._receive, self._observed_send)
        finally:
            self._holding.close()
            self._app.tell(
                Exchange(
                    self._scope["method"],
                    self._raw_path(),
                    self._pattern,
                    self._status,
                    self._request.identity.user if self._request else None,
                    self._address,
                    time.perf_counter() - began,
                    self._receive.nbytes,
                    self._sent_nbytes,
                    self._request_id,
                )
            )

    async def _respond(self) -> Response:
        try:
            self._check_target()
            found = self._app.match(self._scope["method"], self._raw_path())
            self._pattern = found.pattern
            check_origin(self._raw, self._app.hub)
            self._request = await self._parse(found)
            if found.pattern not in _UNLIMITED:
                self._admit(self._request.identity)
            if self._app.hub.mirror is not None:
                await self._app.hub.mirror.prepare(self._request, found.pattern)
            return await self._when_ready(found, self._request)
        except TensorHubError as error:
            return self._explain(error)
        except Exception:  # noqa: BLE001 - the last door: what nobody foresaw is a bug, logged and told as one
            _LOG.exception("%s %s failed", self._scope["method"], self._raw_path())
            bug = InvariantError("the hub itself", found="a bug", action="The server's log has more.")
            return self._app.error_answer(self._request, bug, self._raw)

    async def _when_ready(self, found: Match, request: HubRequest) -> Response:
        """Answer; a revision that is about to be ready is waited for, since clients do not ask again."""
        end = time.monotonic() + READY_WAIT_S
        while True:
            try:
                return await found.handler(request)
            except RevisionNotReadyError:
                is_worth_it = self._scope["method"] in _SAFE and self._app.hub.digests.ends_soon()
                if not is_worth_it or time.monotonic() >= end:
                    raise
            await asyncio.sleep(_READY_POLL_S)

    def _explain(self, error: TensorHubError) -> Response:
        if error.http_status >= 500 and not isinstance(error, CapacityError):
            _LOG.error("%s %s: %s", self._scope["method"], self._raw_path(), error)
        return self._app.error_answer(self._request, error, self._raw)

    async def _parse(self, found: Match) -> HubRequest:
        hub = self._app.hub
        identity = ANONYMOUS
        if not found.is_signed:
            try:
                identity = await hub.meta.run(identify, hub, read_secret(self._raw))
            except AuthenticationError:
                self._admit(None)
                raise
        base_url = base_url_of(self._raw, hub.config.root_path, self._is_trusted)
        return HubRequest(self._raw, hub, identity, found.params, found.repo_type, base_url)

    def _admit(self, identity: Identity | None) -> None:
        """Count the request of a caller, and hold a place for it until it is answered."""
        caller = caller_of(identity, self._address)
        try:
            self._more_headers = self._app.limits.admit(caller)
        except TooManyRequestsError as error:
            self._more_headers = error.headers
            raise
        self._holding.enter_context(self._app.limits.hold(caller))

    def _check_target(self) -> None:
        nbytes = len(self._raw_path())
        if nbytes > MAX_TARGET_NBYTES:
            raise TargetTooLongError(
                "path of the request",
                expected=f"at most {MAX_TARGET_NBYTES} bytes",
                found=str(nbytes),
                action="Use a shorter one.",
            )

    def _raw_path(self) -> str:
        raw = self._scope.get("raw_path") or self._scope["path"].encode()
        path: str = raw.split(b"?", 1)[0].decode("latin-1")
        return path

    async def _observed_send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            more = {"x-request-id": self._request_id, **self._more_headers}
            present = {name.lower() for name, _ in message.get("headers", [])}
            message["headers"] = [
                *message.get("headers", []),
                *(item for item in _USUAL_HEADERS if item[0] not in present),
                *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in more.items()),
            ]
        await self._send(message)
        if message["type"] == "http.response.body":
            self._sent_nbytes += len(message.get("body", b""))


def read_secret(request: Request) -> str | None:
    """Give the access token that a request carries; None where it carries none.

    A browser's cookie counts for reading only, so that no page of somebody else can change anything with it.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and secret.strip():
        return secret.strip()
    return request.cookies.get(COOKIE) or None if request.method in _SAFE else None


def check_origin(request: Request, hub: Hub) -> None:
    """Refuse what a page of another site makes a browser send.

    A server without users trusts whoever reaches it over loopback, and a browser on this machine does: also when a
    page from elsewhere tells it to, by a form, a script, or a name that was made to point here (DNS rebinding).

    Raises
    ------
    ForbiddenError
        The request changes something and comes from another origin, or a server without users is called by another
        name than this machine's, or by a proxy, behind which everybody comes from this machine.
    """
    host = request.headers.get("host", "")
    origin = request.headers.get("origin")
    if request.method not in _SAFE and origin is not None and origin.partition("://")[2] != host:
        raise ForbiddenError(
            f"request from {origin}",
            expected="one from the hub's own page, or from a program",
            found="one that another site made a browser send",
            action="Use a client such as `hf`.",
        )
    if hub.accounts.has_users():
        return
    if any(header in request.headers for header in FORWARDED):
        raise ForbiddenError(
            f"request to {host}",
            expected="one that came straight from this machine, as long as there are no users",
            found="one that a proxy passed on",
            action="Create a user (`tensorhub user add`), so that tokens are asked for.",
        )
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    if hub.config.is_loopback and not is_loopback(name.strip("[]")):
        raise ForbiddenError(
            f"request to {host}",
            expected="a name of this machine, such as localhost",
            found="another name",
            action="Create a user (`tensorhub user add`), so that tokens are asked for, or use a loopback address.",
        )


def identify(hub: Hub, secret: str | None) -> Identity:
    """Find out who asks.

    Raises
    ------
    AuthenticationError
        The token is not known.
    """
    if not hub.accounts.has_users():
        return LOCAL_OWNER if hub.config.is_loopback else ANONYMOUS
    return hub.accounts.authenticate(secret) if secret else ANONYMOUS


def _no_such_path(raw_path: str) -> NotFoundError:
    return NotFoundError(f"path {raw_path}", expected="one that the hub answers", found="another")
