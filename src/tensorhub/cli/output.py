"""The only door to stdout and stderr.

Duty: print results (text or JSON) on stdout; notices, questions and errors on stderr.
Not its duty: what the text says.
Invariants: names from outside never reach a terminal with control characters in them; JSON is UTF-8
whatever the locale; a reader that goes away ends the command quietly with the code of SIGPIPE.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import IO, Any, NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tensorhub.cli.options import CommonOptions
from tensorhub.errors import InvariantError, TensorHubError
from tensorhub.schema.sizes import format_count

EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, what a shell reports for a tool that the signal ended
_PIPE_WIDTH = 4096  # columns when nobody watches: nothing is wrapped or cut
_NOTICES_SHOWN = 20  # more would push the result off the screen; --json has all


class _PipeConsole(Console):
    def on_broken_pipe(self) -> NoReturn:
        _leave_quietly()


def _leave_quietly() -> NoReturn:
    """Give up on stdout for good, so that the interpreter does not complain at its end either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(EXIT_BROKEN_PIPE)


def open_console(stream: IO[str]) -> Console:
    """Make a console for a stream; plain and unwrapped where no terminal is behind it."""
    is_terminal = stream.isatty()
    if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
        stream.reconfigure(errors="backslashreplace")  # a sign that the locale lacks must not end the command
    return _PipeConsole(
        file=stream, highlight=False, markup=False, emoji=False, width=None if is_terminal else _PIPE_WIDTH
    )


def make_printable(text: str) -> str:
    """Write control characters and lone surrogates as escapes; leave everything else as it is."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def print_line(*parts: str | tuple[str, str]) -> None:
    """Print one line on stdout; each part is text, or text with a style."""
    clean = [
        make_printable(part) if isinstance(part, str) else (make_printable(part[0]), part[1])
        for part in parts
    ]
    open_console(sys.stdout).print(Text.assemble(*clean), soft_wrap=True)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a plain table on stdout.

    Parameters
    ----------
    headers
        One for each column.
    rows
        Cells as text.
    right
        Numbers of the columns that are aligned to the right.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for index, header in enumerate(headers):
        is_right = index in right
        table.add_column(header, justify="right" if is_right else "left", no_wrap=is_right, overflow="fold")
    for row in rows:
        table.add_row(*(Text(make_printable(cell)) for cell in row))
    open_console(sys.stdout).print(table)


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Print one JSON document on stdout; without ``indent`` on one line."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    write_bytes(text.encode("utf-8", "backslashreplace") + b"\n")


def write_bytes(data: bytes) -> None:
    """Write raw bytes to stdout."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _leave_quietly()


def print_notices(notices: Iterable[str], options: CommonOptions) -> None:
    """Tell a person what to know, on stderr, each once; nothing with ``--json`` or ``--quiet``."""
    if options.is_json or options.is_quiet:
        return
    console = open_console(sys.stderr)
    distinct = list(dict.fromkeys(notices))
    for notice in distinct[:_NOTICES_SHOWN]:
        console.print(Text.assemble(("note: ", "yellow"), make_printable(notice)), soft_wrap=True)
    if len(distinct) > _NOTICES_SHOWN:
        rest = format_count(len(distinct) - _NOTICES_SHOWN, "more notice")
        console.print(Text.assemble(("note: ", "yellow"), f"and {rest}; --json lists all"), soft_wrap=True)


def confirm(question: str) -> bool:
    """Ask on stderr; only ``y`` or ``yes`` means yes."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question is not a result
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def is_person_there() -> bool:
    """Say whether a person can be asked: both ends are terminals."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def print_error(error: TensorHubError) -> None:
    """Lay out the four parts of an error on stderr."""
    console = open_console(sys.stderr)
    console.print(
        Text.assemble(("error: ", "bold red"), (make_printable(error.thing), "bold")), soft_wrap=True
    )
    path = None if error.path is None or error.path in error.thing else error.path
    for label, text in (
        ("expected", error.expected),
        ("found", error.found),
        ("path", path),
        ("do", error.action),
    ):
        if text is not None:
            console.print(Text.assemble((f"{label:>10}  ", "dim"), make_printable(text)), soft_wrap=True)
    for note in getattr(error, "__notes__", ()):
        console.print(Text(make_printable(note)), soft_wrap=True)
    if isinstance(error, InvariantError):
        traceback.print_exc()


def print_interrupted() -> None:
    """Say on stderr that a person stopped the work."""
    open_console(sys.stderr).print(
        "interrupted: nothing half done is visible; the same command goes on from here"
    )


def write_error_json(fields: dict[str, Any]) -> None:
    """Print an error as one JSON document on stderr."""
    sys.stderr.write(json.dumps({"error": fields}, indent=2, ensure_ascii=True) + "\n")
    sys.stderr.flush()
