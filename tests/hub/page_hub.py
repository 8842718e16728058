"""A hub to look at: its content, clients, and what a page is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import make_app
from tensorhub.store.commit_facts import CommitFacts

from ..weights import put, safetensors, tuned, weights

BASE = weights((128, 320), 1)
HOSTILE = '<img src=x onerror="alert(1)">'
FILES = {
    "README.md": b"---\nlicense: <b>mit</b>\n---\n# Base\n<script>alert(1)</script>",
    "config.json": b'{"x": "<script>alert(2)</script>"}',
    "model.safetensors": safetensors({"layer.weight": BASE, HOSTILE: weights((8, 8), 2)}),
    f"{HOSTILE}/{HOSTILE}.txt": b"text",
    "logo.png": b"\x89PNG" + bytes(20),
    "data.bin": b"\0\1\2",
}


def fill(store: Store) -> None:
    put(store, "ada/base", FILES)
    put(store, "ada/child", {"model.safetensors": safetensors({"layer.weight": tuned(BASE, 3)})})
    put(store, "datasets/ada/rows", {"rows.csv": b"a,b\n1,2\n"})
    store.create_ref("ada/child", "refs/pr/1")
    store.create_repository("datasets/ada/empty")
    with store.begin_commit("ada/base") as transaction:
        transaction.put_file("note.txt", b"note")
        facts = CommitFacts(f"{HOSTILE}\n\n{HOSTILE}", author=HOSTILE, date_ms=1_700_000_000_000)
        transaction.publish(facts=facts)


@contextmanager
def open_client(path: Path, config: HubConfig) -> Iterator[TestClient]:
    with (
        Store.open(path) as store,
        TestClient(make_app(Hub(store, config)), base_url="http://localhost") as client,
    ):
        client.headers["Accept"] = "text/html"
        yield client


def hub_of(client: TestClient) -> Hub:
    hub: Hub = client.app.hub  # type: ignore[attr-defined]
    return hub


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Give the attributes of every element of one kind."""
        return [attributes for name, attributes in self.tags if name == tag]
