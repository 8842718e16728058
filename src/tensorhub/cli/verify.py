"""The command ``verify``: decode and check everything.

Duty: run the check, name what is damaged, leave with the code of damage. Not its duty: deciding what is.
Invariants: the report is on stdout whether or not damage was found; damage ends with exit code 13.
"""

from __future__ import annotations

from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, print_notices, write_json
from tensorhub.cli.progress import Watcher
from tensorhub.errors import IntegrityError
from tensorhub.schema.sizes import format_count, format_nbytes

EXAMPLES = """
  tensorhub verify
  tensorhub verify --rebuild-catalog    make the catalogue anew first
  tensorhub verify --repair             take damaged packs out of service, so that adding a copy heals
"""
_AFFECTED_SHOWN = 20  # files named for one damaged thing; --json has all


def verify(
    context: typer.Context,
    is_rebuild: Annotated[
        bool,
        typer.Option("--rebuild-catalog", help="First make the catalogue anew from packs, refs and state."),
    ] = False,
    is_repairing: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Copy what is sound out of damaged packs and set those aside; adding a copy then heals the rest.",
        ),
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Decode every chunk and check every checksum, digest and known SHA-256.

    Names each damaged thing and each file that it affects. Undamaged files stay readable.
    """
    options = parse_common(context, store, is_json, is_quiet)
    with Watcher(options) as watcher:
        if is_rebuild:
            for unreadable in th.rebuild_catalog(options.store_path, progress=watcher):
                watcher.notice(unreadable)
        with th.Store.open(options.store_path) as opened:
            report = th.verify(opened, is_repairing=is_repairing, progress=watcher)
    if options.is_json:
        write_json({**th.to_json(report), "is_sound": report.is_sound})
    else:
        print_verified(report)
        print_notices(watcher.notices, options)
    if not report.is_sound:
        affected = {name for damage in report.damages for name in damage.affected}
        raise IntegrityError(
            f"store {options.store_path}",
            expected="no damage",
            found=f"{format_count(len(report.damages), 'damaged thing')}, "
            f"{format_count(len(affected), 'file')} affected",
            action="Add an undamaged copy of the affected files again, then run verify once more."
            if is_repairing
            else "Run `tensorhub verify --repair`, add an undamaged copy of the affected files, and verify again.",
        )


def print_verified(report: th.VerifyReport) -> None:
    """Print what was looked at, and each damage with the files it affects."""
    looked_at = (
        f"{format_count(report.packs, 'pack')}, {format_count(report.blobs, 'blob')}, "
        f"{format_count(report.chunks, 'chunk')}, {format_count(report.files, 'file')}: "
        f"{format_nbytes(report.nbytes)} decoded from {format_nbytes(report.stored_nbytes)}, "
        f"{format_count(report.sha256_checked, 'SHA-256', 'SHA-256')} checked"
    )
    if report.is_sound:
        print_line(("sound", "bold green"), f"  {looked_at}")
        return
    print_line(("damaged", "bold red"), f"  {looked_at}")
    for damage in report.damages:
        print_line("  ", (f"{damage.kind} {damage.thing}", "bold"), f": {damage.detail}")
        for name in damage.affected[:_AFFECTED_SHOWN]:
            print_line(f"    affects {name}")
        if len(damage.affected) > _AFFECTED_SHOWN:
            print_line(f"    and {format_count(len(damage.affected) - _AFFECTED_SHOWN, 'more file')}")
    for pack in report.set_aside:
        print_line(f"  pack {pack} was set aside")
