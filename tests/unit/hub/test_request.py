"""Under which URL the caller knows the hub."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from tensorhub.hub.request import base_url_of


def _request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": raw,
            "scheme": "http",
            "server": ("127.0.0.1", 80),
        }
    )


@pytest.mark.parametrize(
    ("headers", "is_trusted", "expected"),
    [
        ({"host": "hub:8088"}, False, "http://hub:8088/hf"),
        (
            {"host": "hub", "x_forwarded_proto": "https", "x_forwarded_host": "hub.example"},
            True,
            "https://hub.example/hf",
        ),
        (
            {"host": "hub", "x_forwarded_proto": "https", "x_forwarded_host": "evil.example"},
            False,
            "http://hub/hf",
        ),
        ({"host": "hub", "x_forwarded_proto": "javascript"}, True, "http://hub/hf"),
        ({"host": "evil/@x"}, False, "http://127.0.0.1:80/hf"),
        ({"host": "a;b,c"}, False, "http://127.0.0.1:80/hf"),
        ({"host": "[::1]:8088"}, False, "http://[::1]:8088/hf"),
    ],
)
def test_base_url(headers: dict[str, str], is_trusted: bool, expected: str) -> None:
    """Forwarded headers count only from a trusted proxy; a host that is none is not repeated."""
    assert base_url_of(_request(**headers), "/hf", is_trusted) == expected
