"""The command ``lineage``: which repositories a repository leans on, and what it would cost without them.

Duty: print the report. Not its duty: finding bases.
"""

from __future__ import annotations

from collections.abc import Sequence

import typer

import tensorhub as th
from tensorhub.cli.options import (
    JsonOption,
    QuietOption,
    RepositoryArgument,
    RevisionOption,
    StoreOption,
    TypeOption,
    parse_common,
    read_repository,
)
from tensorhub.cli.output import print_line, print_table, write_json
from tensorhub.schema.sizes import format_commit_id, format_count, format_nbytes, format_ratio

EXAMPLES = """
  tensorhub lineage me/llama-chat
  tensorhub lineage me/llama-chat --json | jq '.edges[].repository'
"""


def lineage(
    context: typer.Context,
    repository: RepositoryArgument,
    revision: RevisionOption = None,
    repo_type: TypeOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Show which repositories a repository's tensors lean on, and what it would cost without them."""
    options = parse_common(context, store, is_json, is_quiet)
    with th.Store.open(options.store_path) as opened:
        report = th.trace_lineage(opened, read_repository(repository, repo_type), revision)
    if options.is_json:
        write_json(th.to_json(report))
    else:
        print_report(report)


def print_report(report: th.LineageReport) -> None:
    """Print what a repository leans on and what leans on it."""
    print_line((report.repository, "bold"), " @ ", (format_commit_id(report.commit_id), "dim"))
    print_line(
        f"  {format_count(report.tensors, 'tensor')}: {format_nbytes(report.nbytes)} → "
        f"{format_nbytes(report.stored_nbytes)} coded, {format_ratio(report.nbytes, report.stored_nbytes)}"
    )
    if report.edges:
        _print_edges("leans on", report.edges)
    else:
        print_line("  leans on no other repository")
    if report.dependents:
        _print_edges("leaned on by", report.dependents)


def _print_edges(title: str, edges: Sequence[th.LineageEdge]) -> None:
    rows = [
        (
            edge.repository,
            f"{edge.identical_tensors:,}",
            format_nbytes(edge.identical_nbytes),
            f"{edge.delta_tensors:,}",
            format_nbytes(edge.delta_nbytes),
            format_nbytes(edge.delta_stored_nbytes),
            format_nbytes(edge.standalone_nbytes),
        )
        for edge in edges
    ]
    headers = (title, "identical", "size", "delta", "size", "stored", "without it")
    print_table(headers, rows, right=(1, 2, 3, 4, 5, 6))
