"""Branches and tags, by requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.hub import Hub

URL = "/api/models/local/m"


@pytest.fixture
def made(client: TestClient) -> Iterator[TestClient]:
    client.post("/api/repos/create", json={"name": "m"})
    yield client


def refs(hub: Hub) -> list[str]:
    return [info.name for info in hub.store.refs("local/m")]


def test_branches(made: TestClient, hub: Hub) -> None:
    """Made where it is said, once; removed once."""
    assert made.post(f"{URL}/branch/feat%2Fx", json={}).status_code == 200
    assert made.post(f"{URL}/branch/y", json={"startingPoint": "feat/x"}).status_code == 200
    assert refs(hub) == ["refs/heads/feat/x", "refs/heads/main", "refs/heads/y"]
    again = made.post(f"{URL}/branch/y")
    assert (again.status_code, "Reference refs/heads/y already exists" in again.json()["error"]) == (
        409,
        True,
    )
    nowhere = made.post(f"{URL}/branch/z", json={"startingPoint": "nowhere"})
    assert (nowhere.status_code, nowhere.headers["x-error-code"]) == (404, "RevisionNotFound")
    assert "Invalid rev id" in nowhere.json()["error"]
    assert made.delete(f"{URL}/branch/feat%2Fx").status_code == 200
    gone = made.delete(f"{URL}/branch/feat%2Fx")
    assert (gone.status_code, gone.headers["x-error-code"]) == (404, "RevisionNotFound")
    kept = made.delete(f"{URL}/branch/main")
    assert (kept.status_code, "Cannot delete refs/heads/main" in kept.json()["error"]) == (403, True)


@pytest.mark.parametrize("name", ["refs%2Fheads%2Fx", "a..b", "x%20y", "..%2F..%2Fx", "a%00b", "-x"])
def test_names(made: TestClient, hub: Hub, name: str) -> None:
    """What git would not take as a name is refused."""
    assert made.post(f"{URL}/branch/{name}").status_code == 400
    assert made.delete(f"{URL}/branch/{name}").status_code == 400
    assert refs(hub) == ["refs/heads/main"]


def test_tags(made: TestClient, hub: Hub) -> None:
    """Made once, at a revision that is there; removed once."""
    assert made.post(f"{URL}/tag/main", json={"tag": "v1", "message": "first"}).status_code == 200
    assert made.post(f"{URL}/tag/main", json={"tag": "v1"}).status_code == 409
    assert made.post(f"{URL}/tag/nowhere", json={"tag": "v2"}).status_code == 404
    assert made.post(f"{URL}/tag/main", json={}).status_code == 400
    assert refs(hub) == ["refs/heads/main", "refs/tags/v1"]
    assert made.delete(f"{URL}/tag/v1").status_code == 200
    assert made.delete(f"{URL}/tag/v1").status_code == 404


def test_squash(made: TestClient, hub: Hub) -> None:
    """The files stay, the history goes."""
    with hub.store.begin_commit("local/m") as transaction:
        transaction.put_file("a.txt", b"1")
        transaction.publish("second")
    made.post(f"{URL}/tag/main", json={"tag": "v1"})
    assert made.post(f"{URL}/super-squash/main", json={"message": "all"}).status_code == 200
    assert [item.title for item in hub.store.commits("local/m")] == ["all"]
    assert len(hub.store.files("local/m")) == 2
    assert made.post(f"{URL}/super-squash/nowhere", json={}).status_code == 404
    assert made.post(f"{URL}/super-squash/refs%2Ftags%2Fv1", json={}).status_code == 400
