"""What a commit says of itself, and the default for its author.

Duty: the value that imports and adds hand to ``publish``. Not its duty: making commits (``transaction``).
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """What a commit says of itself.

    Attributes
    ----------
    message
        First line is the title.
    author
        Free text; None for the user's login name.
    date_ms
        Milliseconds since 1970 UTC; None for now.
    is_partial, origin, upstream_id
        For imports: see :class:`tensorhub.schema.records.Commit`.
    """

    message: str = ""
    author: str | None = None
    date_ms: int | None = None
    is_partial: bool = False
    origin: str = ""
    upstream_id: str = ""


def login_name() -> str:
    """Give the user's login name; ``unknown`` where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user may have no name


def storable_text(text: str) -> str:
    """Give text that UTF-8 can hold; bytes of names that are not UTF-8 are written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
