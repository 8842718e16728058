"""The page through the application: every view, hostile names, who sees what, signing in."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.access import Visibility
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import make_app
from tensorhub.schema.names import parse_repository
from tensorhub.store.commit_facts import CommitFacts

from ..weights import put, safetensors, tuned, weights

BASE = weights((128, 320), 1)
HOSTILE = '<img src=x onerror="alert(1)">'
FILES = {
    "README.md": b"---\nlicense: <b>mit</b>\n---\n# Base\n<script>alert(1)</script>",
    "config.json": b'{"x": "<script>alert(2)</script>"}',
    "model.safetensors": safetensors({"layer.weight": BASE, HOSTILE: weights((8, 8), 2)}),
    f"{HOSTILE}/{HOSTILE}.txt": b"text",
    "logo.png": b"\x89PNG" + bytes(20),
    "data.bin": b"\0\1\2",
}
VIEWS = [
    "/",
    "/?q=child&sort=size&type=model&page=1",
    "/models",
    "/datasets",
    "/spaces",
    "/family",
    "/health",
    "/login",
    "/ada/base",
    "/ada/base/tree/main",
    "/ada/base/tree/main/%3Cimg%20src=x%20onerror=%22alert(1)%22%3E",
    "/ada/base/blob/main/model.safetensors",
    "/ada/base/blob/main/model.safetensors?q=layer&sort=ratio&coding=standalone",
    "/ada/base/blob/main/config.json",
    "/ada/base/blob/main/data.bin",
    "/ada/base/tensors/main",
    "/ada/base/commits/main",
    "/ada/base/family/main",
    "/ada/child",
    "/ada/child/family/main",
    "/ada/child/tree/refs%2Fpr%2F1",
    "/datasets/ada/rows",
    "/datasets/ada/rows/tree/main",
    "/datasets/ada/empty",
]


def fill(store: Store) -> None:
    put(store, "ada/base", FILES)
    put(store, "ada/child", {"model.safetensors": safetensors({"layer.weight": tuned(BASE, 3)})})
    put(store, "datasets/ada/rows", {"rows.csv": b"a,b\n1,2\n"})
    store.create_ref("ada/child", "refs/pr/1")
    store.create_repository("datasets/ada/empty")
    with store.begin_commit("ada/base") as transaction:
        transaction.put_file("note.txt", b"note")
        facts = CommitFacts(f"{HOSTILE}\n\n{HOSTILE}", author=HOSTILE, date_ms=1_700_000_000_000)
        transaction.publish(facts=facts)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "hub"
    with Store.create(path) as store:
        fill(store)
    return path


@contextmanager
def open_client(path: Path, config: HubConfig) -> Iterator[TestClient]:
    with (
        Store.open(path) as store,
        TestClient(make_app(Hub(store, config)), base_url="http://localhost") as client,
    ):
        client.headers["Accept"] = "text/html"
        yield client


@pytest.fixture(scope="module")
def client(filled: Path) -> Iterator[TestClient]:
    """Read a hub without users."""
    with open_client(filled, HubConfig()) as opened:
        yield opened


@pytest.fixture
def guarded(filled: Path, tmp_path: Path) -> Iterator[TestClient]:
    """Use a hub that may be changed."""
    shutil.copytree(filled, tmp_path / "copy")
    with open_client(tmp_path / "copy", HubConfig()) as opened:
        yield opened


def hub_of(client: TestClient) -> Hub:
    hub: Hub = client.app.hub  # type: ignore[attr-defined]
    return hub


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Give the attributes of every element of one kind."""
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.mark.parametrize("path", VIEWS)
def test_each_view(client: TestClient, path: str) -> None:
    """It answers, with landmarks and labels, and nothing in it acts that a name brought along."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/html")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Page(response.text)
    assert len(page.all("main")) == len(page.all("h1")) == 1
    assert page.all("html")[0]["lang"] == "en"
    for attributes in (item for _, item in page.tags):
        assert not any(name.startswith("on") or name == "style" for name in attributes), attributes
    assert all(item["src"] and item["src"].startswith("/-/static/") for item in page.all("script"))
    assert not page.all("style")
    assert all((item.get("src") or "").startswith("/ada/") for item in page.all("img"))
    for item in page.all("a"):
        assert (item["href"] or "").startswith(("/", "#", "?")), item
    identities = [item["id"] for _, item in page.tags if "id" in item]
    assert len(identities) == len(set(identities))
    for _, item in page.tags:
        for name in (item.get("aria-labelledby") or "").split():
            assert name in identities
    for drawing in page.all("svg"):
        assert "aria-hidden" in drawing or "role" in drawing
    assert response.text.count("<table") == response.text.count("<caption")


def test_home(client: TestClient) -> None:
    """Totals, where the bytes went, and the list, which search narrows."""
    text = client.get("/").text
    assert "kept in" in text
    assert 'id="bytes"' in text
    assert "Where the bytes went" in text
    assert all(f"/{name}" in text for name in ("ada/base", "ada/child", "datasets/ada/rows"))
    found = client.get("/?q=chi").text
    assert "/ada/child" in found
    assert "/ada/base" not in found
    assert "No repository fits" in client.get("/?q=nothing-like-it").text
    assert "/ada/base" not in client.get("/datasets").text


def test_totals_that_are_still_added_up(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is there at once; the rest says that it comes."""
    monkeypatch.setattr(hub_of(client).page_data, "survey", lambda *_, **__: None)
    text = client.get("/").text
    assert 'id="pending"' in text
    assert "/ada/child" in text
    assert "come back in a moment" in client.get("/family").text
    assert "come back in a moment" in client.get("/ada/child/family/main").text
    assert client.get("/ada/child").status_code == 200


def test_a_revision_that_is_not_ready(guarded: TestClient) -> None:
    """The page shows it, and says that clients do not see it yet; its bytes cannot be had."""
    hub = hub_of(guarded)
    hub.digests.stop()
    with hub.store.begin_commit("ada/fresh") as transaction:
        transaction.put_file("x.txt", b"fresh text")
        transaction.publish("first")
    text = guarded.get("/ada/fresh/blob/main/x.txt").text
    assert "Being prepared" in text
    assert "fresh text" in text
    response = guarded.get("/ada/fresh/resolve/main/x.txt")
    assert response.status_code == 503
    assert "Not ready yet" in response.text
    assert "retry-after" in response.headers


def test_drawings(client: TestClient) -> None:
    """The family tree is drawn, and each of its links is in a table."""
    text = client.get("/family").text
    assert 'class="tree"' in text
    assert "ada/child leans on ada/base" in text
    assert 'class="tree"' in client.get("/ada/child/family/main").text


def test_repository(client: TestClient) -> None:
    """Card, sizes, and commands with the hub's own address."""
    text = client.get("/ada/child").text
    assert "HF_ENDPOINT=http://localhost hf download ada/child" in text
    assert "This repository has no card" in text
    assert '<a href="/ada/base">ada/base</a>' in text
    base = client.get("/ada/base").text
    assert "&lt;script&gt;alert(1)" in base
    assert "hf upload ada/empty" in client.get("/datasets/ada/empty").text
    assert (
        client.get("/ADA/Child/tree/main", follow_redirects=False).headers["location"]
        == "/ada/child/tree/main"
    )


def test_what_changed(client: TestClient) -> None:
    """A commit's page, at the address that clients print, lists the files that it changed."""
    history = client.get("/ada/base/commits/main").text
    address = re.findall(r'href="(/ada/base/commit/[0-9a-f]{40})"', history)[0]
    text = client.get(address).text
    assert "note.txt" in text
    assert "1 added, 0 changed, 0 removed" in text
    assert "&lt;img src=x" in text
    assert "config.json" not in text


def test_discussions(guarded: TestClient) -> None:
    """A pull request and what it changes, at the address that clients print."""
    hub = hub_of(guarded)
    repository = parse_repository("ada/base")
    assert "/discussions" not in guarded.get("/ada/base").text
    assert "None yet" in guarded.get("/ada/base/discussions").text
    pull = hub.pulls.open(repository, title=HOSTILE, description=HOSTILE, author=HOSTILE, base="main")
    hub.store.create_ref("ada/base", "refs/pr/1")
    with hub.store.begin_commit("ada/base", revision="refs/pr/1") as transaction:
        transaction.put_file("more.txt", b"more")
        transaction.publish("more")
    assert "/ada/base/discussions" in guarded.get("/ada/base").text
    assert f"/ada/base/discussions/{pull.num}" in guarded.get("/ada/base/discussions").text
    response = guarded.get(f"/ada/base/discussions/{pull.num}")
    assert response.status_code == 200
    assert "more.txt" in response.text
    assert not Page(response.text).all("img")
    for missing in ("2", "x", "9" * 50, "%2e"):
        assert guarded.get(f"/ada/base/discussions/{missing}").status_code == 404


def test_picture(client: TestClient) -> None:
    """It comes as a picture that can do nothing."""
    response = client.get("/ada/base/picture/main/logo.png")
    assert response.headers["content-type"] == "image/png"
    assert "sandbox" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert client.get("/ada/base/picture/main/README.md").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ada/nothing", 404),
        ("/nothing", 404),
        ("/ada/base/tree/nothing", 404),
        ("/ada/base/blob/main/nothing", 404),
        ("/ada/base/tree/main/nothing", 404),
        ("/ada/base/blob/main/%2e%2e%2fx", 400),
        ("/ada/base/commits/main?page=99", 404),
        ("/datasets/ada/empty/tree/main", 404),
        ("/-/static/page.css", 404),
        ("/%3Cscript%3E/x", 404),
        ("/a/b/c/d/e", 404),
        ("/%ff/x", 400),
    ],
)
def test_errors_are_pages(client: TestClient, path: str, status: int) -> None:
    """In the same dress for a browser, JSON for a program."""
    response = client.get(path)
    assert response.status_code == status
    assert Page(response.text).all("main")
    assert "<script>" not in response.text
    assert client.get(path, headers={"Accept": "*/*"}).json()["error"]


def test_unknown_paths_of_the_protocol(client: TestClient) -> None:
    """No page answers for them."""
    response = client.get("/api/nothing", headers={"Accept": "*/*"})
    assert (response.status_code, response.headers.get("x-error-code")) == (404, None)


def test_a_bug_is_not_shown(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and the page says only that something failed."""
    monkeypatch.setattr(hub_of(client).page_data, "visible", lambda *_: 1 / 0)
    response = client.get("/")
    assert response.status_code == 500
    assert "Something failed" in response.text
    assert "division" not in response.text


def test_static_files(client: TestClient) -> None:
    """They may be kept for good."""
    (sheet,) = [
        item["href"] for item in Page(client.get("/").text).all("link") if item["rel"] == "stylesheet"
    ]
    assert sheet
    response = client.get(sheet)
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["content-type"].startswith("text/css")
    again = client.get(sheet, headers={"If-None-Match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.fixture
def users(guarded: TestClient) -> dict[str, str]:
    """Let ada and eve in; ada's child and data set are hers alone."""
    hub = hub_of(guarded)
    hub.accounts.create_user("ada")
    hub.accounts.create_user("eve")
    hub.accounts.create_user("root", is_admin=True)
    hub.repositories.put(parse_repository("ada/child"), visibility=Visibility.PUBLIC)
    return {name: hub.accounts.tokens.create(name).secret for name in ("ada", "eve", "root")}


def test_strangers_see_what_is_public(guarded: TestClient, users: dict[str, str]) -> None:
    """Nothing tells them that there is more: no name, no total, no base."""
    for path in (
        "/",
        "/family",
        "/ada/child",
        "/ada/child/family/main",
        "/ada/child/blob/main/model.safetensors",
    ):
        text = guarded.get(path).text
        assert "ada/child" in text
        assert "ada/base" not in text
        assert "ada/rows" not in text
    assert "private" in guarded.get("/family").text
    assert "private" in guarded.get("/ada/child/blob/main/model.safetensors").text
    assert "Of the repositories that you may read" in guarded.get("/").text
    hidden, missing = guarded.get("/ada/base"), guarded.get("/ada/nothing")
    assert hidden.status_code == missing.status_code == 401
    assert hidden.text.replace("base", "nothing") == missing.text
    health = guarded.get("/health").text
    assert "An administrator sees more here" in health
    assert "Store id" not in health
    assert "Store id" in guarded.get("/health", headers={"Authorization": f"Bearer {users['root']}"}).text


def test_signing_in(guarded: TestClient, users: dict[str, str]) -> None:
    """A token becomes a cookie that scripts cannot read and that changes nothing; signing out drops it."""
    assert "Sign in" in guarded.get("/").text
    refused = guarded.post("/login", data={"token": "wrong", "next": "/ada/base"})
    assert refused.status_code == 401
    assert "does not know this token" in refused.text
    assert not guarded.cookies
    response = guarded.post(
        "/login", data={"token": users["ada"], "next": "/ada/base"}, follow_redirects=False
    )
    assert (response.status_code, response.headers["location"]) == (303, "/ada/base")
    cookie = response.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    page = guarded.get("/ada/base").text
    assert "Sign out" in page
    assert "private" in page
    assert guarded.delete("/api/repos/delete").status_code != 200
    assert guarded.post("/logout", follow_redirects=False).status_code == 303
    assert guarded.get("/ada/base").status_code == 401


@pytest.mark.parametrize(
    "target", ["https://evil.org", "//evil.org", "/\\evil.org", "javascript:x", "", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(guarded: TestClient, users: dict[str, str], target: str) -> None:
    """One is sent to pages of this hub only."""
    response = guarded.post("/login", data={"token": users["ada"], "next": target}, follow_redirects=False)
    assert response.headers["location"] == "/"
    assert "evil" not in guarded.get("/login", params={"next": target}).text


def test_a_revoked_cookie_is_dropped(guarded: TestClient, users: dict[str, str]) -> None:
    """Its reader is told once, and then looks on as a stranger."""
    guarded.post("/login", data={"token": users["ada"]})
    tokens = hub_of(guarded).accounts.tokens
    tokens.revoke(tokens.list("ada")[0].token_id)
    assert guarded.get("/").status_code == 401
    assert guarded.get("/").status_code == 200


def test_another_site_cannot_sign_in(guarded: TestClient, users: dict[str, str]) -> None:
    """A form of another origin is refused."""
    response = guarded.post("/login", data={"token": users["ada"]}, headers={"Origin": "https://evil.org"})
    assert response.status_code == 403
    assert not guarded.cookies


def test_prefix(filled: Path) -> None:
    """Behind a proxy every address has its prefix."""
    with open_client(filled, HubConfig(root_path="/hub")) as client:
        for path in ("/hub/", "/hub/ada/child", "/hub/family", "/hub/ada/base/tree/main"):
            response = client.get(path)
            assert response.status_code == 200
            addresses = re.findall(r'(?:href|src|action)="([^"]*)"', response.text)
            assert all(address.startswith(("/hub/", "#")) for address in addresses), addresses
        assert client.get("/ada/child").status_code == 404
