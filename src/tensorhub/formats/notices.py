"""Notices: things a person should know that stop nothing.

Duty: gather many small observations into few sentences of bounded length.
Not its duty: printing them.
Invariants: notices come out in the order in which their kinds were first seen; a notice names a few items and
counts the rest, so that a hostile input cannot make it long.
"""

from __future__ import annotations

_MAX_NAMED = 3  # enough to find the cause; the count tells the rest
_MAX_NAME_LENGTH = 120  # characters; a path or tensor name beyond this says nothing more to a reader


def shorten(name: str) -> str:
    """Make a name from outside fit for a message: printable and of bounded length."""
    text = name[: _MAX_NAME_LENGTH + 1]
    if not text.isprintable():
        text = text.encode("unicode_escape", "surrogatepass").decode("ascii")
    return text if len(name) <= _MAX_NAME_LENGTH else text[:_MAX_NAME_LENGTH] + "…"


def name_some(names: list[str], count: int | None = None) -> str:
    """List the first few names and count the others.

    Parameters
    ----------
    names
        At least the first few names.
    count
        How many there are in all; by default the length of ``names``.
    """
    total = len(names) if count is None else count
    shown = ", ".join(shorten(name) for name in names[:_MAX_NAMED])
    rest = total - min(len(names), _MAX_NAMED)
    return f"{shown} and {rest} more" if rest else shown


class NoticeBook:
    """Collects observations by kind."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._counts: dict[str, int] = {}

    def add(self, kind: str, name: str) -> None:
        """Note that ``kind`` (a phrase such as ``"links kept although dangling"``) holds for ``name``."""
        names = self._names.setdefault(kind, [])
        if len(names) < _MAX_NAMED:
            names.append(name)
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def to_tuple(self) -> tuple[str, ...]:
        """Give one sentence for each kind."""
        return tuple(
            f"{kind} ({self._counts[kind]}): {name_some(names, self._counts[kind])}"
            for kind, names in self._names.items()
        )
