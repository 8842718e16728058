"""The command ``gc``: give back what nothing live reaches.

Duty: run it and tell what it freed. Not its duty: deciding what is live.
"""

from __future__ import annotations

from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, print_notices, write_json
from tensorhub.cli.progress import Watcher
from tensorhub.schema.sizes import format_count, format_nbytes

EXAMPLES = """
  tensorhub gc --dry-run    says what would be freed
  tensorhub gc
  tensorhub gc --grace 0    also what became unreachable just now
"""
_GRACE_HOURS = 24.0  # the design's day in which an interrupted add can be done again fast
_SECONDS_PER_HOUR = 3600


def gc(
    context: typer.Context,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be freed; change nothing.")
    ] = False,
    grace: Annotated[
        float,
        typer.Option("--grace", min=0, metavar="HOURS", help="Keep what became unreachable more recently."),
    ] = _GRACE_HOURS,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Free what no ref reaches any more, never what something live leans on."""
    options = parse_common(context, store, is_json, is_quiet)
    with th.Store.open(options.store_path) as opened, Watcher(options) as watcher:
        report = th.collect_garbage(
            opened, grace_s=round(grace * _SECONDS_PER_HOUR), is_dry_run=is_dry_run, progress=watcher
        )
    if options.is_json:
        write_json(th.to_json(report))
    else:
        print_collected(report)
        print_notices(watcher.notices, options)


def print_collected(report: th.GcReport) -> None:
    """Tell what was, or would be, freed."""
    will = "would be " if report.is_dry_run else ""
    print_line(
        (f"{format_nbytes(report.freed_nbytes)} {will}freed", "bold"),
        f": {format_count(report.blobs_removed, 'blob')} {will}removed; "
        f"of {format_count(report.packs_before, 'pack')}, "
        f"{report.packs_removed:,} {will}removed and {report.packs_rewritten:,} {will}rewritten; "
        f"{format_count(report.temporary_files_removed, 'temporary file')} {will}removed",
    )
    if report.kept_recent_nbytes:
        print_line(f"  {format_nbytes(report.kept_recent_nbytes)} kept for now: younger than the grace")
