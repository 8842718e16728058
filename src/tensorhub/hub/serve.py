"""Serving: a store, a socket and uvicorn, until told to stop.

Duty: refuse unsafe settings, join the parts, run. Not its duty: the command line.
Invariants: nobody is served before the socket is bound; a stop lets what runs finish, up to a stated time.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from tensorhub.errors import UsageError, from_os_error
from tensorhub.hub import (
    api_commit,
    api_discussions,
    api_lfs,
    api_lfs_bytes,
    api_lfs_changes,
    api_preupload,
    api_read,
    api_refs,
    api_repositories,
    resolve,
)
from tensorhub.hub.app import HubApp
from tensorhub.hub.config import HubConfig
from tensorhub.hub.health import Health, health_route
from tensorhub.hub.hub import Hub
from tensorhub.hub.metrics import HubMetrics, metrics_route
from tensorhub.hub.mirror_metrics import collect_mirror
from tensorhub.hub.pages.render import make_environment
from tensorhub.hub.pages.routes import ROUTES as PAGE_ROUTES
from tensorhub.hub.pages.routes import make_error_page
from tensorhub.hub.protocol import BoundedProtocol, raise_file_limit
from tensorhub.hub.request_log import RequestLog, set_up_logging
from tensorhub.hub.routes import Route
from tensorhub.hub.xet import api as xet
from tensorhub.store.store import Store

_GRACE_S = 30  # how long requests that run may take after a stop was asked for
_BACKLOG = 2048

ROUTES: list[Route] = [
    *resolve.ROUTES,
    *xet.ROUTES,
    *api_repositories.ROUTES,
    *api_refs.ROUTES,
    *api_preupload.ROUTES,
    *api_commit.ROUTES,
    *api_lfs.ROUTES,
    *api_lfs_bytes.ROUTES,
    *api_lfs_changes.ROUTES,
    *api_discussions.ROUTES,
    *api_read.ROUTES,  # after what writes, which is told apart by its method
    *PAGE_ROUTES,  # last: its patterns fit nearly every short path
]


def make_app(hub: Hub) -> HubApp:
    """Put the application together."""
    metrics, health = HubMetrics(hub), Health(hub)
    if (mirror := hub.mirror) is not None:
        metrics.add(lambda: collect_mirror(mirror))
    routes = [health_route(health), metrics_route(metrics), *ROUTES]
    return HubApp(hub, routes, observers=[RequestLog(), metrics], error_page=make_error_page(hub))


def make_server(hub: Hub) -> uvicorn.Server:
    """Make the server of a hub; it is given its socket when it is run."""
    settings = uvicorn.Config(
        make_app(hub),
        http=BoundedProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=75,
        backlog=_BACKLOG,
        lifespan="on",
    )
    return uvicorn.Server(settings)


def check_exposure(hub: Hub) -> None:
    """Refuse to listen to others than this machine while there are no users.

    Raises
    ------
    UsageError
        The address is not a loopback address, and nobody could be told from anybody.
    """
    config = hub.config
    if not config.is_loopback and not hub.accounts.has_users():
        raise UsageError(
            f"address {config.host}",
            expected="a loopback address such as 127.0.0.1, as long as there are no users",
            found="one that other machines can reach",
            action="Create a user first (`tensorhub user add NAME --admin`), so that tokens are asked for.",
        )


def bind(config: HubConfig) -> socket.socket:
    """Bind the server's socket.

    Raises
    ------
    TensorHubError
        The address is taken or not this machine's.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((config.host, config.port))
        listener.listen(_BACKLOG)  # who connects from now on waits instead of being refused
    except OSError as error:
        listener.close()
        raise from_os_error(error, f"listening at {config.host} port {config.port}") from error
    return listener


def warm_up(hub: Hub) -> None:
    """Do what is done once, so that it is not in the first reader's time: with 10,000 repositories a second."""
    hub.directory.entries()
    environment = make_environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def serve(store: Store, config: HubConfig, *, when_ready: Callable[[str], None] | None = None) -> None:
    """Serve a store until the process is told to stop (SIGINT, SIGTERM).

    Parameters
    ----------
    store
        Open; not closed here.
    config
        Settings.
    when_ready
        Told the URL once the socket is bound.

    Raises
    ------
    UsageError
        The settings are unsafe.
    TensorHubError
        The socket cannot be bound.
    """
    raise_file_limit()
    hub = Hub(store, config)
    check_exposure(hub)
    listener = bind(config)
    port = listener.getsockname()[1]
    host = f"[{config.host}]" if ":" in config.host else config.host
    set_up_logging(config.log_format)
    warm_up(hub)
    if when_ready is not None:
        when_ready(f"http://{host}:{port}{config.root_path}")
    # uvicorn raises it again once all is finished; here it was the normal end
    with suppress(KeyboardInterrupt):
        make_server(hub).run(sockets=[listener])
