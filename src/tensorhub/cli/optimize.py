"""The command ``optimize``: code what is stored anew, where that makes it smaller.

Duty: run it, tell what it saved, leave with the code of damage where there was some.
Not its duty: giving the space back, which ``gc`` does.
"""

from __future__ import annotations

from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import (
    JsonOption,
    ModeOption,
    QuietOption,
    StoreOption,
    TypeOption,
    parse_common,
    read_repository,
)
from tensorhub.cli.output import print_line, print_notices, write_json
from tensorhub.cli.progress import Watcher
from tensorhub.errors import IntegrityError
from tensorhub.schema.sizes import format_count, format_nbytes, format_reduction

EXAMPLES = """
  tensorhub optimize --mode max             the whole store, as small as it can be
  tensorhub optimize me/llama --mode max    one repository, and the bases that it leans on
  tensorhub optimize --mode max --dry-run   says what that would save
  tensorhub optimize --mode fast --force    fast to read, even where it gets larger
"""


def optimize(
    context: typer.Context,
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REPO",
            help="Only these repositories, and the bases that they lean on. Default: everything live.",
            show_default=False,
        ),
    ] = None,
    repo_type: TypeOption = None,
    mode: ModeOption = None,
    is_forced: Annotated[
        bool,
        typer.Option("--force", help="Take the mode's coding wherever it differs, even where it is larger."),
    ] = False,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do all of the work and write nothing.")
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Code what is stored anew, and keep whichever coding is smaller.

    Nothing changes but the size: commits, files and names stay. The space is given back by `tensorhub gc`. Stopped
    half-way, the same command goes on from there.
    """
    options = parse_common(context, store, is_json, is_quiet)
    wanted = [read_repository(name, repo_type) for name in repositories or []]
    with th.Store.open(options.store_path) as opened, Watcher(options) as watcher:
        report = th.optimize(
            opened, wanted, mode=mode, is_forced=is_forced, is_dry_run=is_dry_run, progress=watcher
        )
    if options.is_json:
        write_json(th.to_json(report))
    else:
        print_optimized(report, is_forced=is_forced)
        print_notices(watcher.notices, options)
    if report.damaged:
        raise IntegrityError(
            f"store {options.store_path}",
            expected="blobs that can be read",
            found=f"{format_count(len(report.damaged), 'damaged blob')}, left as before",
            action="Run `tensorhub verify` to see which files are affected; the rest was done.",
        )


def print_optimized(report: th.OptimizeReport, *, is_forced: bool) -> None:
    """Tell what got, or would get, smaller, and what was left."""
    will = "would be " if report.is_dry_run else ""
    before, after = report.stored_nbytes_before, report.stored_nbytes_after
    print_line(
        f"mode {report.mode}: {format_nbytes(before)} → ",
        (format_nbytes(after), "bold green"),
        f"  {format_reduction(before, after)}" if after < before else "",
    )
    print_line(
        f"  of {format_count(report.blobs, 'blob')}, {report.blobs_rewritten:,} {will}coded anew, "
        f"{report.blobs_settled:,} settled before"
    )
    if report.blobs_kept and not is_forced:
        print_line(
            f"  {format_count(report.blobs_kept, 'blob')} would not get smaller and "
            f"{'stay' if report.is_dry_run else 'stayed'} as before; --force codes them anew, too"
        )
    if report.blobs_rewritten and not report.is_dry_run:
        print_line("  tensorhub gc gives the old bytes back")
