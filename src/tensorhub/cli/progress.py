"""A progress bar with throughput, when a person is watching.

Duty: draw on stderr what the store tells through :class:`tensorhub.store.progress.Progress`, and keep its
notices. Not its duty: measuring.
Invariants: draws nothing unless stderr is a terminal and neither ``--json`` nor ``--quiet`` was given;
notices are kept in either case.
"""

from __future__ import annotations

import sys
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from tensorhub.cli.options import CommonOptions
from tensorhub.cli.output import make_printable, open_console


class Watcher:
    """A listener to the store's progress; use it as a context manager.

    Parameters
    ----------
    options
        Decide whether anything is drawn.

    Attributes
    ----------
    notices
        What the store told a person so far.
    """

    def __init__(self, options: CommonOptions) -> None:
        self.notices: list[str] = []
        self._task: TaskID | None = None
        self._bar: Progress | None = None
        if sys.stderr.isatty() and not options.is_json and not options.is_quiet:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=32),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(compact=True),
                console=open_console(sys.stderr),
                transient=True,
            )

    def __enter__(self) -> Watcher:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, label: str, total_nbytes: int | None) -> None:
        """Show a new piece of work in place of the one before."""
        if self._bar is not None:
            self._clear()
            self._task = self._bar.add_task(make_printable(label), total=total_nbytes)

    def advance(self, nbytes: int) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, nbytes)

    def notice(self, text: str) -> None:
        """Keep it for after the work."""
        self.notices.append(text)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._clear()

    def _clear(self) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
        self._task = None
