"""The command ``stats``: what the store holds, what it takes, and why it is small.

Duty: print the totals. Not its duty: counting.
"""

from __future__ import annotations

from pathlib import Path

import typer

import tensorhub as th
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, print_table, write_json
from tensorhub.schema.sizes import format_count, format_nbytes, format_reduction, format_share

EXAMPLES = """
  tensorhub stats
  tensorhub stats --json | jq .saved
"""


def stats(
    context: typer.Context,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Show what the store holds, what it takes on disk, and through what it is small."""
    options = parse_common(context, store, is_json, is_quiet)
    with th.Store.open(options.store_path) as opened:
        totals = th.stats(opened)
    if options.is_json:
        write_json(th.to_json(totals))
    else:
        print_stats(totals, options.store_path)


def print_stats(totals: th.Stats, store_path: Path) -> None:
    """Print totals, the split of the saving, and the parts on disk."""
    print_line((str(store_path), "bold"))
    print_line(
        f"  {format_count(totals.repositories, 'repository', 'repositories')}, "
        f"{format_count(totals.revisions, 'revision')}, {format_count(totals.files, 'file')}, "
        f"{format_count(totals.tensors, 'tensor')}, {format_count(totals.blobs, 'blob')}; "
        f"mode {totals.mode}"
    )
    print_line(
        f"  {format_nbytes(totals.nbytes)} of files → ",
        (f"{format_nbytes(totals.stored_nbytes)} on disk", "bold green"),
        f"  {format_reduction(totals.nbytes, totals.stored_nbytes)}",
    )
    saved = totals.saved
    ways = (
        ("identical files", saved.identical_files),
        ("identical tensors", saved.identical_tensors),
        ("delta", saved.delta),
        ("standalone", saved.standalone),
        ("overhead", saved.overhead if saved.overhead <= 0 else -saved.overhead),
    )
    rows = [
        (f"  {name}", format_nbytes(nbytes), format_share(nbytes, totals.nbytes)) for name, nbytes in ways
    ]
    saving = totals.nbytes - totals.stored_nbytes
    rows.append(("  together", format_nbytes(saving), format_share(saving, totals.nbytes)))
    print_table(("saved through", "bytes", "of all"), rows, right=(1, 2))
    parts = (
        ("packs", totals.packs_nbytes),
        ("catalogue", totals.catalog_nbytes),
        ("refs", totals.refs_nbytes),
        ("state", totals.state_nbytes),
        ("other", totals.other_nbytes),
    )
    rows = [
        (f"  {name}", format_nbytes(nbytes), format_share(nbytes, totals.stored_nbytes))
        for name, nbytes in parts
    ]
    print_table(("on disk", "bytes", "of all"), rows, right=(1, 2))
    if totals.retained_nbytes:
        print_line(
            f"  {format_nbytes(totals.retained_nbytes)} in packs is kept for clients that may refer to it again"
        )
