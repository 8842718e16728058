"""Cursors: where the next page of a list begins.

Duty: a small JSON value as text that fits a URL, and back. Not its duty: what a list does with it.
Invariants: what comes back is checked to be a list of texts and numbers of the stated length; a cursor says nothing
that its reader was not shown, and needs no signature.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from tensorhub.errors import UsageError
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import link_next

_MAX_CURSOR = 8192  # characters: the longest path is 4096 bytes, here as base64 of JSON
Item = str | int


def write_cursor(items: list[Item]) -> str:
    """Write a cursor."""
    data = json.dumps(items, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def parse_cursor(text: str, *kinds: type) -> list[Any]:
    """Parse a cursor.

    Parameters
    ----------
    text
        As a client sent it.
    kinds
        The type of each item that it must have: ``str`` or ``int``.

    Raises
    ------
    UsageError
        It was not made by :func:`write_cursor`.
    """
    try:
        if len(text) > _MAX_CURSOR:
            raise ValueError("too long")
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        items = json.loads(data)
        if not isinstance(items, list) or tuple(type(item) for item in items) != kinds:
            raise ValueError("another value")
        json.dumps(items, ensure_ascii=False).encode()  # lone surrogates are no text
    except (ValueError, RecursionError, binascii.Error) as error:
        raise UsageError(
            "query parameter cursor",
            expected="one that the hub gave in a Link header",
            found=repr(text[:100]),
            action="Follow the Link header, or begin at the first page.",
        ) from error
    return items


def next_page(request: HubRequest, items: list[Item]) -> dict[str, str]:
    """Give the ``Link`` header for the page that begins after ``items``, with everything else asked as before."""
    query = [(name, value) for name, value in request.raw.query_params.multi_items() if name != "cursor"]
    raw: bytes = request.raw.scope["raw_path"]
    path = raw.decode("ascii").removeprefix(request.hub.config.root_path)  # base_url has it already
    return link_next(request.base_url, path, [*query, ("cursor", write_cursor(items))])


def parse_limit(query: Mapping[str, str], default: int, maximum: int) -> int:
    """Parse ``limit``: how many items a page has, at most ``maximum``.

    Raises
    ------
    UsageError
        It is no number of at least 1.
    """
    text = query.get("limit")
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or not text.strip("0"):
        raise UsageError(
            "query parameter limit",
            expected="a number of at least 1",
            found=repr(text[:100]),
            action="Leave it out for the longest pages.",
        )
    return maximum if len(text) > 9 else min(int(text), maximum)
