"""A hub to ask: the application over a store, without a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.testclient import TestClient

from tensorhub import Store
from tensorhub.hub.access import Gate, Visibility
from tensorhub.hub.app import HubApp
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import ROUTES
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_repository
from tensorhub.store.file_facts import files_without_facts, fill_file_facts

from ...weights import put

OWNER, OTHER = "ada", "bob"


def put_ready(store: Store, repository: str, files: Mapping[str, bytes], *, revision: str = "main") -> str:
    """Make files the tree of a revision and compute their digests; gives the commit id."""
    result = put(store, repository, files, revision=revision)
    fill_file_facts(store, files_without_facts(store))
    return result.commit_id


@contextmanager
def ask(store: Store, config: HubConfig | None = None) -> Iterator[TestClient]:
    """Make a client of a hub; its background threads do not run."""
    hub = Hub(store, config or HubConfig())
    client = TestClient(HubApp(hub, ROUTES), base_url="http://localhost", raise_server_exceptions=False)
    client.hub = hub  # type: ignore[attr-defined]
    try:
        yield client  # not entered: that would start the threads
    finally:
        client.close()
        hub.close()


def hub_of(client: TestClient) -> Hub:
    """Give the hub that a client asks."""
    return client.hub  # type: ignore[attr-defined,no-any-return]


def add_users(client: TestClient) -> tuple[dict[str, str], dict[str, str]]:
    """Make an owner and another user; gives the headers that each sends."""
    accounts = hub_of(client).accounts
    headers = []
    for name in (OWNER, OTHER):
        accounts.create_user(name)
        secret = accounts.tokens.create(name, name="test", scope=Scope.WRITE).secret
        headers.append({"Authorization": f"Bearer {secret}"})
    return headers[0], headers[1]


def decide(
    client: TestClient, repository: str, visibility: str, *, gate: str = "no", repo_type: str = "model"
) -> None:
    """Decide who may read a repository."""
    hub_of(client).repositories.put(
        parse_repository(repository, repo_type), visibility=Visibility(visibility), gate=Gate(gate)
    )
