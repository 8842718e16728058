"""The page through the application: every view, hostile names, errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.config import HubConfig
from tensorhub.schema.names import parse_repository

from .page_hub import HOSTILE, Page, hub_of, open_client

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


def test_prefix(filled: Path) -> None:
    """Behind a proxy every address has its prefix."""
    with open_client(filled, HubConfig(root_path="/hub")) as client:
        for path in ("/hub/", "/hub/ada/child", "/hub/family", "/hub/ada/base/tree/main"):
            response = client.get(path)
            assert response.status_code == 200
            addresses = re.findall(r'(?:href|src|action)="([^"]*)"', response.text)
            assert all(address.startswith(("/hub/", "#")) for address in addresses), addresses
        assert client.get("/ada/child").status_code == 404
