"""Metrics: what is counted, and who may read it."""

from __future__ import annotations

import re

import httpx
import pytest

from tensorhub import Store
from tensorhub.hub.config import HubConfig

from ...hub.servers import run_hub


def _values(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.M)
        if not name.startswith("tensorhub_request_seconds_bucket")
    }


def test_requests_are_counted(store: Store) -> None:
    """By route, method and status; bytes; what the reader and the disk say."""
    with store.begin_commit("a/b") as transaction:
        transaction.put_file("x.txt", b"hello " * 1000)
        transaction.publish("put")
    with run_hub(store) as (url, hub), httpx.Client(base_url=url) as client:
        hub.digests.wake()
        for _ in range(200):
            found = client.get("/a/b/resolve/main/x.txt")
            if found.status_code == 200:
                break
        assert found.content == b"hello " * 1000
        assert client.get("/a/b/resolve/main/none").status_code == 404
        text = client.get("/metrics").text
    values = _values(text)
    route = 'route="/{P}{repo}/resolve/{rev}/{path}"'
    assert values[f'tensorhub_requests_total{{method="GET",{route},status="200"}}'] == 1
    assert values[f'tensorhub_requests_total{{method="GET",{route},status="404"}}'] == 1
    assert values[f"tensorhub_sent_bytes_total{{{route}}}"] > 6000
    assert values["tensorhub_decoded_bytes_total"] >= 6000
    assert values["tensorhub_stored_read_bytes_total"] > 0
    assert values["tensorhub_streamed_bytes_total"] == 6000
    assert values["tensorhub_packs"] >= 1
    assert values["tensorhub_repositories"] == 1
    assert values["tensorhub_sha256_files"] == 0
    assert 'tensorhub_pool_jobs{pool="read"}' in values


def test_strangers_make_no_labels(store: Store) -> None:
    """Paths and methods that nobody serves count as one."""
    with run_hub(store) as (url, _), httpx.Client(base_url=url) as client:
        for path in ("/x/y/z/one", "/x/y/z/two"):
            client.get(path)
            client.request("PROPFIND", path)
        values = _values(client.get("/metrics").text)
    names = [name for name in values if name.startswith("tensorhub_requests_total") and "none" in name]
    assert len(names) == 2


@pytest.mark.parametrize(
    ("setting", "headers", "status"),
    [
        ("local", {}, 200),
        ("local", {"X-Forwarded-For": "10.0.0.1"}, 403),
        ("local", {"Host": "hub.example"}, 403),
        ("admin", {}, 403),
        ("all", {"Host": "hub.example"}, 200),
    ],
)
def test_who_may_read(store: Store, setting: str, headers: dict[str, str], status: int) -> None:
    """Only this machine unless it looks like a proxy; or administrators; or everybody."""
    with run_hub(store, HubConfig(metrics=setting)) as (url, hub):
        hub.accounts.create_user("ada", is_admin=True)
        assert httpx.get(f"{url}/metrics", headers=headers).status_code == status


def test_administrators_may_read(store: Store) -> None:
    """With a token, from anywhere."""
    with run_hub(store, HubConfig(metrics="admin")) as (url, hub):
        hub.accounts.create_user("ada", is_admin=True)
        secret = hub.accounts.tokens.create("ada", name="prometheus").secret
        assert httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {secret}"}).status_code == 200
