"""Requests to another hub: which hosts may be reached, who is shown the token, what is tried again.

Duty: GET with retries and redirects, over ``httpx``. Not its duty: what the answers mean (``upstream``).
Invariants: only the configured origin and where it redirects to are ever reached; the token goes to that origin
alone; a redirect never leads from https to http, and from a public hub never into a private network; a
body is read up to a stated limit. Safe for many threads.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from tensorhub.errors import (
    AuthenticationError,
    BackendUnavailableError,
    FileEntryNotFoundError,
    ForbiddenError,
    InvalidRecordError,
    LimitExceededError,
    NotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    TensorHubError,
    UsageError,
)

_LOG = logging.getLogger("tensorhub.hub")
_MAX_REDIRECTS = 5
_MAX_JSON_NBYTES = 64 << 20  # a page of 1000 files takes some 300 kB
_CONNECT_S, _READ_S = 5.0, 20.0
_CONNECTIONS = 32
_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.5, 30.0
TRIES = 5
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))
_CODES: dict[str, type[TensorHubError]] = {
    "RepoNotFound": RepositoryNotFoundError,
    "RevisionNotFound": RevisionNotFoundError,
    "EntryNotFound": FileEntryNotFoundError,
    "GatedRepo": ForbiddenError,
}

Resolver = Callable[[str], list[str]]


def resolve_host(host: str) -> list[str]:
    """Give the addresses of a host name; none where it has none."""
    try:
        return sorted({str(item[4][0]) for item in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


def is_public(address: str) -> bool:
    """Say whether an address is one of the open internet."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:
        return False


def parse_origin(url: str) -> str:
    """Check the address of another hub.

    Returns
    -------
    str
        Without a slash at the end.

    Raises
    ------
    UsageError
        It is no http or https address, or has a user, query or fragment in it.
    """
    parts = urlsplit(url)
    try:
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_sound = False
    if not is_sound or parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "address of the other hub",
            expected="a URL such as https://huggingface.co, without user or query",
            found=f"{parts.scheme}://{parts.hostname or ''}…",
            action="Give the token in a file or in the environment.",
        )
    return url.rstrip("/")


class UpstreamHttp:
    """GET from one other hub.

    Parameters
    ----------
    url
        Its address.
    token
        Access token for it; empty for none.
    transport
        ``httpx`` transport; None for the network.
    resolver
        Finds addresses of hosts.
    sleep
        Waits so many seconds between tries.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        resolver: Resolver = resolve_host,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.url = parse_origin(url)
        self.has_token = bool(token)
        self._token = token
        self._resolver = resolver
        self._sleep = sleep
        self._origin = _origin_of(self.url)
        self._is_private: bool | None = None
        # Behind a proxy names are looked up there, and every peer is the proxy: only written addresses can be checked.
        self._has_proxy = transport is None and bool(
            urllib.request.getproxies().keys() & {"http", "https", "all"}
        )
        self._client = httpx.Client(
            transport=transport,
            follow_redirects=False,
            timeout=httpx.Timeout(_READ_S, connect=_CONNECT_S, pool=60.0),
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            headers={"User-Agent": "tensorhub", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    # -- asking -------------------------------------------------------------------------------------------------

    def get_json(
        self, url: str, *, with_token: bool = True, tries: int = TRIES
    ) -> tuple[Any, Mapping[str, str]]:
        """Get a JSON document and its headers.

        Raises
        ------
        NotFoundError, AccessError
            The other hub says so.
        BackendUnavailableError
            It does not answer, or not usefully, however often it is asked.
        InvalidRecordError, LimitExceededError
            The answer is not JSON, or too long.
        """
        pause_s = _FIRST_PAUSE_S
        for left in reversed(range(tries)):
            try:
                with self.stream(url, {}, with_token=with_token) as response:
                    return _read_json(response, url), response.headers
            except BackendUnavailableError as error:
                if not left:
                    raise
                asked_s = getattr(error, "retry_after_s", 0)
                self._sleep(min(max(pause_s, asked_s), _MAX_PAUSE_S))
                pause_s *= 2
        raise BackendUnavailableError(self.url)  # never reached: the last try raises

    @contextmanager
    def stream(
        self, url: str, headers: Mapping[str, str], *, with_token: bool = True
    ) -> Iterator[httpx.Response]:
        """Open a response of status 2xx or 416 once, following redirects; its body is to be read inside.

        Raises
        ------
        TensorHubError
            See :meth:`get_json`.
        """
        target = url
        for _ in range(_MAX_REDIRECTS + 1):
            self._check_target(target)
            own = _origin_of(target) == self._origin
            sent = dict(headers)
            if own and with_token and self._token:
                sent["Authorization"] = f"Bearer {self._token}"
            request = self._client.build_request("GET", target, headers=sent)
            try:
                response = self._client.send(request, stream=True)
            except httpx.HTTPError as error:
                raise self._unreachable(target, f"{type(error).__name__}: {error}") from error
            try:
                location = response.headers.get("location")
                if response.is_redirect and location:
                    target = urljoin(target, location)
                    continue
                if not own:
                    self._check_peer(response, target)
                if not response.is_success and response.status_code != 416:
                    raise self._failure(response, target)
                try:
                    yield response
                except httpx.HTTPError as error:
                    raise self._unreachable(target, f"{type(error).__name__}: {error}") from error
                return
            finally:
                response.close()
        raise self._unreachable(url, f"more than {_MAX_REDIRECTS} redirects")

    # -- where to -----------------------------------------------------------------------------------------------

    def _check_target(self, url: str) -> None:
        """Refuse a redirect that leads where the upstream has no business to send us."""
        if _origin_of(url) == self._origin:
            return
        parts = urlsplit(url)
        is_downgrade = self.url.startswith("https:") and parts.scheme != "https"
        if parts.scheme not in ("http", "https") or not parts.hostname or is_downgrade:
            raise self._refused(url, "another scheme" if parts.hostname else "no host")
        if self._is_upstream_private():
            return  # an operator's own network: its hubs may keep files beside themselves
        addresses = self._addresses(parts.hostname)
        if not addresses and self._has_proxy:
            return
        if not addresses:
            raise self._unreachable(url, "no address")
        if not all(is_public(address) for address in addresses):
            raise self._refused(url, "a host of a private network")

    def _check_peer(self, response: httpx.Response, url: str) -> None:
        """Look whom we are really talking to: names may lead elsewhere a moment later."""
        stream = response.extensions.get("network_stream")
        peer = stream.get_extra_info("server_addr") if stream is not None else None
        if peer is None or self._has_proxy or self._is_upstream_private() or is_public(str(peer[0])):
            return
        raise self._refused(url, "a host of a private network")

    def _is_upstream_private(self) -> bool:
        if self._is_private is None:
            addresses = self._addresses(urlsplit(self.url).hostname or "")
            if not addresses:
                return False  # not remembered: it may be found later
            self._is_private = not all(is_public(address) for address in addresses)
        return self._is_private

    def _addresses(self, host: str) -> list[str]:
        if not self._has_proxy:
            return self._resolver(host)
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            return ["127.0.0.1"] if host == "localhost" else []

    # -- errors -------------------------------------------------------------------------------------------------

    def _unreachable(self, url: str, found: str) -> BackendUnavailableError:
        return BackendUnavailableError(
            f"other hub at {_shown(url)}",
            expected="an answer",
            found=found[:300],
            action="Check the address and the network, then try again.",
        )

    def _refused(self, url: str, found: str) -> ForbiddenError:
        _LOG.warning("refused a redirect of %s to %s: %s", self.url, _shown(url), found)
        return ForbiddenError(
            f"redirect of {self.url}",
            expected="one to a public https address",
            found=found,
            action="Ask whoever runs that hub.",
        )

    def _failure(self, response: httpx.Response, url: str) -> TensorHubError:
        status, headers = response.status_code, response.headers
        found = f"status {status}" + (
            f", {headers['x-error-message'][:300]}" if "x-error-message" in headers else ""
        )
        if status in _AGAIN or status >= 500:
            error = self._unreachable(url, found)
            after = headers.get("retry-after", "")
            if after.isdecimal() and len(after) < 4:
                error.retry_after_s = int(after)  # type: ignore[attr-defined]
            return error
        kind = _CODES.get(headers.get("x-error-code", ""))
        if kind is None and status == 401 and "Invalid credentials" in headers.get("x-error-message", ""):
            kind = AuthenticationError
        if kind is None:
            is_api = "/api/" in urlsplit(url).path
            kind = {401: RepositoryNotFoundError if is_api else ForbiddenError, 403: ForbiddenError}.get(
                status,
                (RepositoryNotFoundError if is_api else NotFoundError)
                if status == 404
                else BackendUnavailableError,
            )
        return kind(
            f"{_shown(url)}",
            expected="an answer of the other hub",
            found=found,
            action="Check the name, the revision, and whether a token with access is used.",
        )


def _origin_of(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port or (443 if parts.scheme == "https" else 80)


def _shown(url: str) -> str:
    """Give a URL without its query: signatures are secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _read_json(response: httpx.Response, url: str) -> Any:
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _MAX_JSON_NBYTES:
            raise LimitExceededError(
                f"answer of {_shown(url)}", expected=f"at most {_MAX_JSON_NBYTES} bytes", found="more"
            )
    try:
        return httpx.Response(200, content=bytes(body)).json()
    except (ValueError, RecursionError) as error:
        raise InvalidRecordError(
            f"answer of {_shown(url)}",
            expected="JSON",
            found=str(error)[:200],
            action="Check that the address is that of a hub.",
        ) from error
