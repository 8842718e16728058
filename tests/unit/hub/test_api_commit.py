"""Commits through the whole application."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.access import Visibility
from tensorhub.hub.hub import Hub
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_repository

URL = "/api/models/local/m/commit/main"
REPOSITORY = parse_repository("local/m")


@pytest.fixture
def made(client: TestClient) -> Iterator[TestClient]:
    client.post("/api/repos/create", json={"name": "m"})
    yield client


def body(*lines: tuple[str, dict[str, Any]], **header: Any) -> bytes:
    """Write a commit request."""
    items = [("header", {"summary": "a change", "description": "", **header}), *lines]
    return b"".join(json.dumps({"key": key, "value": value}).encode() + b"\n" for key, value in items)


def file(path: str, data: bytes) -> tuple[str, dict[str, Any]]:
    content = base64.b64encode(data).decode()
    return "file", {"content": content, "path": path, "encoding": "base64"}


def paths(hub: Hub, revision: str = "main") -> list[str]:
    return list(hub.view(REPOSITORY, revision).files)


def test_commit(made: TestClient, hub: Hub) -> None:
    """Files go in and are shown at once; author and message are kept."""
    sent = made.post(URL, content=body(file("a/b.txt", b"one"), file("c.txt", b"two"), description="why"))
    assert sent.status_code == 200, sent.text
    commit_id = sent.json()["commitOid"]
    assert sent.json()["commitUrl"] == f"http://localhost/local/m/commit/{commit_id}"
    view = hub.view(REPOSITORY, "main")
    assert (view.commit_id, view.commit.title, view.commit.message, view.commit.author) == (
        commit_id,
        "a change",
        "why",
        "local",
    )
    assert view.file("a/b.txt").oid == hashlib.sha1(b"blob 3\0one").hexdigest()
    assert made.get("/local/m/resolve/main/c.txt").content == b"two"
    deleted = body(("deletedFile", {"path": "c.txt"}), ("deletedFolder", {"path": "a/"}))
    assert made.post(URL, content=deleted).status_code == 200
    assert paths(hub) == [".gitattributes"]


def test_repeated_requests(made: TestClient, hub: Hub) -> None:
    """A request whose answer was lost changes nothing when it is sent again."""
    request = body(file("a.txt", b"one"))
    first = made.post(URL, content=request).json()["commitOid"]
    assert made.post(URL, content=request).json()["commitOid"] == first
    request = body(("deletedFile", {"path": "a.txt"}), file("b.txt", b"two"), summary="swap")
    second = made.post(URL, content=request).json()["commitOid"]
    assert made.post(URL, content=request).json()["commitOid"] == second
    other = body(("deletedFile", {"path": "a.txt"}), file("b.txt", b"two"), summary="other")
    missing = made.post(URL, content=other)
    assert (missing.status_code, missing.headers["x-error-code"]) == (404, "EntryNotFound")


def test_parent(made: TestClient, hub: Hub) -> None:
    """A request on top of another commit is refused, a short id of the right one is not."""
    head = hub.store.resolve("local/m")
    assert made.post(URL, content=body(file("a", b"1"), parentCommit=head[:7])).status_code == 200
    late = made.post(URL, content=body(file("b", b"1"), parentCommit=head))
    assert late.status_code == 412
    assert "The branch was updated" in late.json()["error"]


def test_unknown_branches(made: TestClient, hub: Hub) -> None:
    """A commit makes no branch; tags and commits are not committed to."""
    hub.store.create_ref("local/m", "refs/tags/v1")
    for revision in ("dev", "refs%2Ftags%2Fv1", "v1", hub.store.resolve("local/m"), "refs%2Fpr%2F7", "a%20b"):
        for query in ("", "?create_pr=1"):
            answer = made.post(f"/api/models/local/m/commit/{revision}{query}", content=body(file("a", b"1")))
            assert (answer.status_code, answer.headers["x-error-code"]) == (404, "RevisionNotFound")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../x", 422),
        ("/etc/passwd", 422),
        ("a/../../x", 422),
        ("a//b", 422),
        ("..\\ddd", 422),
        (".git/config", 422),
        ("a/.git/hooks/x", 422),
        (".GIT/config", 422),
        ("a\\.Git\\config", 422),
        ("a\0b", 422),
        ("", 422),
        ("x" * 5000, 422),
        ("\ud800", 422),
        (5, 400),
        ("folder/..\\..\\file", 200),
    ],
)
def test_paths(made: TestClient, hub: Hub, path: Any, status: int) -> None:
    """What leaves the repository is refused."""
    for line in (file(path, b"1"), ("lfsFile", {"path": path, "algo": "sha256", "oid": "0" * 64, "size": 1})):
        answer = made.post(URL, content=body(line))
        assert answer.status_code == (400 if status == 200 and line[0] == "lfsFile" else status)


@pytest.mark.parametrize(
    "request_body",
    [
        b"",
        b"\n\n",
        b"{",
        b"[]\n",
        b"null\n",
        b'{"key":"header"}\n',
        b"[" * 100_000,
        body()[:-5],
        body(("file", {"content": "%%%%", "path": "a", "encoding": "base64"})),
        body(("file", {"content": "YQ=", "path": "a", "encoding": "base64"})),
        body(("file", {"content": "YQ==YQ==", "path": "a", "encoding": "base64"})),
        body(("file", {"content": "hello", "path": "a", "encoding": "utf-8"})),
        body(("file", {"path": "a"})),
        body(("file", {"content": None, "path": "a"})),
        body(("nonsense", {"path": "a"})),
        body(("lfsFile", {"path": "a", "oid": "0" * 63})),
        body(("lfsFile", {"path": "a", "oid": "0" * 64, "size": -1})),
        body(("lfsFile", {"path": "a", "oid": "0" * 64, "size": 1 << 80})),
        body(("lfsFile", {"path": "a", "oid": "0" * 64, "algo": "md5"})),
        body(("lfsFile", {"path": "a", "oid": "0" * 64, "size": 5})),
        body() + body(),
        body(summary=""),
        body(summary=5),
        body(summary="x" * 70_000),
        body(parentCommit="zzz"),
        body(("file", {"content": "YQ==", "path": "a", "encoding": "base64", "more": "x" * 2_000_000})),
        b'{"key":"header","value":{"summary":"' + b"x" * 3_000_000,
    ],
)
def test_malformed(made: TestClient, hub: Hub, request_body: bytes) -> None:
    """What has no meaning is refused, and nothing is committed."""
    head = hub.store.resolve("local/m")
    assert made.post(URL, content=request_body).status_code == 400
    assert hub.store.resolve("local/m") == head


def test_large_body(hub: Hub, made: TestClient) -> None:
    """A file larger than the spool's memory goes through the disk, and nothing is left there."""
    data = bytes(range(256)) * 40_000
    sent = made.post(URL, content=body(file("a.txt", b"small"), file("big.txt", data), file("z.txt", b"end")))
    assert sent.status_code == 200
    assert hub.store.read("local/m", "big.txt") == data
    assert hub.store.read("local/m", "z.txt") == b"end"
    assert hub.view(REPOSITORY, "main").file("big.txt").is_lfs
    assert list((hub.uploads.folder / "tmp").iterdir()) == []


def test_full_disk(hub: Hub, made: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body for which there is no room is refused before it comes; small ones need none."""
    monkeypatch.setattr("tensorhub.hub.upload_space.RESERVE_NBYTES", 1 << 60)
    large = body(file("big.txt", bytes(8_000_000)))
    assert made.post(URL, content=large).status_code == 507
    assert made.post(URL, content=body(file("a.txt", b"1"))).status_code == 200
    assert hub.uploads.space.nbytes == 0


def test_parallel_commits(made: TestClient, hub: Hub) -> None:
    """Of many commits to one branch at once none is lost."""
    with ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda n: made.post(URL, content=body(file(f"f{n}", b"%d" % n))).status_code, range(24))
        )
    assert answers == [200] * 24
    assert len(paths(hub)) == 25
    assert len(hub.store.commits("local/m")) == 25


def test_copies(made: TestClient, hub: Hub) -> None:
    """A file is copied inside its repository, from the present tree or an earlier one."""
    made.post(URL, content=body(file("a.txt", b"one")))
    first = hub.store.resolve("local/m")
    made.post(URL, content=body(file("a.txt", b"two")))
    old = ("copyFile", {"srcPath": "a.txt", "path": "old.txt", "srcRevision": first})
    sent = made.post(URL, content=body(old, ("copyFile", {"srcPath": "a.txt", "path": "new.txt"})))
    assert sent.status_code == 200
    assert (hub.store.read("local/m", "old.txt"), hub.store.read("local/m", "new.txt")) == (b"one", b"two")


def test_known_content(made: TestClient, hub: Hub) -> None:
    """An LFS file that lies in a readable repository needs no upload; one that is hidden does not exist."""
    data = b"weights" * 1000
    oid = hashlib.sha256(data).hexdigest()
    made.post(URL, content=body(file("a.bin", data)))
    line = ("lfsFile", {"path": "b.bin", "algo": "sha256", "oid": oid, "size": len(data)})
    assert made.post(URL, content=body(line)).status_code == 200
    assert hub.store.read("local/m", "b.bin") == data
    lying = ("lfsFile", {"path": "c.bin", "algo": "sha256", "oid": oid, "size": 5})
    assert made.post(URL, content=body(lying)).status_code == 400
    hub.accounts.create_user("ada")
    token = hub.accounts.tokens.create("ada", scope=Scope.WRITE).secret
    headers = {"Authorization": f"Bearer {token}"}
    made.post("/api/repos/create", json={"name": "own"}, headers=headers)
    url = "/api/models/ada/own/commit/main"
    assert made.post(url, content=body(line), headers=headers).status_code == 200  # local/m is public
    hub.repositories.put(REPOSITORY, visibility=Visibility.PRIVATE)
    made.post(url, content=body(("deletedFile", {"path": "b.bin"})), headers=headers)
    hub.store.squash("ada/own")
    assert made.post(url, content=body(line), headers=headers).status_code == 400


def test_pull_request(made: TestClient, hub: Hub) -> None:
    """Who may only read can propose; the branch stays as it is."""
    hub.accounts.create_user("bob")
    token = hub.accounts.tokens.create("bob", scope=Scope.WRITE).secret
    headers = {"Authorization": f"Bearer {token}"}
    assert made.post(URL, content=body(file("a", b"1")), headers=headers).status_code == 403
    sent = made.post(f"{URL}?create_pr=1", content=body(file("a", b"1")), headers=headers)
    assert sent.json()["pullRequestUrl"] == "http://localhost/local/m/discussions/1"
    assert paths(hub) == [".gitattributes"]
    assert paths(hub, "refs/pr/1") == [".gitattributes", "a"]
    more = "/api/models/local/m/commit/refs%2Fpr%2F1"
    assert made.post(more, content=body(file("b", b"1")), headers=headers).status_code == 200
    failed = made.post(f"{URL}?create_pr=1", content=body(("deletedFile", {"path": "x"})), headers=headers)
    assert failed.status_code == 404
    assert [pull.num for pull in hub.pulls.all_of(REPOSITORY)] == [1]
    anybody = made.post(f"{URL}?create_pr=1", content=body(file("a", b"1")))
    assert anybody.status_code == 401
