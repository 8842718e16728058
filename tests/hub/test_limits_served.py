"""Limits over real sockets: who asks too often, too much at a time or too slowly is told so, and others are served."""

from __future__ import annotations

import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

from tensorhub import Store
from tensorhub.hub import limits
from tensorhub.hub.config import HubConfig

from .servers import run_hub


def test_too_often(store: Store) -> None:
    """The last answers say when to come again; health and metrics are never refused; users count for themselves."""
    with (
        run_hub(store, HubConfig(rate_limit_per_minute=3)) as (url, hub),
        httpx.Client(base_url=url) as client,
    ):
        hub.accounts.create_user("ada")
        secret = hub.accounts.tokens.create("ada", name="t").secret
        answers = [client.get("/api/models") for _ in range(8)]  # at least four in one minute
        assert answers[0].headers["ratelimit-policy"] == '"fixed window";"api";q=3;w=60'
        refused = [item for item in answers if item.status_code == 429]
        assert refused
        assert refused[-1].headers["ratelimit"].startswith('"api";r=0;t=')
        assert int(refused[-1].headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").status_code == 200
        mine = client.get("/api/models", headers={"Authorization": f"Bearer {secret}"})
        assert mine.status_code == 200


def test_guessing_tokens(store: Store) -> None:
    """Wrong tokens count for the address that they come from, whatever they are."""
    with run_hub(store, HubConfig(rate_limit_per_minute=3)) as (url, hub):
        hub.accounts.create_user("ada")
        statuses = [
            httpx.get(f"{url}/api/whoami-v2", headers={"Authorization": f"Bearer wrong{number}"}).status_code
            for number in range(8)
        ]
        assert statuses[0] == 401
        assert 429 in statuses


def test_too_much_at_a_time(store: Store) -> None:
    """One more than may run is refused until one ends."""
    with run_hub(store, HubConfig(parallel_limit=1)) as (url, _):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as slow:
            slow.sendall(
                b"POST /api/validate-yaml HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
            )
            for _ in range(200):
                if httpx.get(f"{url}/api/models").status_code == 429:
                    break
                time.sleep(0.01)
            else:
                pytest.fail("a second request was not refused")
        for _ in range(200):
            if httpx.get(f"{url}/api/models").status_code == 200:
                return
            time.sleep(0.01)
        pytest.fail("the place was not given back")


def test_too_slowly(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies that trickle are given up, and the connection closed, while others are served."""
    monkeypatch.setattr(limits, "BODY_PATIENCE_S", 0.5)
    with run_hub(store) as (url, _):
        parts = urlsplit(url)
        stop = threading.Event()
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as slow:
            slow.sendall(
                b"POST /api/validate-yaml HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
            )

            def trickle() -> None:
                while not stop.wait(0.05):
                    try:
                        slow.sendall(b"x")
                    except OSError:
                        return

            thread = threading.Thread(target=trickle)
            thread.start()
            assert httpx.get(f"{url}/api/models").status_code == 200
            answer = slow.recv(1 << 16)
            assert b" 408 " in answer[:20]
            assert b"connection: close" in answer.lower()
            stop.set()
            thread.join()


def test_addresses_behind_a_proxy(store: Store) -> None:
    """A trusted proxy says who asks; anybody else may say what he likes."""
    config = HubConfig(rate_limit_per_minute=2, trusted_proxies=("127.0.0.1",))
    for used, are_apart in ((config, True), (HubConfig(rate_limit_per_minute=2), False)):
        with run_hub(
            store, used, lambda hub: hub.accounts.has_users() or hub.accounts.create_user("ada")
        ) as (url, _):
            statuses = [
                httpx.get(
                    f"{url}/api/models", headers={"X-Forwarded-For": f"1.1.1.1, 9.9.9.{number}"}
                ).status_code
                for number in range(6)
            ]
            assert (429 not in statuses) is are_apart
