"""Which files are LFS, left out, or there already."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.api_preupload import looks_binary
from tensorhub.hub.commit_operations import CommitRequest, Header, put_bytes
from tensorhub.hub.commits import Committer, commit
from tensorhub.hub.hub import Hub
from tensorhub.schema.names import parse_ref, parse_repository

URL = "/api/models/local/m/preupload/main"


@pytest.fixture
def made(client: TestClient, hub: Hub) -> Iterator[TestClient]:
    client.post("/api/repos/create", json={"name": "m"})
    files = (put_bytes("a.txt", b"text"), put_bytes("w.bin", b"weights"), put_bytes(".gitignore", b"*.log\n"))
    commit(
        hub.store,
        hub.uploads,
        parse_repository("local/m"),
        parse_ref("main"),
        CommitRequest(Header("files"), files),
        Committer("ada", "local", lambda _: True),
    )
    yield client


def ask(client: TestClient, *files: tuple[str, int, bytes], **more: Any) -> Any:
    listed = [
        {"path": path, "size": nbytes, "sample": base64.b64encode(sample).decode()}
        for path, nbytes, sample in files
    ]
    return client.post(URL, json={"files": listed, **more})


def test_modes(made: TestClient) -> None:
    """By .gitattributes, by size, by what is in it; nothing is LFS without content."""
    answer = ask(
        made,
        ("b.txt", 4, b"text"),
        ("b.bin", 4, b"text"),
        ("b.txt2", 20_000_000, b"text"),
        ("b.dat", 4, b"\0\1\2\3"),
        ("empty.bin", 0, b""),
    ).json()
    assert [item["uploadMode"] for item in answer["files"]] == ["regular", "lfs", "lfs", "lfs", "regular"]
    assert not any(item["shouldIgnore"] or "oid" in item for item in answer["files"])


def test_present(made: TestClient) -> None:
    """What is there is told by the id that the client compares."""
    answer = ask(made, ("a.txt", 4, b"text"), ("w.bin", 7, b"weights")).json()["files"]
    assert answer[0]["oid"] == hashlib.sha1(b"blob 4\0text").hexdigest()
    assert answer[1]["oid"] == hashlib.sha256(b"weights").hexdigest()


def test_ignored(made: TestClient) -> None:
    """The request's rules, else the repository's."""
    assert ask(made, ("x.log", 4, b"text")).json()["files"][0]["shouldIgnore"] is True
    own = ask(made, ("x.log", 4, b"text"), ("y.tmp", 4, b"text"), gitIgnore="*.tmp").json()["files"]
    assert [item["shouldIgnore"] for item in own] == [False, True]


def test_refused(made: TestClient) -> None:
    """Bad requests, unknown names."""
    assert made.post(URL, json={}).status_code == 400
    assert made.post(URL, json={"files": [1]}).status_code == 400
    assert made.post(URL, json={"files": [{"path": "a"}]}).status_code == 400
    assert ask(made, ("../x", 4, b"")).status_code == 422
    assert made.post(URL, json={"files": [{"path": "a", "size": 1}] * 2000}).status_code == 400
    missing = made.post(URL.replace("main", "nowhere"), json={"files": []})
    assert (missing.status_code, missing.headers["x-error-code"]) == (404, "RevisionNotFound")
    missing = made.post(URL.replace("local/m", "local/n"), json={"files": []})
    assert (missing.status_code, missing.headers["x-error-code"]) == (404, "RepoNotFound")


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (b"", False),
        (b"text", False),
        ("é".encode() * 10, False),
        ("é".encode()[:1], False),
        (b"\0", True),
        (b"\xff\xfe" * 10, True),
    ],
)
def test_looks_binary(sample: bytes, expected: bool) -> None:
    """A NUL or what is no UTF-8, but not a character that the sample cuts."""
    assert looks_binary(sample) is expected
