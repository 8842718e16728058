"""Information on a repository as clients read it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.api_info import EXPANDABLE
from tensorhub.schema.names import RepoType, parse_repository

from ...weights import safetensors, weights
from .served import add_users, ask, decide, hub_of, put_ready

CARD = b"""---
license: mit
language: no
base_model: x/y
model-index:
- name: a
  results: []
---
# Card
"""
CONFIG = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": 7}
FILES = {
    "README.md": CARD,
    "config.json": json.dumps(CONFIG).encode(),
    "model.safetensors": safetensors({"a": weights((4, 8), 1)}),
    ".gitattributes": b"*.safetensors filter=lfs\n",
}
URL = "/api/models/ada/model"


def get(client: TestClient, url: str = URL, **query: Any) -> dict[str, Any]:
    response = client.get(url, params=query)
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


def test_model(store: Store) -> None:
    """Everything that is known of a model."""
    commit_id = put_ready(store, "ada/model", FILES)
    with ask(store) as client:
        decide(client, "ada/model", "public")
        found = get(client, "/api/models/ADA/Model")
    assert found["id"] == found["modelId"] == "ada/model"
    assert (found["sha"], found["author"], found["private"], found["gated"]) == (
        commit_id,
        "ada",
        False,
        False,
    )
    assert (found["disabled"], found["downloads"], found["likes"]) == (False, 0, 0)
    assert found["createdAt"].endswith("Z")
    assert found["lastModified"].endswith("Z")
    assert found["cardData"]["language"] == "no"
    assert found["model-index"] == [{"name": "a", "results": []}]
    assert found["config"] == {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}
    assert found["safetensors"] == {"parameters": {"BF16": 32}, "total": 32}
    assert (found["library_name"], found["pipeline_tag"]) == ("transformers", "text-generation")
    assert {"transformers", "safetensors", "gpt2", "no", "base_model:x/y", "license:mit"} <= set(
        found["tags"]
    )
    assert [item["rfilename"] for item in found["siblings"]] == sorted(FILES)
    assert all(set(item) == {"rfilename"} for item in found["siblings"])
    assert found["usedStorage"] == sum(map(len, FILES.values()))


def test_blobs(store: Store) -> None:
    """Sizes and ids of files when asked; LFS files name their SHA-256."""
    put_ready(store, "ada/model", FILES)
    with ask(store) as client:
        siblings = {item["rfilename"]: item for item in get(client, blobs="true")["siblings"]}
    content = FILES["model.safetensors"]
    lfs = siblings["model.safetensors"]["lfs"]
    assert (lfs["sha256"], lfs["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert lfs["pointerSize"] > 120
    readme = siblings["README.md"]
    assert readme["blobId"] == hashlib.sha1(b"blob %d\0" % len(CARD) + CARD).hexdigest()
    assert "lfs" not in readme


@pytest.mark.parametrize("kind", list(RepoType))
def test_expand(store: Store, kind: RepoType) -> None:
    """Only the id and what was asked for; what nobody knows of is refused."""
    name = f"{kind.value}s/ada/model"
    put_ready(store, name if kind is not RepoType.MODEL else "ada/model", FILES)
    with ask(store) as client:
        url = f"/api/{name}"
        assert set(get(client, url, expand="author")) == {"id", "author"}
        assert set(get(client, url, expand=["sha", "siblings"])) == {"id", "sha", "siblings"}
        everything = get(client, url, expand=sorted(EXPANDABLE[kind]))
        assert {"cardData", "usedStorage", "createdAt"} <= set(everything)
        response = client.get(url, params={"expand": "foo"})
        assert response.status_code == 400
        assert "foo" in response.json()["error"]


def test_revisions(store: Store) -> None:
    """Any spelling of a revision; the information is that revision's."""
    first = put_ready(store, "datasets/ada/data", {"a": b"1"})
    second = put_ready(store, "datasets/ada/data", {"a": b"1", "b": b"2"})
    store.create_ref("datasets/ada/data", "feat/x", first)
    url = "/api/datasets/ada/data/revision"
    with ask(store) as client:
        assert get(client, f"{url}/feat%2Fx")["sha"] == first
        assert len(get(client, f"{url}/{first[:12]}")["siblings"]) == 1
        assert get(client, f"{url}/refs%2Fheads%2Fmain")["sha"] == second
        for revision in ("nothing", "a%2F..%2F..", "%00", "f" * 40, "x" * 5000):
            response = client.get(f"{url}/{revision}")
            assert (response.status_code, response.headers["x-error-code"]) == (404, "RevisionNotFound")


def test_empty_repository(store: Store) -> None:
    """A repository without commits has information, and no revision."""
    store.create_repository("ada/model")
    with ask(store) as client:
        found = get(client)
        assert (found["sha"], found["siblings"]) == (None, [])
        assert client.get(f"{URL}/revision/main").headers["x-error-code"] == "RevisionNotFound"


def test_space(store: Store) -> None:
    """A space has its kit, as decided when it was made, or as its card says."""
    put_ready(store, "spaces/ada/app", {"README.md": b"---\nsdk: gradio\ndatasets: [a/b]\n---\n"})
    with ask(store) as client:
        found = get(client, "/api/spaces/ada/app")
    assert (found["sdk"], found["datasets"], found["models"]) == ("gradio", ["a/b"], [])


def test_hidden_gated_and_renamed(store: Store) -> None:
    """Hidden is as if it did not exist; gated information stays readable, files do not; old names lead on."""
    put_ready(store, "ada/model", FILES)
    with ask(store) as client:
        ada, bob = add_users(client)
        decide(client, "ada/model", "private")
        for headers, status in ((ada, 200), (bob, 404), ({}, 401)):
            response = client.get(URL, headers=headers)
            assert response.status_code == status
            assert response.headers.get("x-error-code") == (None if status == 200 else "RepoNotFound")
        decide(client, "ada/model", "public", gate="auto")
        assert client.get(URL, headers=bob).json()["gated"] == "auto"
        assert client.get(f"{URL}/tree/main", headers=bob).status_code == 200
        for url in (
            "/ada/model/resolve/main/README.md",
            "/ada/model/raw/main/README.md",
            f"{URL}/auth-check",
        ):
            response = client.get(url, headers=bob)
            assert (response.status_code, response.headers["x-error-code"]) == (403, "GatedRepo")
            assert client.get(url, headers=ada).status_code == 200
        hub = hub_of(client)
        old, new = parse_repository("ada/model"), parse_repository("ada/new")
        store.move_repository(old, new)
        hub.repositories.rename(old, new)
        decide(client, "ada/new", "public")
        assert client.get(URL).json()["id"] == "ada/new"
        moved = client.get("/ada/model/raw/main/a%20b", follow_redirects=False)
        assert (moved.status_code, moved.headers["location"]) == (307, "/ada/new/raw/main/a%20b")


@pytest.mark.parametrize(
    "path", ["a/b/c", "..%2f..", "a%2Fb%2Fc", "%00", "-a/b", "a--b/c", "x" * 200, "%c3%a9/b", "a/b.git"]
)
def test_bad_names(store: Store, path: str) -> None:
    """A name that no repository can have is not found, and nothing else happens."""
    with ask(store) as client:
        response = client.get(f"/api/models/{path}")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"


def test_head_and_huge_queries(store: Store) -> None:
    """HEAD works on API routes; a query of any length is read or refused."""
    put_ready(store, "ada/model", FILES)
    with ask(store) as client:
        assert client.head(URL).status_code == 200
        assert client.get(f"{URL}?" + "expand=sha&" * 5000).status_code == 200
        assert client.get(f"{URL}?x={'y' * 60000}").status_code == 200
        assert client.get(f"{URL}?blobs=%ff&expand=%00").status_code == 400
