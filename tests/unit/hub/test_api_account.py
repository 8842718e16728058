"""Who asks, and what is his."""

from __future__ import annotations

from tensorhub import Store
from tensorhub.hub.access import Role
from tensorhub.hub.config import HubConfig
from tensorhub.hub.tokens import Scope

from .served import OWNER, add_users, ask, decide, hub_of, put_ready


def test_whoami_without_users(store: Store) -> None:
    """On a hub without users everybody is its owner."""
    with ask(store) as client:
        found = client.get("/api/whoami-v2", headers={"Authorization": "Bearer anything"}).json()
    assert (found["name"], found["orgs"], found["auth"]["accessToken"]["role"]) == ("local", [], "write")


def test_whoami(store: Store) -> None:
    """The name, organisations and token of who asks; strangers are told that their token is wrong."""
    with ask(store) as client:
        ada, _ = add_users(client)
        accounts = hub_of(client).accounts
        accounts.change_user(OWNER, namespaces={"acme": Role.WRITE, "zoo": Role.READ})
        hub_of(client).namespaces.put("ada", full_name="Ada L.")
        found = client.get("/api/whoami-v2", headers=ada).json()
        assert (found["name"], found["fullname"], found["type"]) == ("ada", "Ada L.", "user")
        assert [(org["name"], org["roleInOrg"]) for org in found["orgs"]] == [
            ("acme", "write"),
            ("zoo", "read"),
        ]
        assert found["auth"]["accessToken"] == {"displayName": "test", "role": "write"}
        kept = accounts.tokens.create(OWNER, name="ci", scope=Scope.READ, namespaces=["acme"]).secret
        few = client.get("/api/whoami-v2", headers={"Authorization": f"Bearer {kept}"}).json()
        assert [org["name"] for org in few["orgs"]] == ["acme"]
        assert few["auth"]["accessToken"]["role"] == "read"
        for headers in ({}, {"Authorization": "Bearer hf_wrong"}, {"Authorization": "Bearer " + "x" * 5000}):
            response = client.get("/api/whoami-v2", headers=headers)
            assert response.status_code == 401
            told = "Invalid credentials in Authorization header" if headers else "expected an access token"
        assert told in response.headers["x-error-message"]


def test_auth_check(store: Store) -> None:
    """Reading and writing are checked apart."""
    put_ready(store, "ada/model", {"a": b"1"})
    url = "/api/models/ada/model/auth-check"
    with ask(store) as client:
        ada, bob = add_users(client)
        decide(client, "ada/model", "public")
        assert [client.get(url, headers=headers).status_code for headers in (ada, bob, {})] == [200, 200, 200]
        assert [client.get(f"{url}/write", headers=h).status_code for h in (ada, bob, {})] == [200, 403, 403]
        assert (
            client.get("/api/models/ada/no/auth-check", headers=ada).headers["x-error-code"] == "RepoNotFound"
        )


def test_own_repositories(store: Store) -> None:
    """One's own, or an organisation's that one is in; nobody else's."""
    for name in ("ada/model", "datasets/ada/data", "bob/model", "acme/model"):
        put_ready(store, name, {"a": b"12"})
    with ask(store) as client:
        assert len(client.get("/api/settings/repositories").json()) == 4
        ada, bob = add_users(client)
        hub_of(client).accounts.change_user(OWNER, namespaces={"acme": Role.READ})
        decide(client, "ada/model", "public")
        found = client.get("/api/settings/repositories", headers=ada).json()
        assert [(item["type"], item["id"], item["visibility"], item["storage"]) for item in found] == [
            ("dataset", "ada/data", "private", 2),
            ("model", "ada/model", "public", 2),
        ]
        assert all(item["updatedAt"].endswith("Z") for item in found)
        first = client.get("/api/settings/repositories?limit=1", headers=ada)
        second = client.get(first.links["next"]["url"], headers=ada)
        assert [item["id"] for item in first.json() + second.json()] == ["ada/data", "ada/model"]
        url = "/api/organizations/ACME/settings/repositories"
        assert [item["id"] for item in client.get(url, headers=ada).json()] == ["acme/model"]
        assert client.get(url, headers=bob).status_code == 404
        assert client.get("/api/settings/repositories").status_code == 401


def test_closed(store: Store) -> None:
    """A hub that is closed to strangers tells them of no user."""
    with ask(store, HubConfig(allows_anonymous_read=False)) as client:
        ada, _ = add_users(client)
        for url in (
            "/api/users/ada/overview",
            "/api/organizations/x/overview",
            "/api/organizations/x/members",
        ):
            assert client.get(url).status_code == 401
        assert client.get("/api/users/ada/overview", headers=ada).status_code == 200
        assert client.get("/api/models").json() == []


def test_overviews(store: Store) -> None:
    """Users and organisations, with counts of what the asker may read."""
    put_ready(store, "acme/model", {"a": b"1"})
    with ask(store) as client:
        assert client.get("/api/users/local/overview").json()["user"] == "local"
        ada, bob = add_users(client)
        hub_of(client).accounts.change_user(OWNER, namespaces={"acme": Role.WRITE})
        user = client.get("/api/users/ADA/overview", headers=bob).json()
        assert (user["user"], [org["name"] for org in user["orgs"]]) == ("ada", ["acme"])
        for headers, count in ((ada, 1), (bob, 0)):
            organization = client.get("/api/organizations/acme/overview", headers=headers).json()
            assert (organization["numUsers"], organization["numModels"]) == (1, count)
        members = client.get("/api/organizations/acme/members", headers=ada).json()
        assert [member["user"] for member in members] == ["ada"]
        for url in (
            "/api/users/nobody/overview",
            "/api/organizations/none/members",
            "/api/users/..%2f/overview",
        ):
            assert client.get(url, headers=ada).status_code == 404
