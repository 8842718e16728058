"""Requests through the whole application: who asks, errors, origins, files with ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tensorhub.errors import UsageError
from tensorhub.hub.access import Visibility
from tensorhub.hub.app import Exchange, HubApp
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import ROUTES, check_exposure
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import parse_repository
from tensorhub.store.store import Store

CONTENT = b"\0weights" * 500_000
NOTHING = Digest(bytes(32))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "hub") as opened:
        with opened.begin_commit("ada/model") as transaction:
            transaction.put_file("w.bin", CONTENT)
            transaction.claim("w.bin", Fact(FactKind.FILE_SHA256, NOTHING, hashlib.sha256(CONTENT).digest()))
            transaction.publish("first")
        yield opened


@pytest.fixture
def seen() -> list[Exchange]:
    return []


@pytest.fixture
def client(store: Store, seen: list[Exchange]) -> Iterator[TestClient]:
    hub = Hub(store, HubConfig())
    with TestClient(HubApp(hub, ROUTES, observers=[seen.append]), base_url="http://localhost") as opened:
        yield opened


URL = "/ada/model/resolve/main/w.bin"


def test_whole_file(client: TestClient, seen: list[Exchange]) -> None:
    """Bytes, size and ETag; the exchange is observed."""
    response = client.get(URL, headers={"X-Amzn-Trace-Id": "abc"})
    assert response.content == CONTENT
    assert response.headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert response.headers["x-request-id"] == "abc"
    assert (seen[-1].status, seen[-1].sent_nbytes, seen[-1].user) == (200, len(CONTENT), "local")
    head = client.head(URL)
    assert (head.headers["content-length"], head.content) == (str(len(CONTENT)), b"")


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=1048570-", 1048570, 4000000), ("bytes=-5", 3999995, 4000000)],
)
def test_ranges(client: TestClient, asked: str, start: int, stop: int) -> None:
    """Exactly the bytes asked for."""
    response = client.get(URL, headers={"Range": asked})
    assert response.status_code == 206
    assert response.content == CONTENT[start:stop]
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"


def test_conditions(client: TestClient) -> None:
    """An ETag that is known gives 304; a range of another version gives the whole file."""
    etag = client.head(URL).headers["etag"]
    assert client.get(URL, headers={"If-None-Match": etag}).status_code == 304
    assert client.get(URL, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200
    assert client.get(URL, headers={"Range": "bytes=4000000-"}).status_code == 416


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/ada/other/resolve/main/w.bin", 404, "RepoNotFound"),
        ("/ada/model/resolve/nope/w.bin", 404, "RevisionNotFound"),
        ("/ada/model/resolve/main/nope", 404, "EntryNotFound"),
        ("/ada/model/resolve/main/%2e%2e/x", 400, None),
        ("/ada/model/resolve/main/a%00b", 400, None),
        ("/..%2f..%2fetc/x/resolve/main/passwd", 404, "RepoNotFound"),
        ("/no/such/path/at/all", 404, None),
    ],
)
def test_errors(client: TestClient, path: str, status: int, code: str | None) -> None:
    """Each with the status and code that clients know."""
    response = client.get(path)
    assert (response.status_code, response.headers.get("x-error-code")) == (status, code)
    assert response.json()["error"]


def test_too_much(store: Store) -> None:
    """A body above the limit and an endless path are refused before they are looked at."""
    hub = Hub(store, HubConfig(max_json_nbytes=100))
    client = TestClient(HubApp(hub, ROUTES), base_url="http://localhost")
    assert client.post("/api/repos/create", json={"name": "x" * 200}).status_code == 413
    assert client.get("/ada/model/resolve/main/" + "x" * 20_000).status_code == 414
    hub.close()


def test_other_spelling(client: TestClient) -> None:
    """It leads to the right one, relative to the host."""
    response = client.get("/Ada/Model/resolve/main/w.bin", follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (307, URL)


def test_users(store: Store, client: TestClient) -> None:
    """With the first user strangers see public repositories only, and a wrong token is told."""
    assert client.get(URL).status_code == 200
    hub = client.app.hub  # type: ignore[attr-defined]
    hub.accounts.create_user("ada")
    assert client.get(URL).status_code == 401
    secret = hub.accounts.tokens.create("ada").secret
    assert client.get(URL, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    wrong = client.get(URL, headers={"Authorization": "Bearer hf_wrong"})
    assert (wrong.status_code, wrong.headers["x-error-message"]) == (
        401,
        "Invalid credentials in Authorization header",
    )
    hub.repositories.put(parse_repository("ada/model"), visibility=Visibility.PUBLIC)
    assert client.get(URL).status_code == 200


def test_other_sites(client: TestClient) -> None:
    """A name that was made to point here is refused as long as nobody has to show a token."""
    assert client.get(URL, headers={"Host": "evil.example"}).status_code == 403
    for name in ("X-Forwarded-For", "Via", "Forwarded"):  # behind a proxy everybody comes from this machine
        assert client.get(URL, headers={name: "for=9.9.9.9"}).status_code == 403
    assert client.post(URL, headers={"Origin": "http://evil.example"}).status_code in (403, 405)


@pytest.mark.parametrize("path", ["/api/models", "/api/models/ada/model", "/nothing", "/api/whoami-v2", URL])
def test_no_answer_is_taken_for_a_page(client: TestClient, path: str) -> None:
    """By a browser that looks into it; and none is kept for others."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "public" not in headers["cache-control"]


def test_exposure(store: Store) -> None:
    """Without users only this machine is served."""
    hub = Hub(store, HubConfig(host="0.0.0.0"))
    with pytest.raises(UsageError, match="user add"):
        check_exposure(hub)
    hub.accounts.create_user("ada", is_admin=True)
    check_exposure(hub)


def test_what_is_not_ready(tmp_path: Path) -> None:
    """A revision without SHA-256 is told as busy, and shown once they are known."""
    with Store.create(tmp_path / "other") as store:
        with store.begin_commit("ada/model") as transaction:
            transaction.put_file("w.bin", CONTENT)
            transaction.publish("first")
        hub = Hub(store, HubConfig())
        client = TestClient(HubApp(hub, ROUTES), base_url="http://localhost")
        busy = client.get(URL)
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
        hub.start()
        for _ in range(200):
            if client.get(URL).status_code == 200:
                break
        hub.close()
        assert client.head(URL).status_code == 200 or hub.digests.progress.is_idle


def test_bugs_are_told_as_bugs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback leaves the server."""
    hub = Hub(store, HubConfig())

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(hub, "find", fail)
    response = TestClient(HubApp(hub, ROUTES), base_url="http://localhost").get(URL)
    assert response.status_code == 500
    assert "secret detail" not in response.text
