"""Discussions and pull requests, by requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.hub import Hub
from tensorhub.hub.tokens import Scope

URL = "/api/models/local/m/discussions"


@pytest.fixture
def made(client: TestClient) -> Iterator[TestClient]:
    client.post("/api/repos/create", json={"name": "m"})
    yield client


def open_one(client: TestClient, title: str = "a title", *, pull: bool = False, **more: Any) -> int:
    answer = client.post(URL, json={"title": title, "description": "why", "pullRequest": pull}, **more)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["num"]
    return number


def test_discussion(made: TestClient, hub: Hub) -> None:
    """Opened, commented, renamed, closed; every event keeps its id."""
    assert open_one(made, " a title ") == 1
    url = f"{URL}/1"
    said = made.post(f"{url}/comment", json={"comment": "hello"}).json()["newMessage"]
    assert (said["data"]["latest"]["raw"], said["author"]["name"]) == ("hello", "local")
    edited = made.post(f"{url}/comment/{said['id'].upper()}/edit", json={"content": "bye"}).json()
    assert edited["updatedComment"]["data"]["edited"] is True
    renamed = made.post(f"{url}/title", json={"title": "other"}).json()["newTitle"]
    assert renamed["data"] == {"from": "a title", "to": "other"}
    closed = made.post(f"{url}/status", json={"status": "closed", "comment": "enough"}).json()["newStatus"]
    assert closed["data"]["status"] == "closed"
    hidden = made.post(f"{url}/comment/{said['id']}/hide").json()["updatedComment"]
    assert (hidden["data"]["hidden"], hidden["data"]["latest"]["raw"]) == (True, "")
    shown = made.get(url).json()
    assert (shown["title"], shown["status"], shown["isPullRequest"]) == ("other", "closed", False)
    kinds = ["comment", "comment", "title-change", "comment", "status-change"]
    assert [event["type"] for event in shown["events"]] == kinds
    assert made.post(f"{url}/merge").status_code == 400
    assert made.post(f"{url}/comment/{'0' * 24}/edit", json={"content": "x"}).status_code == 404


def test_pull_request(made: TestClient, hub: Hub) -> None:
    """Opened as a draft, filled, opened, merged; its commits stay told."""
    assert open_one(made, pull=True) == 1
    with hub.store.begin_commit("local/m", revision="refs/pr/1") as transaction:
        transaction.put_file("a.txt", b"1")
        transaction.publish("more")
    shown = made.get(f"{URL}/1?diff=1").json()
    assert (shown["status"], shown["changes"], shown["filesWithConflicts"]) == ("draft", {"base": "main"}, [])
    assert [event["type"] for event in shown["events"]] == ["comment", "commit"]
    assert made.post(f"{URL}/1/merge").status_code == 400
    made.post(f"{URL}/1/status", json={"status": "open"})
    merged = made.post(f"{URL}/1/merge", json={"comment": "thanks"})
    assert merged.status_code == 200
    assert hub.store.resolve("local/m") == merged.json()["mergeCommitId"]
    assert hub.store.read("local/m", "a.txt") == b"1"
    shown = made.get(f"{URL}/1").json()
    assert shown["changes"]["mergeCommitId"] == merged.json()["mergeCommitId"]
    assert [event["type"] for event in shown["events"]].count("commit") == 1
    assert made.post(f"{URL}/1/status", json={"status": "open"}).status_code == 409
    assert made.post(f"{URL}/1/merge").status_code == 400


def test_conflict(made: TestClient, hub: Hub) -> None:
    """What both sides changed is told, and not merged."""
    open_one(made, pull=True)
    for revision in ("refs/pr/1", "main"):
        with hub.store.begin_commit("local/m", revision=revision) as transaction:
            transaction.put_file("a.txt", revision.encode())
            transaction.publish("change")
    made.post(f"{URL}/1/status", json={"status": "open"})
    assert made.get(f"{URL}/1").json()["filesWithConflicts"] == ["a.txt"]
    assert made.post(f"{URL}/1/merge").status_code == 409


def test_list(made: TestClient) -> None:
    """Newest first, by kind, status and author, in pages."""
    for number in range(1, 60):
        open_one(made, pull=number == 1)
    made.post(f"{URL}/2/status", json={"status": "closed"})

    def nums(query: str) -> list[int]:
        return [item["num"] for item in made.get(f"{URL}?{query}").json()["discussions"]]

    first = made.get(URL).json()
    assert (first["count"], first["start"], len(first["discussions"])) == (59, 0, 50)
    assert nums("p=1") == list(range(9, 0, -1))
    assert nums("type=pull_request&status=open") == [1]
    assert nums("status=closed&type=all") == [2]
    assert nums("author=unknown") == []
    assert nums("p=-5")[0] == 59


def test_rights(made: TestClient, hub: Hub) -> None:
    """Everybody may speak; only writers and who opened it may change it, only writers merge."""
    users = {}
    hub.accounts.create_user("boss", is_admin=True)
    for name in ("ada", "bob", "boss"):
        if name != "boss":
            hub.accounts.create_user(name)
        secret = hub.accounts.tokens.create(name, scope=Scope.WRITE).secret
        users[name] = {"Authorization": f"Bearer {secret}"}
    number = open_one(made, pull=True, headers=users["ada"])
    url = f"{URL}/{number}"
    said = made.post(f"{url}/comment", json={"comment": "x"}, headers=users["bob"])
    assert said.status_code == 200
    edit = f"{url}/comment/{said.json()['newMessage']['id']}/edit"
    assert made.post(edit, json={"content": "y"}, headers=users["ada"]).status_code == 403
    for path, body in (("status", {"status": "open"}), ("title", {"title": "new"})):
        assert made.post(f"{url}/{path}", json=body).status_code == 401
        assert made.post(f"{url}/{path}", json=body, headers=users["bob"]).status_code == 403
        assert made.post(f"{url}/{path}", json=body, headers=users["ada"]).status_code == 200
    assert made.post(f"{url}/merge", headers=users["ada"]).status_code == 403
    assert made.post(f"{url}/merge", headers=users["boss"]).status_code == 200


@pytest.mark.parametrize("num", ["0", "5", "x", "-1", "9" * 30, "1%2F2"])
def test_unknown(made: TestClient, num: str) -> None:
    """A number of no discussion."""
    assert made.get(f"{URL}/{num}").status_code == 404


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": "x" * 300}, {"title": 5}, {"title": "\ud800"}])
def test_refused(made: TestClient, body: dict[str, Any]) -> None:
    """Titles that are none."""
    assert made.post(URL, content=json.dumps(body)).status_code == 400
