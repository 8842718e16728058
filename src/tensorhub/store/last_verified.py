"""The last verification: when a store was read and checked as a whole, and what came of it.

Duty: a note beside the leases, for pages and metrics. Not its duty: verifying.
Invariants: losing the note loses nothing; one that cannot be written or read is as if there were none. Specified in
``docs/format.md``, section 2.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorhub.store.store import Store
    from tensorhub.store.values import VerifyReport

_NAME = "last-verify.json"
_MAX_NBYTES = 4096


@dataclass(frozen=True, slots=True)
class LastVerified:
    """A verification that reached its end.

    Attributes
    ----------
    at_ms
        When it ended, milliseconds since 1970 UTC.
    damages
        How many damaged things it found.
    nbytes
        Decoded bytes that it checked.
    """

    at_ms: int
    damages: int
    nbytes: int


def note_verified(store: Store, report: VerifyReport) -> None:
    """Note a verification that has ended; a store that cannot be written to keeps the note that it has."""
    note = {
        "at_ms": time.time_ns() // 1_000_000,
        "damages": len(report.damages),
        "nbytes": report.nbytes,
    }
    folder = store.layout.leases
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        temporary = folder / f"{_NAME}.tmp"
        temporary.write_text(json.dumps(note), encoding="ascii")
        temporary.replace(folder / _NAME)


def read_last_verified(store: Store) -> LastVerified | None:
    """Give the last verification; None where none is known."""
    try:
        with (store.layout.leases / _NAME).open("rb") as file:
            note = json.loads(file.read(_MAX_NBYTES))
        found = LastVerified(note["at_ms"], note["damages"], note["nbytes"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    is_valid = all(type(value) is int and value >= 0 for value in (found.at_ms, found.damages, found.nbytes))
    return found if is_valid else None
