"""The log of requests: one line each, as text or as JSON.

Duty: format exchanges and the hub's other messages; set logging up for a server process. Not its duty: what happened
(``app``), or who did what (``audit``).
Invariants: a line is one line whatever a caller sends; no query, header or body is ever in it, so no token, signature
or content is.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from tensorhub.hub.exchange import Exchange

REQUESTS = "tensorhub.hub.requests"
_FIELD = "exchange"


class RequestLog:
    """An observer that logs each exchange."""

    def __init__(self) -> None:
        self._log = logging.getLogger(REQUESTS)

    def __call__(self, exchange: Exchange) -> None:
        """Log it."""
        level = logging.WARNING if exchange.status >= 500 else logging.INFO
        self._log.log(level, "%s", exchange_text(exchange), extra={_FIELD: exchange})


def exchange_text(exchange: Exchange) -> str:
    """Write an exchange as a line for people."""
    parts = [
        one_line(exchange.method),
        one_line(exchange.path),
        str(exchange.status or "left"),
        f"{exchange.duration_s * 1000:.1f} ms",
        f"{exchange.sent_nbytes} B",
        exchange.user or "-",
        exchange.address or "-",
        one_line(exchange.request_id),
    ]
    return " ".join(parts)


def exchange_fields(exchange: Exchange) -> dict[str, Any]:
    """Give an exchange as fields of a JSON line."""
    return {
        "method": exchange.method,
        "path": exchange.path,
        "route": exchange.pattern,
        "status": exchange.status,
        "duration_s": round(exchange.duration_s, 6),
        "received_nbytes": exchange.received_nbytes,
        "sent_nbytes": exchange.sent_nbytes,
        "user": exchange.user,
        "address": exchange.address,
        "request_id": exchange.request_id,
    }


def one_line(text: str) -> str:
    """Give text without anything that could end a line, steer a terminal or pass for a field."""
    return "".join(character if "!" <= character <= "~" else "?" for character in text)


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        fields: dict[str, Any] = {"time": _time(record), "level": record.levelname.lower()}
        exchange = getattr(record, _FIELD, None)
        if isinstance(exchange, Exchange):
            fields |= exchange_fields(exchange)
        else:
            fields |= {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """Writes a record as a line for people; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        message = record.getMessage().replace("\n", " ")
        text = f"{_time(record)} {record.levelname.lower()} {message}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def set_up_logging(log_format: str) -> None:
    """Send the hub's log, and uvicorn's warnings, to stderr in one format.

    Parameters
    ----------
    log_format
        ``text`` or ``json``.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    for name, level in (("tensorhub.hub", logging.INFO), ("uvicorn", logging.WARNING)):
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.setLevel(level)
        log.propagate = False
