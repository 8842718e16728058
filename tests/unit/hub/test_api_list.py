"""Lists of repositories: who sees what, search, filters, order and pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub import api_list
from tensorhub.hub.config import HubConfig

from ...weights import safetensors, weights
from .served import add_users, ask, decide, put_ready

CARD = b"---\nlicense: mit\ntags: [mine]\ndatasets: [a/b]\n---\n"
CONFIG = json.dumps({"architectures": ["XForCausalLM"], "model_type": "x"}).encode()


@pytest.fixture
def client(store: Store) -> Iterator[TestClient]:
    put_ready(store, "ada/Bert-base", {"README.md": CARD, "config.json": CONFIG})
    put_ready(store, "bob/bert", {"model.safetensors": safetensors({"a": weights((4, 8), 1)})})
    put_ready(store, "ada/other", {"x": b"1" * 100})
    put_ready(store, "datasets/ada/data", {"README.md": b"---\nlanguage: en\n---\n"})
    put_ready(store, "spaces/ada/app", {"README.md": b"---\nsdk: gradio\ndatasets: [a/b]\n---\n"})
    with ask(store) as opened:
        yield opened


def names(client: TestClient, url: str = "/api/models", **query: Any) -> list[str]:
    response = client.get(url, params=query)
    assert response.status_code == 200, response.text
    return [item["id"] for item in response.json()]


def test_types_search_and_author(client: TestClient) -> None:
    """Each type has its list; the newest come first; search and author are without case."""
    assert names(client) == ["ada/other", "bob/bert", "ada/Bert-base"]
    assert names(client, "/api/datasets") == ["ada/data"]
    assert names(client, "/api/spaces") == ["ada/app"]
    assert names(client, search="BERT") == ["bob/bert", "ada/Bert-base"]
    assert names(client, search=["bert", "base"]) == names(client, search="base bert") == ["ada/Bert-base"]
    assert names(client, author="ADA") == ["ada/other", "ada/Bert-base"]
    assert names(client, author="ad") == []


def test_filters(client: TestClient) -> None:
    """Every tag must fit; numbers of parameters are ranges."""
    assert names(client, filter="license:mit") == ["ada/Bert-base"]
    assert names(client, filter=["mine", "transformers", "dataset:a/b"]) == ["ada/Bert-base"]
    assert names(client, filter="mine,nothing") == []
    assert names(client, pipeline_tag="text-generation") == ["ada/Bert-base"]
    assert names(client, num_parameters="min:32,max:1K") == ["bob/bert"]
    assert names(client, num_parameters="min:33") == []
    assert names(client, inference="warm") == []
    assert names(client, "/api/datasets", filter="language:en") == ["ada/data"]
    assert names(client, "/api/spaces", datasets="a/b") == ["ada/app"]


def test_gated(client: TestClient) -> None:
    """Gated ones only, or the others only."""
    decide(client, "bob/bert", "public", gate="manual")
    assert names(client, gated="true") == ["bob/bert"]
    assert names(client, gated="False") == ["ada/other", "ada/Bert-base"]


def test_order(client: TestClient) -> None:
    """By date or size, rising or falling; what nobody counts leaves the newest first."""
    assert names(client, sort="createdAt", direction=1) == ["ada/Bert-base", "bob/bert", "ada/other"]
    assert names(client, sort="last_modified") == names(client, sort="downloads") == names(client)
    assert names(client, sort="size")[-1] == "ada/other" or names(client, sort="size", direction=1)
    sizes = [item["usedStorage"] for item in client.get("/api/models?sort=size&expand=usedStorage").json()]
    assert sizes == sorted(sizes, reverse=True)


def test_what_is_shown(client: TestClient) -> None:
    """Little by default, files and card when asked, exactly what expand says."""
    item = client.get("/api/models?search=base").json()[0]
    assert {"id", "modelId", "sha", "tags", "private", "createdAt", "lastModified", "likes"} <= set(item)
    assert not {"siblings", "cardData", "config"} & set(item)
    full = client.get("/api/models?search=base&full=True&config=True").json()[0]
    assert [file["rfilename"] for file in full["siblings"]] == ["README.md", "config.json"]
    assert full["cardData"]["license"] == "mit"
    assert full["config"]["model_type"] == "x"
    expanded = client.get("/api/models?search=base&expand=author&expand=downloadsAllTime").json()[0]
    assert set(expanded) == {"id", "author", "downloadsAllTime"}


@pytest.mark.parametrize("query", [{}, {"sort": "size", "direction": "1"}, {"full": "true", "search": "b"}])
def test_pages(client: TestClient, query: dict[str, str]) -> None:
    """Links lead through everything once."""
    whole = names(client, **query)
    found: list[str] = []
    url = str(client.get("/api/models", params={**query, "limit": 1}).request.url)
    while url:
        response = client.get(url)
        found += [item["id"] for item in response.json()]
        url = response.links.get("next", {}).get("url", "")
    assert found == whole


@pytest.mark.parametrize(
    "query",
    [
        *("sort=x", "direction=2", "limit=0", "limit=x", "cursor=x", "cursor=WyJhIiwxLCJ4Il0", "expand=foo"),
        *("num_parameters=6B", "num_parameters=min:x", "filter=" + "a," * 30, "search=" + "a+" * 30),
    ],
)
def test_bad_queries(client: TestClient, query: str) -> None:
    """What means nothing is refused, in JSON."""
    response = client.get(f"/api/models?{query}")
    assert response.status_code == 400
    assert response.json()["error"]


@pytest.mark.parametrize("query", ["search=%ff%00", "author=../..", "filter=%22%3E", "limit=" + "9" * 4000])
def test_odd_queries(client: TestClient, query: str) -> None:
    """Odd text finds nothing, and breaks nothing."""
    assert client.get(f"/api/models?{query}").status_code == 200


def test_readers(client: TestClient) -> None:
    """Nobody sees, finds or counts what he may not read."""
    ada, bob = add_users(client)
    decide(client, "bob/bert", "public")
    for headers, expected in (
        (ada, ["ada/other", "bob/bert", "ada/Bert-base"]),
        (bob, ["bob/bert"]),
        ({}, ["bob/bert"]),
    ):
        found = client.get("/api/models", headers=headers).json()
        assert [item["id"] for item in found] == expected
        searched = client.get("/api/models?search=base&limit=1", headers=headers)
        assert len(searched.json()) == (1 if headers is ada else 0)


def test_until_cards_are_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many cards were not read yet, a filter is asked to wait rather than answered wrongly."""
    monkeypatch.setattr(api_list, "_PAGE", 1)
    response = client.get("/api/models?filter=mine")
    assert (response.status_code, "retry-after" in response.headers) == (503, True)
    assert client.get("/api/models").status_code == 200


def test_not_ready_and_empty(store: Store) -> None:
    """A repository without commits, or without digests, is listed without files."""
    store.create_repository("ada/empty")
    with store.begin_commit("ada/new") as transaction:
        transaction.put_file("a", b"1")
        transaction.publish("new")
    with ask(store) as client:
        found = {item["id"]: item for item in client.get("/api/models?full=true").json()}
    assert found["ada/empty"]["sha"] is None
    assert found["ada/new"]["siblings"] == []


def test_pages_under_a_prefix(store: Store) -> None:
    """Links name the hub as the client knows it: with the prefix, once."""
    for name in ("ada/a", "ada/b"):
        put_ready(store, name, {"x": b"1", "y": b"2"})
    with ask(store, HubConfig(root_path="/hf")) as client:
        for path in ("/hf/api/models", "/hf/api/models/ada/a/tree/main"):
            first = client.get(f"{path}?limit=1")
            link = first.links["next"]["url"]
            assert link.startswith(f"http://localhost{path}?")
            assert len(client.get(link).json()) == 1
