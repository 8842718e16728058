"""Hubs that run: in a thread, on a real socket of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import bind, make_server
from tensorhub.store.store import Store


@contextmanager
def run_hub(
    store: Store, config: HubConfig | None = None, prepare: Callable[[Hub], object] = lambda _: None
) -> Iterator[tuple[str, Hub]]:
    """Serve a store at a free port; gives the URL and the hub, which ``prepare`` may change before it is served."""
    listener = bind(replace(config or HubConfig(), port=0))
    host, port = listener.getsockname()[:2]
    hub = Hub(store, replace(config or HubConfig(), port=port))
    prepare(hub)
    server = make_server(hub)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.005)
        yield f"http://{host}:{port}{hub.config.root_path}", hub
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        listener.close()
