"""Answers: JSON, paging, and errors as Hugging Face clients read them.

Duty: the headers and bodies that answers share. Not its duty: their content.
Invariants: every error carries ``X-Error-Message``, and ``X-Error-Code`` where clients know one.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from tensorhub.errors import (
    AuthenticationError,
    CapacityError,
    RepositoryNotFoundError,
    TensorHubError,
)
from tensorhub.hub.access import Identity

INVALID_TOKEN = "Invalid credentials in Authorization header"  # the text that clients look for
REPOSITORY_NOT_FOUND = (
    "Repository not found"  # clients say these words and what to do, and would say ours once more
)


class JsonResponse(Response):
    """A JSON document."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Give the bytes; half a surrogate pair, which a JSON request can hold, becomes a question mark."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode("utf-8", "replace")


def error_response(error: TensorHubError, identity: Identity | None) -> Response:
    """Turn an error of the tree into the answer that clients translate back.

    Parameters
    ----------
    error
        What happened.
    identity
        Who asked; None where that could not be told.
    """
    status = error.http_status
    if isinstance(error, RepositoryNotFoundError) and (identity is None or identity.user is None):
        status = 401  # as the Hugging Face hub: whether it is hidden or does not exist is not told
    text = str(error)
    if isinstance(error, AuthenticationError) and identity is None:
        text = INVALID_TOKEN
    elif isinstance(error, RepositoryNotFoundError):
        text = REPOSITORY_NOT_FOUND
    headers = {"X-Error-Message": header_text(text)}
    if error.error_code is not None:
        headers["X-Error-Code"] = error.error_code
    if isinstance(error, CapacityError):
        headers["Retry-After"] = str(error.retry_after_s)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="hub"'
    return JsonResponse({"error": text}, status, headers)


def header_text(text: str) -> str:
    """Give text as a header can carry it through every proxy: one line of ASCII, 1000 characters at most."""
    one_line = " ".join(text.split())
    return "".join(character if 31 < ord(character) < 127 else "?" for character in one_line)[:1000]


def link_next(base_url: str, path: str, query: list[tuple[str, str]]) -> dict[str, str]:
    """Give the ``Link`` header that names the next page.

    Parameters
    ----------
    base_url, path
        Of the request; the path percent-encoded as it came.
    query
        Parameters of the next page.
    """
    return {"Link": f'<{base_url}{path}?{urlencode(query)}>; rel="next"'}
