"""Errors as Hugging Face clients read them."""

from __future__ import annotations

import json

from tensorhub.errors import (
    AuthenticationError,
    FileEntryNotFoundError,
    NotReadyError,
    RepositoryNotFoundError,
)
from tensorhub.hub.access import Identity
from tensorhub.hub.responses import INVALID_TOKEN, JsonResponse, error_response, header_text, link_next

ADA = Identity("ada", is_admin=False, can_write=True, namespaces={})
NOBODY = Identity(None, is_admin=False, can_write=False, namespaces={})


def test_error_codes() -> None:
    """Status, code and message of what clients tell apart."""
    error = FileEntryNotFoundError("file 'x'", expected="an entry", found="none")
    response = error_response(error, ADA)
    assert response.status_code == 404
    assert response.headers["x-error-code"] == "EntryNotFound"
    assert json.loads(response.body)["error"] == str(error)


def test_a_hidden_repository_and_none_look_alike() -> None:
    """To nobody known the answer is 401, to a user 404, always with the code."""
    error = RepositoryNotFoundError("repository a/b")
    assert error_response(error, NOBODY).status_code == 401
    assert error_response(error, ADA).status_code == 404
    assert error_response(error, NOBODY).headers["x-error-code"] == "RepoNotFound"


def test_invalid_token() -> None:
    """The text is the one that clients look for."""
    response = error_response(AuthenticationError("token", found="an unknown one"), None)
    assert (response.status_code, response.headers["x-error-message"]) == (401, INVALID_TOKEN)


def test_no_token() -> None:
    """Who shows no token is told to log in, not that it is a wrong one."""
    response = error_response(AuthenticationError("a change", action="Log in."), NOBODY)
    assert response.status_code == 401
    assert "Log in." in response.headers["x-error-message"]


def test_busy() -> None:
    """What is not ready says when to come again."""
    assert error_response(NotReadyError("revision"), ADA).headers["retry-after"] == "10"


def test_header_text() -> None:
    """No line break, no control character, no endless text gets into a header."""
    assert header_text("a\r\nSet-Cookie: x\x00 \u0416" + "b" * 2000).startswith("a Set-Cookie: x? ?bb")
    assert len(header_text("b" * 2000)) == 1000


def test_link_next() -> None:
    """The next page is named with its query encoded."""
    assert link_next("http://h", "/api/models", [("cursor", "a b")]) == {
        "Link": '<http://h/api/models?cursor=a+b>; rel="next"'
    }


def test_half_a_surrogate_pair() -> None:
    """JSON can hold one, UTF-8 cannot: what echoes it is still answered."""
    assert JsonResponse({"oid": "x\ud800"}).body == b'{"oid":"x?"}'
