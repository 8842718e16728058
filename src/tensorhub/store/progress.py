"""Progress of long work, told to whoever listens.

Duty: the small interface between the store and a progress bar. Not its duty: drawing.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told what goes on. Called from one thread at a time; must return quickly and not raise."""

    def begin(self, label: str, total_nbytes: int | None) -> None:
        """Start a piece of work; a further ``begin`` starts the next one."""

    def advance(self, nbytes: int) -> None:
        """Add to the bytes done."""

    def notice(self, text: str) -> None:
        """Tell a person something, one sentence."""

    def end(self) -> None:
        """End the work."""


class Quiet:
    """A listener that ignores everything."""

    def begin(self, label: str, total_nbytes: int | None) -> None:
        """Ignore."""

    def advance(self, nbytes: int) -> None:
        """Ignore."""

    def notice(self, text: str) -> None:
        """Ignore."""

    def end(self) -> None:
        """Ignore."""
