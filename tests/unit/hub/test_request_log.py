"""Lines of the log: one each, whatever is in them."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from tensorhub.hub.exchange import Exchange
from tensorhub.hub.request_log import (
    REQUESTS,
    JsonFormatter,
    RequestLog,
    TextFormatter,
    exchange_text,
    set_up_logging,
)

EXCHANGE = Exchange("GET", "/a/b\r\nx", "/{repo}", 200, "ada", "10.0.0.1", 0.0123, 3, 40, "id 1")


def _record(message: str, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "name": "tensorhub.hub", "created": 0.0, **more})


def test_text() -> None:
    """Fields in order; nothing that ends the line or passes for another field."""
    assert exchange_text(EXCHANGE) == "GET /a/b??x 200 12.3 ms 40 B ada 10.0.0.1 id?1"
    record = _record("two\nlines", levelname="INFO")
    assert TextFormatter().format(record) == "1970-01-01T00:00:00.000Z info two lines"


def test_json() -> None:
    """An exchange's fields; other messages as they are; tracebacks as a field."""
    line = JsonFormatter().format(_record("ignored", exchange=EXCHANGE, levelname="INFO"))
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000Z",
        "level": "info",
        "method": "GET",
        "path": "/a/b\r\nx",
        "route": "/{repo}",
        "status": 200,
        "duration_s": 0.0123,
        "received_nbytes": 3,
        "sent_nbytes": 40,
        "user": "ada",
        "address": "10.0.0.1",
        "request_id": "id 1",
    }
    assert "\n" not in line
    try:
        raise ValueError("x")
    except ValueError:
        broken = json.loads(JsonFormatter().format(_record("failed", exc_info=sys.exc_info())))
    assert broken["message"] == "failed"
    assert "ValueError: x" in broken["traceback"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_observer(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a request, on stderr."""
    kept = {name: logging.getLogger(name) for name in ("tensorhub.hub", "uvicorn")}
    before = {name: (list(log.handlers), log.level, log.propagate) for name, log in kept.items()}
    try:
        set_up_logging(log_format)
        RequestLog()(EXCHANGE)
    finally:
        for name, log in kept.items():
            log.handlers[:], level, log.propagate = before[name]
            log.setLevel(level)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "/a/b" in error
    assert logging.getLogger(REQUESTS).handlers == []
