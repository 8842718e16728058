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
from tensorhub.errors import UsageError
from tensorhub.schema.sizes import format_count, format_nbytes

EXAMPLES = """
  tensorhub gc --dry-run    says what would be freed
  tensorhub gc
  tensorhub gc --grace 0    also what became unreachable just now
  tensorhub gc --now        and what is kept only for clients that may refer to it again
"""
_GRACE_HOURS = 24.0  # the design's day in which an interrupted add can be done again fast
_SECONDS_PER_HOUR = 3600


def gc(
    context: typer.Context,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be freed; change nothing.")
    ] = False,
    grace: Annotated[
        float | None,
        typer.Option(
            "--grace",
            min=0,
            metavar="HOURS",
            help=f"Keep what became unreachable more recently ({_GRACE_HOURS}).",
        ),
    ] = None,
    is_now: Annotated[
        bool,
        typer.Option("--now", help="Without grace; keep nothing for clients of the hub, who are told so."),
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Free what no ref reaches any more, never what something live leans on."""
    options = parse_common(context, store, is_json, is_quiet)
    if is_now and grace:
        raise UsageError(
            "gc",
            expected="--now or --grace",
            found=f"both, with {grace:g} hours",
            action="Leave one of them out; --now means a grace of 0.",
        )
    hours = _GRACE_HOURS if grace is None and not is_now else grace or 0
    with th.Store.open(options.store_path) as opened, Watcher(options) as watcher:
        report = th.collect_garbage(
            opened,
            grace_s=round(hours * _SECONDS_PER_HOUR),
            drops_retained=is_now,
            is_dry_run=is_dry_run,
            progress=watcher,
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
    if report.retained_files:
        print_line(
            f"  {format_nbytes(report.retained_nbytes)} kept for a while: "
            f"{format_count(report.retained_files, 'file')} that clients may refer to again"
        )
