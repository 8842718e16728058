"""Whom another hub may send us to, who sees the token, what is tried again."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tensorhub.errors import (
    AuthenticationError,
    BackendUnavailableError,
    FileEntryNotFoundError,
    ForbiddenError,
    InvalidRecordError,
    LimitExceededError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    TensorHubError,
    UsageError,
)
from tensorhub.hub import upstream_http
from tensorhub.hub.upstream_http import UpstreamHttp, is_public, parse_origin, resolve_host

HOSTS = {
    "hub.example": ["93.184.216.34"],
    "cdn.example": ["151.101.0.1"],
    "inside.example": ["10.0.0.7"],
    "mixed.example": ["151.101.0.1", "127.0.0.1"],
    "home.lan": ["192.168.1.5"],
}
API = "https://hub.example/api/models/a/b"
Answer = Callable[[httpx.Request], httpx.Response]


def _http(
    answer: Answer, url: str = "https://hub.example", pauses: list[float] | None = None
) -> UpstreamHttp:
    return UpstreamHttp(
        url,
        "secret",
        transport=httpx.MockTransport(answer),
        resolver=lambda host: HOSTS.get(host, [host] if host[0].isdigit() else []),
        sleep=(pauses if pauses is not None else []).append,
    )


def _redirecting(location: str, asked: list[httpx.Request]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == 1:
            return httpx.Response(302, headers={"Location": location})
        return httpx.Response(200, content=b"bytes")

    return answer


@pytest.mark.parametrize(
    ("location", "has_token"),
    [
        ("/elsewhere", True),
        ("https://cdn.example/x?signature=1", False),
        ("https://hub.example:444/x", False),
    ],
)
def test_redirects(location: str, has_token: bool) -> None:
    """They are followed; the token stays at the origin: scheme, host and port."""
    asked: list[httpx.Request] = []
    with _http(_redirecting(location, asked)).stream(API, {"Range": "bytes=1-"}) as response:
        assert response.read() == b"bytes"
    assert asked[0].headers["authorization"] == "Bearer secret"
    assert ("authorization" in asked[1].headers) is has_token
    assert asked[1].headers["range"] == "bytes=1-"


@pytest.mark.parametrize(
    "location",
    [
        "http://cdn.example/x",
        "https://inside.example/x",
        "https://mixed.example/x",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "file:///etc/passwd",
        "gopher://cdn.example/x",
    ],
)
def test_refused_redirects(location: str) -> None:
    """Into a private network, to another scheme, away from encryption: nobody is asked."""
    asked: list[httpx.Request] = []
    with pytest.raises(TensorHubError), _http(_redirecting(location, asked)).stream(API, {}):
        pass
    assert len(asked) == 1


def test_private_hubs_keep_files_beside_themselves() -> None:
    """A hub of an operator's own network may send us to another machine of it."""
    asked: list[httpx.Request] = []
    http = _http(_redirecting("http://inside.example/x", asked), "http://home.lan")
    with http.stream("http://home.lan/x", {}) as response:
        assert response.read() == b"bytes"


def test_names_that_lead_elsewhere_a_moment_later() -> None:
    """The peer that answers is looked at, too."""

    class Stream:
        def get_extra_info(self, name: str) -> object:
            return ("127.0.0.1", 443) if name == "server_addr" else None

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "hub.example":
            return httpx.Response(302, headers={"Location": "https://cdn.example/x"})
        return httpx.Response(200, content=b"secret of this machine", extensions={"network_stream": Stream()})

    with pytest.raises(ForbiddenError), _http(answer).stream(API, {}):
        pass


def test_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are not looked up here; written addresses are still checked."""
    monkeypatch.setenv("HTTPS_PROXY", "http://10.9.9.9:3128")
    http = UpstreamHttp("https://hub.example", resolver=lambda _: [])
    http._check_target("https://cdn.example/x")
    for url in (
        "https://127.0.0.1/x",
        "https://169.254.169.254/x",
        "https://localhost/x",
        "http://cdn.example/x",
    ):
        with pytest.raises(ForbiddenError):
            http._check_target(url)
    http.close()


def test_circles_end() -> None:
    """Redirects are followed a few times only."""
    http = _http(lambda _: httpx.Response(302, headers={"Location": "/again"}))
    with pytest.raises(BackendUnavailableError), http.stream(API, {}):
        pass


def test_trying_again() -> None:
    """What may pass is tried again, with growing pauses, or as long as the other hub says."""
    answers = [
        httpx.Response(503),
        httpx.Response(429, headers={"Retry-After": "7"}),
        httpx.Response(200, json={"a": 1}),
    ]
    pauses: list[float] = []
    assert _http(lambda _: answers.pop(0), pauses=pauses).get_json(API)[0] == {"a": 1}
    assert pauses == [0.5, 7.0]


def test_giving_up() -> None:
    """At last it is told that nobody answers."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no")

    pauses: list[float] = []
    with pytest.raises(BackendUnavailableError, match="ConnectTimeout"):
        _http(answer, pauses=pauses).get_json(API, tries=3)
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (httpx.Response(404, headers={"X-Error-Code": "RevisionNotFound"}), RevisionNotFoundError),
        (httpx.Response(404, headers={"X-Error-Code": "EntryNotFound"}), FileEntryNotFoundError),
        (httpx.Response(401, headers={"X-Error-Code": "RepoNotFound"}), RepositoryNotFoundError),
        (httpx.Response(403, headers={"X-Error-Code": "GatedRepo"}), ForbiddenError),
        (httpx.Response(401), RepositoryNotFoundError),
        (httpx.Response(404), RepositoryNotFoundError),
        (
            httpx.Response(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"}),
            AuthenticationError,
        ),
        (httpx.Response(200, content=b"<html>"), InvalidRecordError),
    ],
)
def test_errors(response: httpx.Response, kind: type[TensorHubError]) -> None:
    """Each is told in our words."""
    with pytest.raises(kind):
        _http(lambda _: response).get_json(API)


def test_long_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Are not read to their end."""
    monkeypatch.setattr(upstream_http, "_MAX_JSON_NBYTES", 100)
    with pytest.raises(LimitExceededError):
        _http(lambda _: httpx.Response(200, content=b"[" * 101)).get_json(API)


def test_queries_are_not_told() -> None:
    """Signatures in redirects are secrets."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "hub.example":
            return httpx.Response(302, headers={"Location": "https://cdn.example/x?signature=abc"})
        return httpx.Response(500)

    with pytest.raises(BackendUnavailableError) as caught, _http(answer).stream(API, {}):
        pass
    assert "abc" not in str(caught.value)
    assert "cdn.example/x" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "hub.example", "ftp://hub.example", "https://u:p@hub.example", "https://h/?a=1", "https://h:x"],
)
def test_addresses_that_are_none(url: str) -> None:
    """And passwords in them are not repeated."""
    with pytest.raises(UsageError) as caught:
        parse_origin(url)
    assert "p@" not in str(caught.value)


def test_addresses() -> None:
    """What is public is what the open internet routes."""
    assert parse_origin("https://hub.example/hf/") == "https://hub.example/hf"
    assert is_public("8.8.8.8")
    assert not any(
        map(is_public, ["127.0.0.1", "10.1.1.1", "fe80::1%eth0", "::1", "169.254.0.1", "nonsense"])
    )
    assert "127.0.0.1" in resolve_host("localhost") or "::1" in resolve_host("localhost")
