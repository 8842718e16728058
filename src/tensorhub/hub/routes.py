"""Routing: which handler answers a request, decided on the raw path.

Duty: patterns, matching, decoding of what matched. Not its duty: anything a handler does.
Invariants: the path is split before it is decoded, so that ``feat%2Fx`` is one revision and ``a%20b`` one name;
what a pattern gives is text that still has to be parsed as a name.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tensorhub.errors import InvalidNameError, MethodError

if TYPE_CHECKING:
    from starlette.responses import Response

    from tensorhub.hub.request import HubRequest

Handler = Callable[["HubRequest"], Awaitable["Response"]]

_PARTS = {
    "T": r"(?P<T>models|datasets|spaces)",
    "P": r"(?:(?P<P>datasets|spaces)/)?",  # of pages and files: models have no prefix
    "repo": r"(?P<repo>(?!api(?:/|$))[^/]+(?:/[^/]+)?)",  # so that no page takes an API's unknown path
    "path": r"(?P<path>.+)",
}
_TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}


@dataclass(frozen=True, slots=True)
class Route:
    """One pattern and who answers it.

    Attributes
    ----------
    methods
        Such as ``"GET"`` or ``"GET HEAD"``.
    pattern
        A path; ``{T}`` is a plural type, ``{P}`` the prefix ``datasets/``, ``spaces/`` or nothing, ``{repo}`` an id
        of one or two segments, ``{path}`` the rest, any other ``{name}`` one segment.
    handler
        Answers.
    is_signed
        The handler finds out itself who asks, by a signature: ``Authorization`` is no access token here.
    """

    methods: str
    pattern: str
    handler: Handler
    is_signed: bool = False

    def compiled(self) -> re.Pattern[str]:
        """Give the pattern as a regular expression over the raw path."""
        out = []
        for literal, name in re.findall(r"([^{]*)(?:\{(\w+)\})?", self.pattern):
            out.append(re.escape(literal))
            if name:
                out.append(_PARTS.get(name, rf"(?P<{name}>[^/]+)"))
        return re.compile("".join(out))


@dataclass(frozen=True, slots=True)
class Match:
    """What a request asks for.

    Attributes
    ----------
    handler
        Answers it.
    pattern
        The route's, for metrics.
    params
        Decoded parts by name.
    repo_type
        ``model``, ``dataset`` or ``space``, where the pattern says.
    is_signed
        As the route says.
    """

    handler: Handler
    pattern: str
    params: Mapping[str, str]
    repo_type: str
    is_signed: bool = False


class RouteTable:
    """Every route of a hub, first match wins.

    Parameters
    ----------
    routes
        In the order in which they are tried.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(route, route.compiled(), frozenset(route.methods.split())) for route in routes]

    def match(self, method: str, raw_path: str) -> Match | None:
        """Find who answers.

        Parameters
        ----------
        method, raw_path
            Of the request; the path still percent-encoded.

        Returns
        -------
        Match or None
            None where no pattern fits.

        Raises
        ------
        MethodError
            Patterns fit, but none for this method.
        InvalidNameError
            A part does not decode to UTF-8.
        """
        allowed: set[str] = set()
        for route, expression, methods in self._routes:
            found = expression.fullmatch(raw_path)
            if found is None:
                continue
            if method not in methods:
                allowed |= methods
                continue
            params = {name: _decode(value) for name, value in found.groupdict().items() if value is not None}
            kind = _TYPES[params.pop("T", "") or params.pop("P", "") or "models"]
            return Match(route.handler, route.pattern, params, kind, route.is_signed)
        if allowed:
            raise MethodError(
                f"path {raw_path}",
                expected=" or ".join(sorted(allowed)),
                found=method,
                action="Use one of these methods.",
            )
        return None


def _decode(raw: str) -> str:
    try:
        return unquote(raw, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidNameError(
            f"path part {raw!r}",
            expected="percent-encoded UTF-8",
            found="other bytes",
            action="Encode names as UTF-8.",
        ) from error
