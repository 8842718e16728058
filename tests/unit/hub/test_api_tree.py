"""Trees as clients list them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub import api_tree
from tensorhub.hub.config import HubConfig
from tensorhub.store.commit_facts import CommitFacts
from tensorhub.store.file_facts import files_without_facts, fill_file_facts

from .served import ask, put_ready

FILES = {
    ".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "README.md": b"# hi\n",
    "a-b/x.txt": b"x",
    "a/b/deep.txt": b"deep",
    "a/c d.txt": b"space",
    "w.bin": b"\0weights",
}


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    put_ready(store, "ada/model", FILES)
    with ask(store) as opened:
        yield opened


def names(items: list[dict[str, Any]]) -> list[str]:
    return [item["path"] for item in items]


URL = "/api/models/ada/model/tree/main"


def test_root(client: TestClient, store: Store) -> None:
    """Files and folders directly in the root, files as git and LFS know them."""
    response = client.get(URL)
    assert response.headers["x-repo-commit"] == store.resolve("ada/model")
    items = {item["path"]: item for item in response.json()}
    assert list(items) == [".gitattributes", "README.md", "a", "a-b", "w.bin"]
    assert items["README.md"] == {
        "type": "file",
        "oid": hashlib.sha1(b"blob 5\0# hi\n").hexdigest(),
        "size": 5,
        "path": "README.md",
    }
    lfs = items["w.bin"]
    assert (lfs["size"], lfs["lfs"]["oid"]) == (8, hashlib.sha256(FILES["w.bin"]).hexdigest())
    assert lfs["lfs"]["pointerSize"] == 126
    assert items["a"]["type"] == "directory"
    assert re.fullmatch("[0-9a-f]{40}", items["a"]["oid"])


def test_recursive_and_folders(client: TestClient) -> None:
    """Everything, or what one folder holds; a file stands for itself."""
    everything = client.get(URL, params={"recursive": "True"}).json()
    assert names(everything) == sorted([*FILES, "a", "a-b", "a/b"])
    assert names(client.get(f"{URL}/a").json()) == ["a/b", "a/c d.txt"]
    assert names(client.get(f"{URL}/a", params={"recursive": "true"}).json()) == [
        *("a/b", "a/b/deep.txt", "a/c d.txt"),
    ]
    assert names(client.get(f"{URL}/{quote('a/b', safe='')}").json()) == ["a/b/deep.txt"]
    assert names(client.get(f"{URL}/{quote('a/c d.txt', safe='')}").json()) == ["a/c d.txt"]


@pytest.mark.parametrize(
    "path", ["nothing", "a/x", "README.md/x", "a%2F..%2FREADME.md", "..%2F..", "%2e%2e", "a%00"]
)
def test_missing(client: TestClient, store: Store, path: str) -> None:
    """What is not there is a missing entry of that commit, whatever the path tries."""
    response = client.get(f"{URL}/{path}")
    assert (response.status_code, response.headers["x-error-code"]) == (404, "EntryNotFound")
    assert response.headers["x-repo-commit"] == store.resolve("ada/model")


@pytest.mark.parametrize("recursive", [True, False])
def test_pages(client: TestClient, monkeypatch: pytest.MonkeyPatch, recursive: bool) -> None:
    """Following the links gives everything once, in order."""
    whole = names(client.get(URL, params={"recursive": recursive}).json())
    monkeypatch.setattr(api_tree, "_PAGE", 2)
    found, url = [], f"http://localhost{URL}?recursive={recursive}"
    while url:
        response = client.get(url)
        assert len(response.json()) <= 2
        found += names(response.json())
        url = response.links.get("next", {}).get("url", "")
    assert found == whole


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=W10",
        "cursor=WzFd%00",
        "cursor=" + "A" * 9000,
        "limit=0",
        "limit=-1",
        "limit=a",
        "limit=%F0",
    ],
)
def test_bad_queries(client: TestClient, query: str) -> None:
    """A query that means nothing is refused."""
    assert client.get(f"{URL}?{query}").status_code == 400


def test_giant_limit(client: TestClient) -> None:
    """No limit makes a page longer than pages are."""
    assert len(client.get(f"{URL}?limit={'9' * 5000}").json()) == 5


def test_expand(client: TestClient, store: Store) -> None:
    """Each path has the commit that changed it last."""
    first = store.resolve("ada/model")
    second = put_ready(store, "ada/model", {**FILES, "a/b/deep.txt": b"deeper"})
    assert len({first, second}) == 2
    items = client.get(URL, params={"recursive": True, "expand": True}).json()
    last = {item["path"]: item["lastCommit"]["id"] for item in items}
    assert {path for path, commit in last.items() if commit == second} == {"a", "a/b", "a/b/deep.txt"}
    assert {commit for path, commit in last.items() if not path.startswith("a")} == {first}
    for item in items:
        assert item["lastCommit"]["title"] == "put"
        assert item["lastCommit"]["date"].endswith("Z")
        assert ("securityFileStatus" in item) is (item["type"] == "file")


def test_paths_info(client: TestClient) -> None:
    """Named files and folders; what does not exist is left out; LFS files have a Xet hash for who copies them."""
    url = "/api/models/ada/model/paths-info/main"
    form = {"paths": ["README.md", "a", "nothing", "a/../README.md", "w.bin"], "expand": "False"}
    items = client.post(url, data=form).json()
    assert names(items) == ["README.md", "a", "w.bin"]
    assert re.fullmatch("[0-9a-f]{64}", items[2]["xetHash"])
    assert "xetHash" not in items[0]
    expanded = client.post(url, data={"paths": ["a"], "expand": "true"}).json()
    assert expanded[0]["lastCommit"]["title"] == "put"
    assert names(client.post(url, json={"paths": "README.md"}).json()) == ["README.md"]
    assert client.post(url).json() == []


@pytest.mark.parametrize(
    "body",
    [b"paths=%ff", b"&".join([b"paths=a"] * 2000), b'{"paths": [1]}', b'{"paths": {}}', b"[1]", b"{"],
)
def test_bad_paths_info(client: TestClient, body: bytes) -> None:
    """Bodies that are no list of paths are refused."""
    kind = "application/json" if body[:1] in (b"{", b"[") else "application/x-www-form-urlencoded"
    response = client.post(
        "/api/models/ada/model/paths-info/main", content=body, headers={"content-type": kind}
    )
    assert response.status_code == 422


def test_without_xet(store: Store) -> None:
    """Where Xet is off, nobody is told of it."""
    put_ready(store, "ada/model", FILES)
    with ask(store, HubConfig(xet_download="none")) as client:
        items = client.post("/api/models/ada/model/paths-info/main", data={"paths": ["w.bin"]}).json()
    assert "xetHash" not in items[0]


def test_partial_import(store: Store) -> None:
    """What an import lacks is never said to be absent: not to the tree, not by leaving it out."""
    with store.begin_commit("ada/model") as transaction:
        transaction.put_file("a.txt", b"x")
        transaction.publish(facts=CommitFacts(message="part", is_partial=True, origin="elsewhere"))
    fill_file_facts(store, files_without_facts(store))
    with ask(store) as client:
        for response in (
            client.get(f"{URL}/other.txt"),
            client.post("/api/models/ada/model/paths-info/main", data={"paths": ["a.txt", "other.txt"]}),
            client.get("/ada/model/resolve/main/other.txt"),
        ):
            assert response.status_code == 404
            assert "x-error-code" not in response.headers
        listed = client.get(URL)
        assert names(listed.json()) == ["a.txt"]
        for response in (listed, client.get("/api/models/ada/model")):
            assert "imported in part" in response.headers["x-hf-warning"]


def test_spelling_of_revisions(client: TestClient, store: Store) -> None:
    """Slashes in revisions come encoded."""
    store.create_ref("ada/model", "feat/x")
    store.create_ref("ada/model", "refs/pr/1")
    for revision in ("feat%2Fx", "refs%2Fpr%2F1", "refs%2Fheads%2Fmain", store.resolve("ada/model")):
        assert client.get(f"/api/models/ada/model/tree/{revision}").status_code == 200, revision
    response = client.get("/api/models/ada/model/tree/nothing")
    assert (response.status_code, response.headers["x-error-code"]) == (404, "RevisionNotFound")


def test_head(client: TestClient) -> None:
    """HEAD has the headers of GET."""
    response = client.head(URL)
    assert response.status_code == 200
    assert response.headers["x-repo-commit"]
