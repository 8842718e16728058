"""Dates as the protocol writes them.

Duty: milliseconds since 1970 UTC to text. Not its duty: dates for people.
Invariants: always UTC, ending in ``Z``: clients refuse ``+00:00``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_999  # the end of the year 9999


def iso_date(at_ms: int) -> str:
    """Write a moment, such as ``2026-11-28T21:10:11.000Z``; what no calendar reaches becomes its last moment."""
    moment = _EPOCH + timedelta(milliseconds=min(max(at_ms, 0), _LAST_MS))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
