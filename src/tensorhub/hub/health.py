"""``/healthz``: whether the hub can do its work.

Duty: look at the store and the state, quickly. Not its duty: whether what is stored is sound (``tensorhub verify``).
Invariants: no path, name or number of the store is told, because everybody may ask; one look at a
time, however many ask.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from starlette.responses import Response

from tensorhub.errors import TensorHubError
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route

_KEEP_S = 1.0  # answers are at most this old: many balancers ask at a time
_MIN_FREE_NBYTES = 64 << 20  # a pack cannot even be begun with less


class Health:
    """Looks whether a hub is well.

    Parameters
    ----------
    hub
        Which.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._at_s = float("-inf")
        self._checks: dict[str, str] = {}

    def check(self) -> dict[str, str]:
        """Give each check's outcome: ``ok``, or the kind of failure."""
        with self._lock:
            if time.monotonic() - self._at_s > _KEEP_S:
                self._checks = {
                    "store_readable": _outcome(self._read),
                    "store_writable": _outcome(self._write),
                    "state_readable": _outcome(self._read_state),
                }
                self._at_s = time.monotonic()
            return dict(self._checks)

    def _read(self) -> None:
        self._hub.store.layout.list_packs()
        self._hub.store.catalog.packs()

    def _write(self) -> None:
        root = self._hub.store.layout.root
        probe = root / f".healthz-{os.getpid()}"
        try:
            with probe.open("wb") as file:
                file.write(b"x")
        finally:
            with contextlib.suppress(OSError):
                probe.unlink()
        status = os.statvfs(root)
        if status.f_bavail * status.f_frsize < _MIN_FREE_NBYTES:
            raise OSError

    def _read_state(self) -> None:
        self._hub.accounts.has_users()


def _outcome(look: Callable[[], object]) -> str:
    try:
        look()
    except (TensorHubError, OSError) as error:
        return "failed" if isinstance(error, OSError) else f"failed: {type(error).__name__}"
    return "ok"


def health_route(health: Health) -> Route:
    """Make the route that answers whether the hub is well: 200, or 503."""

    async def answer(request: HubRequest) -> Response:
        checks = await request.hub.meta.run(health.check)
        is_well = all(outcome == "ok" for outcome in checks.values())
        body = {"status": "ok" if is_well else "failed", "checks": checks}
        return JsonResponse(body, 200 if is_well else 503, {"Cache-Control": "no-store"})

    return Route("GET HEAD", "/healthz", answer)
