"""A request as handlers see it.

Duty: the parsed names, query, body and caller of one request. Not its duty: answering.
Invariants: bodies are read up to a stated limit; a name is parsed before a handler can use it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request

from tensorhub.errors import (
    BodyTooLargeError,
    InvalidNameError,
    InvalidRecordError,
    LimitExceededError,
    RepositoryNotFoundError,
)
from tensorhub.hub.access import Identity
from tensorhub.hub.hub import Hub
from tensorhub.schema.names import RepositoryId, parse_repository

FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")  # what proxies leave
_TRUE = frozenset(("true", "1", "yes"))
_HOST = re.compile(
    r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)  # a name or address, a port


@dataclass(frozen=True, slots=True)
class HubRequest:
    """One request.

    Attributes
    ----------
    raw
        Starlette's.
    hub
        The server.
    identity
        Who asks.
    params
        Decoded parts of the path, by their names in the route's pattern.
    repo_type
        ``model``, ``dataset`` or ``space``, as the path says.
    base_url
        Scheme, host and prefix under which the caller knows the hub, without a slash at the end.
    """

    raw: Request
    hub: Hub
    identity: Identity
    params: Mapping[str, str]
    repo_type: str
    base_url: str

    @property
    def repository(self) -> RepositoryId:
        """The repository that the path names, as the caller wrote it; it may not exist.

        Raises
        ------
        RepositoryNotFoundError
            The name breaks the rules, so that no such repository can exist.
        """
        try:
            return parse_repository(self.params["repo"], self.repo_type)
        except InvalidNameError as error:
            raise RepositoryNotFoundError(
                f"repository {self.params['repo']!r}", expected=error.expected, found="another name"
            ) from error

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, by lower-case name."""
        return self.raw.headers

    @property
    def query(self) -> Mapping[str, str]:
        """Query parameters; of repeated ones the last."""
        return self.raw.query_params

    def query_list(self, name: str) -> list[str]:
        """Give every value of a repeated query parameter; ``name[]`` counts too."""
        parameters = self.raw.query_params
        return [*parameters.getlist(name), *parameters.getlist(f"{name}[]")]

    def flag(self, name: str) -> bool:
        """Say whether a boolean query parameter is set; clients write ``true``, ``True`` or ``1``."""
        return self.raw.query_params.get(name, "").lower() in _TRUE

    async def stream(self, max_nbytes: int) -> AsyncIterator[bytes]:
        """Yield the body in pieces.

        Raises
        ------
        LimitExceededError
            It is longer.
        InvalidRecordError
            The caller went away before its end.
        """
        announced = self.headers.get("content-length", "0")
        total = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
        if total > max_nbytes:
            raise self._too_long(max_nbytes, total)
        total = 0
        try:
            async for piece in self.raw.stream():
                total += len(piece)
                if total > max_nbytes:
                    raise self._too_long(max_nbytes, total)
                if piece:
                    yield piece
        except ClientDisconnect as error:
            raise InvalidRecordError(
                "request body", expected="its end", found=f"{total} bytes, then a closed connection"
            ) from error

    async def body(self, max_nbytes: int | None = None) -> bytes:
        """Read the whole body; by default up to the limit for JSON."""
        limit = self.hub.config.max_json_nbytes if max_nbytes is None else max_nbytes
        return b"".join([piece async for piece in self.stream(limit)])

    async def json(self, max_nbytes: int | None = None) -> dict[str, Any]:
        """Read the body as a JSON object; an empty body is an empty one.

        Raises
        ------
        InvalidRecordError
            It is something else.
        """
        data = await self.body(max_nbytes)
        try:
            value = json.loads(data) if data else {}
        except (ValueError, RecursionError) as error:
            raise InvalidRecordError(
                "request body", expected="JSON", found=str(error)[:200], action="Send a JSON object."
            ) from error
        if not isinstance(value, dict):
            raise InvalidRecordError(
                "request body", expected="a JSON object", found=type(value).__name__, action="Send an object."
            )
        return value

    def _too_long(self, limit: int, found: int) -> LimitExceededError:
        return BodyTooLargeError(
            "request body",
            expected=f"at most {limit} bytes",
            found=f"{found} or more",
            action="Send less at a time, or raise the limit of the server.",
        )


def base_url_of(request: Request, root_path: str, is_trusted: bool) -> str:
    """Say under which URL the caller knows the hub.

    Parameters
    ----------
    request
        Starlette's.
    root_path
        Prefix that the operator configured.
    is_trusted
        Whether the peer's ``X-Forwarded-Proto`` and ``-Host`` are believed.
    """
    scheme, host = request.url.scheme, request.headers.get("host", "")
    if is_trusted:
        scheme = request.headers.get("x-forwarded-proto", scheme).split(",")[0].strip()
        host = request.headers.get("x-forwarded-host", host).split(",")[0].strip()
    if scheme not in ("http", "https"):
        scheme = "http"
    if _HOST.fullmatch(host) is None:
        server = request.scope.get("server") or ("localhost", None)
        host = f"{server[0]}:{server[1]}" if server[1] else server[0]
    return f"{scheme}://{host}{root_path}"


def address_of(request: Request, trusted: Collection[str]) -> str:
    """Say where a request comes from.

    Parameters
    ----------
    request
        Starlette's.
    trusted
        Proxies that are believed: of ``X-Forwarded-For`` the last address counts that is none of theirs.
    """
    client = request.scope.get("client")
    address = str(client[0]) if client else ""
    if address not in trusted:
        return address
    for hop in reversed(request.headers.get("x-forwarded-for", "").split(",")):
        try:
            address = str(ipaddress.ip_address(hop.strip()))
        except ValueError:
            break
        if address not in trusted:
            break
    return address
