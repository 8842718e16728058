"""What a server is told at its start.

Duty: the frozen value. Not its duty: reading it from a command line (``cli``).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8088


@dataclass(frozen=True, slots=True)
class HubConfig:
    """Settings of one server process.

    Attributes
    ----------
    host, port
        Where it listens; port 0 takes a free one.
    root_path
        Path prefix under which a reverse proxy shows the hub, such as ``/hf``; empty for none.
    trusted_proxies
        Addresses whose ``X-Forwarded-*`` headers are believed; empty: nobody's.
    allows_anonymous_read
        Whether public repositories may be read without a token.
    upstream
        Another hub's URL, from which what is missing is fetched; empty for none.
    upstream_token
        Access token for it.
    workers
        Threads that decode and code; None for one per processor.
    log_format
        ``text`` or ``json``.
    rate_limit_per_minute
        Requests that one caller may make in a minute; 0 for any number.
    parallel_limit
        Requests that one caller may have running at a time; 0 for any number.
    metrics
        Who may read ``/metrics``: ``local`` (this machine, and administrators), ``admin``, or ``all``.
    max_json_nbytes
        Largest JSON body.
    max_commit_nbytes
        Largest commit body; its regular files are in it, as base64.
    xet_download
        Which files are offered for download through Xet: ``large`` (from 64 MB, where it is faster than plain
        HTTP), ``all`` LFS files, or ``none``; above 50 GB clients refuse plain HTTP.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ()
    allows_anonymous_read: bool = True
    upstream: str = ""
    upstream_token: str = ""
    workers: int | None = None
    log_format: str = "text"
    rate_limit_per_minute: int = 0
    parallel_limit: int = 0
    metrics: str = "local"
    max_json_nbytes: int = 16 << 20
    max_commit_nbytes: int = 1 << 30
    xet_download: str = "large"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine's, for itself only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
