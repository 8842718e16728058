"""No request that reads brings a hub to an error of its own, or out of its repositories."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.serve import ROUTES

from ..unit.hub.served import ask, put_ready

pytestmark = pytest.mark.wide

PARTS = (
    *(
        "..",
        "..%2f..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%2fetc%2fpasswd",
        "%00",
        "%ff%fe",
        "%c0%ae%c0%ae",
        "%",
        "%zz",
    ),
    *(
        "a%0d%0aSet-Cookie:x",
        "%ed%a0%80",
        "a" * 3000,
        "%F0%9F%A4%97",
        "refs%2Fheads%2F..%2F..%2Fx",
        "-1",
        "%5c..%5c",
    ),
    *(
        "a%25%32%66b",
        "'%22%3E%3Cscript%3E",
        ";ls",
        "con",
        "main%00",
        "null",
        "0" * 40,
        "~",
        "%20",
        "*",
        "hub.json",
    ),
)
QUERIES = (
    *(
        "",
        "cursor=%00",
        "limit=" + "9" * 50,
        "limit=-1",
        "expand=%ff",
        "expand[]=x&expand[]=y",
        "recursive=%00",
    ),
    *("blobs=1&securityStatus=1", "search=" + "x+" * 3000, "filter=" + "a," * 3000, "sort=__class__", "p=-1"),
    *("diff=1&x[]=%", "a=b&" * 3000, "cursor=" + "W" * 20000, "num_parameters=min:" + "9" * 400),
)
REPOSITORY = "ada/model"
GOOD = {
    "T": "models",
    "P": "",
    "repo": REPOSITORY,
    "rev": "main",
    "path": "a.txt",
    "name": "ada",
    "kind": "models",
}
READ = [route for route in ROUTES if "GET" in route.methods]
SESSION = ("/login", "/logout")  # they set a cookie, and answer with pages
POSTED = [
    route
    for route in ROUTES
    if "POST" in route.methods and "GET" not in route.methods and route.pattern not in SESSION
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    with Store.create(folder / "hub") as store:
        put_ready(
            store, REPOSITORY, {"a.txt": b"text", "d/b.txt": b"b", "README.md": b"---\nlicense: mit\n---\n"}
        )
        put_ready(store, f"datasets/{REPOSITORY}", {"a.txt": b"text"})
        with ask(store) as opened:
            opened.follow_redirects = False
            yield opened


def fill(pattern: str, name: str, value: str) -> str:
    """Write a path of a pattern, with one part that is not what it should be."""

    def part(found: re.Match[str]) -> str:
        known = value if found[1] == name else GOOD.get(found[1], "1")
        return known + "/" if found[1] == "P" and known else known

    return re.sub(r"\{(\w+)\}", part, pattern)


def send(client: TestClient, method: str, path: str, query: str = "", **more: object) -> int:
    """Send a raw path, which nobody tidies up before."""
    request = client.build_request(method, "http://localhost/x", **more)  # type: ignore[arg-type]
    request.url = request.url.copy_with(raw_path=f"{path}?{query}".encode())
    response = client.send(request)
    if response.status_code >= 400:
        assert response.headers["x-error-message"], path
        assert "Traceback" not in response.text
    assert response.status_code < 500 or response.status_code in (501, 503), (
        path[:200],
        query[:100],
        response.text,
    )
    assert "root:" not in response.text
    assert "set-cookie" not in response.headers
    return response.status_code


@pytest.mark.parametrize("route", READ, ids=lambda route: f"{route.methods} {route.pattern}")
def test_parts(client: TestClient, route: object) -> None:
    """Every part of every path that is read."""
    pattern = route.pattern  # type: ignore[attr-defined]
    names = re.findall(r"\{(\w+)\}", pattern)
    assert send(client, "GET", fill(pattern, "", "")) in (200, 204, 400, 401, 403, 404, 422, 501)
    for name, value in product(names, PARTS):
        send(client, "GET", fill(pattern, name, value))


@pytest.mark.parametrize("route", READ, ids=lambda route: f"{route.methods} {route.pattern}")
def test_queries(client: TestClient, route: object) -> None:
    """Every query on every path that is read."""
    pattern = route.pattern  # type: ignore[attr-defined]
    for query in QUERIES:
        send(client, "GET", fill(pattern, "", ""), query)


@pytest.mark.parametrize("route", POSTED, ids=lambda route: f"{route.methods} {route.pattern}")
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded"])
def test_bodies(client: TestClient, route: object, kind: str) -> None:
    """Bodies that are not what a path takes."""
    path = fill(route.pattern, "", "").replace(REPOSITORY, "ada/nobody")  # type: ignore[attr-defined]
    for body in (
        b"",
        b"{",
        b"[1]",
        b"null",
        b"\xff\xfe",
        b"[" * 50_000,
        b"paths=%ff",
        b'{"a": 1e999}',
        b'"\\ud800"',
    ):
        send(client, "POST", path, content=body, headers={"content-type": kind})


HEADERS = (
    {"authorization": "Bearer "},
    {"authorization": "Basic x"},
    {"authorization": "Bearer " + "x" * 8000},
    {"cookie": "tensorhub_token=" + "\xff" * 50},
    {"range": "bytes=" + "9" * 30 + "-"},
    {"range": "bytes=0-0," * 500},
    {"if-none-match": "*"},
    {"if-range": '"'},
    {"x-forwarded-host": "evil.example", "x-forwarded-proto": "javascript"},
    {"x-request-id": "\x01" * 10},
    {"accept": "text/html"},
)


@pytest.mark.parametrize("headers", HEADERS, ids=range(len(HEADERS)))
def test_headers(client: TestClient, headers: dict[str, str]) -> None:
    """Headers that mean nothing, or more than they may."""
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    for path in (
        f"/{REPOSITORY}/resolve/main/a.txt",
        f"/api/models/{REPOSITORY}",
        "/api/models",
        "/api/nothing",
    ):
        send(client, "GET", path, headers=encoded)
    listed = client.get("/api/models?limit=1", headers=encoded)
    assert "evil" not in listed.headers.get("link", "")
