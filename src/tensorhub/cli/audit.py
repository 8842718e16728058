"""The command ``audit``: who did or tried what.

Duty: print the newest records. Not its duty: making any.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.accounts import open_state
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, print_table, write_json
from tensorhub.hub.audit import AuditLog
from tensorhub.hub.values import AuditEntry
from tensorhub.schema.sizes import NOTHING

EXAMPLES = """
  tensorhub audit                  the newest 50
  tensorhub audit --user ada --limit 1000 --json
"""
_LIMIT = 50  # about a screen


def audit(
    context: typer.Context,
    limit: Annotated[
        int, typer.Option("--limit", min=1, metavar="COUNT", help="How many records at most.")
    ] = _LIMIT,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="NAME", help="Only what this user did.", show_default=False),
    ] = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Show who did or tried what, newest first.

    Records are kept for a year.
    """
    options = parse_common(context, store, is_json, is_quiet)
    with open_state(options.store_path) as state:
        entries = AuditLog(state).entries(limit, user=user)
    if options.is_json:
        write_json(th.to_json(entries))
    else:
        print_entries(entries)


def print_entries(entries: Sequence[AuditEntry]) -> None:
    """Print one line for each record."""
    if not entries:
        print_line("Nothing is recorded.")
        return
    rows = [
        (
            datetime.fromtimestamp(entry.at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            entry.user or NOTHING,
            entry.action,
            entry.subject,
            entry.detail,
            entry.address,
        )
        for entry in entries
    ]
    print_table(("when (UTC)", "user", "action", "subject", "detail", "from"), rows)
