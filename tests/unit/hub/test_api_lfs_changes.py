"""LFS files removed from history, and copied between repositories."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.commit_operations import CommitRequest, Header, put_bytes
from tensorhub.hub.commits import Committer, commit
from tensorhub.hub.hub import Hub
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_ref, parse_repository

DATA = b"weights" * 1000
OID = hashlib.sha256(DATA).hexdigest()
BATCH = "/api/models/local/m/lfs-files/batch"
DUPLICATE = "/api/models/local/m/lfs-files/duplicate"


@pytest.fixture
def made(client: TestClient, hub: Hub) -> Iterator[TestClient]:
    for name in ("m", "n"):
        client.post("/api/repos/create", json={"name": name})
    request = CommitRequest(Header("files"), (put_bytes("w.bin", DATA), put_bytes("a.txt", b"1")))
    who = Committer("ada", "local", lambda _: True)
    commit(hub.store, hub.uploads, parse_repository("local/m"), parse_ref("main"), request, who)
    yield client


def test_delete(made: TestClient, hub: Hub) -> None:
    """The file is gone from every ref, the others stay."""
    hub.store.create_ref("local/m", "refs/tags/v1")
    assert made.post(BATCH, json={"deletions": {"sha": [OID], "rewriteHistory": True}}).status_code == 200
    for revision in ("main", "v1"):
        assert sorted(hub.view(parse_repository("local/m"), revision).files) == [".gitattributes", "a.txt"]
    assert len(hub.store.commits("local/m")) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"deletions": 5},
        {"deletions": {"sha": "x"}},
        {"deletions": {"sha": ["x"]}},
        {"deletions": {"sha": [OID], "rewriteHistory": False}},
        {"deletions": {"sha": [OID] * 2000}},
    ],
)
def test_delete_refused(made: TestClient, hub: Hub, body: dict[str, Any]) -> None:
    """What has no meaning changes nothing."""
    assert made.post(BATCH, json=body).status_code == 400
    assert "w.bin" in hub.view(parse_repository("local/m"), "main").files


def test_duplicate(made: TestClient, hub: Hub) -> None:
    """What lies in the source may be named by a commit to the target; what does not is told."""
    files = [{"xetHash": "0" * 64, "sha256": oid, "filename": "w.bin"} for oid in (OID, "0" * 64, "x")]
    answer = made.post(
        DUPLICATE, json={"target": {"type": "model", "name": "local/n"}, "files": files}
    ).json()
    assert [item["sha256"] for item in answer["success"]] == [OID]
    assert [item["sha256"] for item in answer["failed"]] == ["0" * 64, "x"]
    for target in (None, {}, {"name": "local/m", "type": "bucket"}, {"name": "../x"}):
        assert made.post(DUPLICATE, json={"target": target, "files": files}).status_code == 400
    assert made.post(DUPLICATE, json={"target": {"name": "local/x"}, "files": files}).status_code == 404


def test_rights(made: TestClient, hub: Hub) -> None:
    """Removing needs the right to write here, copying to read here and write there."""
    hub.accounts.create_user("bob")
    secret = hub.accounts.tokens.create("bob", scope=Scope.WRITE).secret
    headers = {"Authorization": f"Bearer {secret}"}
    body = {"deletions": {"sha": [OID]}}
    assert made.post(BATCH, json=body).status_code == 401
    assert made.post(BATCH, json=body, headers=headers).status_code == 403
    copy = {"target": {"name": "local/n"}, "files": [{"sha256": OID}]}
    assert made.post(DUPLICATE, json=copy).status_code == 401
    assert made.post(DUPLICATE, json=copy, headers=headers).status_code == 403
