"""What clients ask beside their business."""

from __future__ import annotations

import pytest

from tensorhub import Store

from .served import ask


def test_tolerated(store: Store) -> None:
    """Telemetry is swallowed; registries are empty."""
    with ask(store) as client:
        assert client.head("/api/telemetry/huggingface_hub/x").status_code == 204
        assert client.post("/api/telemetry", content=b"x" * 100_000).status_code == 204
        assert client.get("/api/agent-harnesses").json() == {"standardEnvVars": [], "harnesses": {}}
        assert client.get("/api/models-tags-by-type").json() == {}


@pytest.mark.parametrize(
    "url",
    [
        "/ada/model.git/info/refs?service=git-upload-pack",
        "/datasets/a/b/info/refs",
        "/ada/model/git-upload-pack",
    ],
)
def test_git(store: Store, url: str) -> None:
    """Git is told what to use instead."""
    with ask(store) as client:
        response = client.get(url)
    assert response.status_code == 501
    assert "hf download" in response.json()["error"]


@pytest.mark.parametrize(
    "url", ["/api", "/api/", "/api/nothing", "/api/models/a/b/nothing/x", "/api/buckets/a"]
)
def test_unknown(store: Store, url: str) -> None:
    """Unknown paths of the API are answered in JSON."""
    with ask(store) as client:
        response = client.get(url)
    assert response.status_code == 404
    assert response.json()["error"]
