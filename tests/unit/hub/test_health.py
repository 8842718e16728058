"""Health: well or not, and nothing more."""

from __future__ import annotations

import httpx
import pytest

from tensorhub import Store
from tensorhub.errors import CorruptPackError
from tensorhub.hub import health

from ...hub.servers import run_hub


def test_well(store: Store) -> None:
    """Every check passes; HEAD works, too."""
    with run_hub(store) as (url, _):
        found = httpx.get(f"{url}/healthz")
        assert found.status_code == 200
        assert found.json() == {
            "status": "ok",
            "checks": {"store_readable": "ok", "store_writable": "ok", "state_readable": "ok"},
        }
        assert httpx.head(f"{url}/healthz").status_code == 200
    assert not list(store.path.glob(".healthz*"))


def test_not_well(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure is 503, and told by its kind alone."""
    monkeypatch.setattr(health, "_KEEP_S", -1.0)
    with run_hub(store) as (url, hub):

        def fail() -> None:
            raise CorruptPackError("the state at /secret/place")

        monkeypatch.setattr(hub.accounts, "has_users", fail)
        found = health.Health(hub).check()
        assert found["state_readable"] == "failed: CorruptPackError"
        monkeypatch.undo()
        monkeypatch.setattr(health, "_MIN_FREE_NBYTES", 1 << 80)
        answer = httpx.get(f"{url}/healthz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["store_writable"] == "failed"
