"""Repositories made, renamed, opened, closed, copied and removed by requests."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.access import Gate, Role, Visibility
from tensorhub.hub.hub import Hub
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_repository


def test_create(client: TestClient, hub: Hub) -> None:
    """A new repository has its first commit at once; a second one of the name is refused with the URL of the first."""
    made = client.post("/api/repos/create", json={"name": "m", "organization": None})
    assert (made.status_code, made.json()["url"]) == (200, "http://localhost/local/m")
    assert [entry.path for entry in hub.store.snapshots.snapshot("local/m").tree.entries] == [
        ".gitattributes"
    ]
    assert hub.view(parse_repository("local/m"), "main").files[".gitattributes"].git_sha1 is not None
    again = client.post(
        "/api/repos/create", json={"name": "M", "organization": "Local", "visibility": "private"}
    )
    assert (again.status_code, again.json()["url"]) == (409, "http://localhost/local/m")
    actions = [entry.action for entry in hub.audit.entries()]
    assert actions == ["repository.create"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "../../x"},
        {"name": "a/b/c"},
        {"name": "x", "organization": ".."},
        {"name": 5},
        {"name": "x", "type": "bucket"},
        {"name": "x", "type": "space"},
        {"name": "x", "type": "space", "sdk": "perl"},
        {"name": "x", "private": "yes"},
        {"name": "x", "visibility": "secret"},
    ],
)
def test_create_refused(client: TestClient, hub: Hub, body: dict[str, object]) -> None:
    """What has no meaning makes nothing."""
    assert client.post("/api/repos/create", json=body).status_code == 400
    assert hub.store.ref_store.repositories() == []


def test_space(client: TestClient, hub: Hub) -> None:
    """A space begins with a card that names its SDK."""
    made = client.post("/api/repos/create", json={"name": "s", "type": "space", "sdk": "gradio"})
    assert made.json()["url"] == "http://localhost/spaces/local/s"
    assert b"sdk: gradio" in hub.store.read("spaces/local/s", "README.md")


def test_move(client: TestClient) -> None:
    """The old name leads to the new one; a taken name is refused."""
    for name in ("a", "b"):
        client.post("/api/repos/create", json={"name": name})
    taken = client.post("/api/repos/move", json={"fromRepo": "local/a", "toRepo": "local/b", "type": "model"})
    assert (taken.status_code, "already exists" in taken.json()["error"]) == (409, True)
    moved = client.post("/api/repos/move", json={"fromRepo": "local/a", "toRepo": "local/c", "type": "model"})
    assert moved.status_code == 200
    old = client.get("/local/a/resolve/main/.gitattributes", follow_redirects=False)
    assert (old.status_code, old.headers["location"]) == (307, "/local/c/resolve/main/.gitattributes")


def test_settings(client: TestClient, hub: Hub) -> None:
    """Visibility and gate are changed one by one."""
    client.post("/api/repos/create", json={"name": "a"})
    url = "/api/models/local/a/settings"
    assert client.put(url, json={"visibility": "private"}).json()["private"] is True
    assert client.put(url, json={"gated": "auto"}).json() == {
        "private": True,
        "visibility": "private",
        "gated": "auto",
    }
    assert client.put(url, json={"gated": False}).json()["gated"] is False
    row = hub.repositories.row(parse_repository("local/a"))
    assert row is not None and row.visibility is Visibility.PRIVATE
    for body in ({}, {"gated": "sometimes"}, {"gated": None}, {"visibility": 1}):
        assert client.put(url, json=body).status_code == 400


def test_duplicate(client: TestClient, hub: Hub) -> None:
    """A copy has the same files, and a history of its own."""
    client.post("/api/repos/create", json={"name": "a", "visibility": "private"})
    made = client.post("/api/models/local/a/duplicate", json={"repository": "local/b"})
    assert made.json()["url"] == "http://localhost/local/b"
    trees = [hub.store.snapshots.snapshot(name).tree for name in ("local/a", "local/b")]
    assert trees[0] == trees[1]
    row = hub.repositories.row(parse_repository("local/b"))
    assert row is not None and row.visibility is Visibility.PRIVATE
    again = client.post("/api/models/local/a/duplicate", json={"repository": "local/b"})
    assert (again.status_code, again.json()["url"]) == (409, "http://localhost/local/b")
    hub.repositories.put(parse_repository("local/a"), visibility=Visibility.PUBLIC, gate=Gate.MANUAL)
    client.post("/api/models/local/a/duplicate", json={"repository": "local/c"})
    row = hub.repositories.row(parse_repository("local/c"))
    assert row is not None and row.gate is Gate.MANUAL  # or anybody who is let in could let in everybody


def test_delete(client: TestClient) -> None:
    """What is deleted is gone, and deleting it again is told so."""
    client.post("/api/repos/create", json={"name": "a"})
    body = {"name": "a", "organization": "local"}
    assert client.request("DELETE", "/api/repos/delete", json=body).status_code == 200
    gone = client.request("DELETE", "/api/repos/delete", json=body)
    assert (gone.status_code, gone.headers["x-error-code"]) == (404, "RepoNotFound")


def test_rights(client: TestClient, hub: Hub) -> None:
    """Each may do what his role lets him, and hidden repositories do not exist for the others."""
    hub.accounts.create_user("ada", namespaces={"org": Role.WRITE})
    hub.accounts.create_user("bob", namespaces={"org": Role.READ})
    ada, bob = (
        {"Authorization": f"Bearer {hub.accounts.tokens.create(name, scope=Scope.WRITE).secret}"}
        for name in ("ada", "bob")
    )
    body = {"name": "m", "organization": "org", "visibility": "private"}
    assert client.post("/api/repos/create", json=body).status_code == 401
    assert client.post("/api/repos/create", json=body, headers=bob).status_code == 403
    assert client.post("/api/repos/create", json=body, headers=ada).status_code == 200
    assert client.post("/api/repos/create", json={"name": "own"}, headers=bob).status_code == 200
    hidden = {"name": "own2", "visibility": "private"}
    client.post("/api/repos/create", json=hidden, headers=ada)
    url = "/api/models/ada/own2/settings"
    assert client.put(url, json={"visibility": "public"}, headers=bob).status_code == 404
    assert client.put(url, json={"visibility": "public"}).status_code == 401
    url = "/api/models/org/m/settings"
    assert client.put(url, json={"visibility": "public"}, headers=bob).status_code == 403
    delete = {"name": "m", "organization": "org"}
    assert client.request("DELETE", "/api/repos/delete", json=delete, headers=bob).status_code == 403
    assert (
        client.request("DELETE", "/api/repos/delete", json=delete, headers=ada).status_code == 200
    )  # its owner
