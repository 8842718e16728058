"""Who sees what on the page, and signing in."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.access import Visibility
from tensorhub.schema.names import parse_repository

from .page_hub import hub_of


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
