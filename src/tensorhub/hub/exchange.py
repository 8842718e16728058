"""One request and its answer, for observers.

Duty: the value. Not its duty: making it (``app``), or looking at it (``request_log``, ``metrics``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, for observers.

    Attributes
    ----------
    method, path, pattern
        Of the request; the pattern is the route's, empty where none matched.
    status
        Of the answer; 0 where the caller left before it.
    user
        Who asked; None for nobody known.
    address
        Where from: the peer, or whom a trusted proxy names.
    duration_s
        From the first byte to the last, in seconds.
    received_nbytes, sent_nbytes
        Bytes of the bodies.
    request_id
        Given by the caller, else made here.
    """

    method: str
    path: str
    pattern: str
    status: int
    user: str | None
    address: str
    duration_s: float
    received_nbytes: int
    sent_nbytes: int
    request_id: str


Observer = Callable[[Exchange], None]
