"""Heads of requests are bounded in size and time."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tensorhub import Store
from tensorhub.hub import limits, protocol

from ...hub.servers import run_hub


@contextmanager
def _connect(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        yield connection


def _read(connection: socket.socket) -> bytes:
    found = b""
    try:
        while piece := connection.recv(1 << 16):
            found += piece
    except ConnectionResetError:
        pass
    return found


def test_endless_head(store: Store) -> None:
    """Headers without an end are refused after some memory, be it one or many."""
    with run_hub(store) as (url, _):
        for piece in (b"a" * 8000, b"X-A: b\r\n" * 1000):
            with _connect(url) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: ")
                try:
                    for _ in range(1000):
                        connection.sendall(piece)
                except OSError:
                    continue  # closed while we were sending
                assert b" 431 " in _read(connection)[:20]


def test_usual_requests(store: Store) -> None:
    """Several on one connection, with more headers together than one may have."""
    with run_hub(store) as (url, _), _connect(url) as connection:
        for _ in range(5):
            connection.sendall(
                b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 30000 + b"\r\n\r\n"
            )
            assert b"HTTP/1.1 200" in connection.recv(1 << 16)


def test_late_head(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not come to the end of a head is disconnected: the first and later ones."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    with run_hub(store) as (url, _):
        with _connect(url) as connection:
            began = time.monotonic()
            assert _read(connection) == b""
            assert time.monotonic() - began < 5
        with _connect(url) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(1 << 16)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: ")
            assert _read(connection) == b""


def test_long_path(store: Store) -> None:
    """A path that no name can have is refused as such."""
    with run_hub(store) as (url, _), _connect(url) as connection:
        connection.sendall(
            b"GET /" + b"a" * (limits.MAX_TARGET_NBYTES + 1) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        assert b" 414 " in _read(connection)[:20]


def test_too_many_connections(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than there may be is told so; those before are served, and a closed one makes room."""
    monkeypatch.setattr(protocol, "max_connections", lambda: 2)
    with run_hub(store) as (url, _), _connect(url) as first:
        ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with _connect(url) as second:
            for connection in (first, second):
                connection.sendall(ask)
                assert b"HTTP/1.1 200" in connection.recv(1 << 16)
            with _connect(url) as third:
                assert b"HTTP/1.1 503" in _read(third)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with _connect(url) as third:
                third.sendall(ask)
                if b"HTTP/1.1 200" in third.recv(1 << 16):
                    return
        raise TimeoutError


def test_the_file_limit_is_raised() -> None:
    """As far as the system allows; the store keeps some of it."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        assert protocol.max_connections() == 128
        protocol.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[1], 1 << 16)
        assert protocol.max_connections() < min(before[1], 1 << 16)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
