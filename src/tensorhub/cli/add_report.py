"""How ``add`` tells what it did.

Duty: text for results and predictions of adding. Not its duty: adding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorhub as th
from tensorhub.cli.output import print_line
from tensorhub.schema.sizes import format_commit_id, format_count, format_nbytes, format_reduction

_BASES_SHOWN = 3  # the repositories leaned on most; `lineage` lists all


def print_added(result: th.AddResult) -> None:
    """Tell what adding did to one repository."""
    print_line(
        (result.repository, "bold"), " @ ", result.revision, "  ", (format_commit_id(result.commit_id), "dim")
    )
    if not result.is_new_commit:
        print_line(
            f"  unchanged: {_describe_content(result.files, result.tensors, result.nbytes)}, all there"
        )
        return
    print_line(
        f"  {_describe_content(result.files, result.tensors, result.added_nbytes)} → ",
        (f"{format_nbytes(result.stored_nbytes)} stored", "bold green"),
        f"  {format_reduction(result.added_nbytes, result.stored_nbytes)}",
    )
    _print_ways(
        identical=result.added_nbytes - result.new_nbytes,
        delta=result.delta_nbytes,
        standalone=result.new_nbytes - result.delta_nbytes,
        bases=result.bases,
    )


def print_predicted(prediction: th.Prediction) -> None:
    """Tell what adding would do to one repository."""
    print_line((str(prediction.repository), "bold"), "  ", ("predicted, nothing stored", "dim"))
    print_line(
        f"  {_describe_content(prediction.files, prediction.tensors, prediction.nbytes)} → ",
        (f"about {format_nbytes(prediction.predicted_stored_nbytes)} stored", "bold green"),
        f"  {format_reduction(prediction.nbytes, prediction.predicted_stored_nbytes)}",
    )
    _print_ways(
        identical=prediction.identical_nbytes,
        delta=prediction.delta_nbytes,
        standalone=prediction.nbytes - prediction.identical_nbytes - prediction.delta_nbytes,
        bases=prediction.bases,
    )


def print_total(results: Sequence[th.AddResult]) -> None:
    """Sum up several repositories."""
    added = sum(result.added_nbytes for result in results)
    stored = sum(result.stored_nbytes for result in results)
    repositories = len({result.repository for result in results})
    print_line(
        (format_count(repositories, "repository", "repositories"), "bold"),
        f": {format_nbytes(added)} → ",
        (f"{format_nbytes(stored)} stored", "bold green"),
        f"  {format_reduction(added, stored)}",
    )


def _describe_content(files: int, tensors: int, nbytes: int) -> str:
    held = f" with {format_count(tensors, 'tensor')}" if tensors else ""
    return f"{format_nbytes(nbytes)} in {format_count(files, 'file')}{held}"


def _print_ways(*, identical: int, delta: int, standalone: int, bases: Mapping[str, int]) -> None:
    ways = []
    if identical:
        ways.append(f"{format_nbytes(identical)} identical to what was there")
    if delta:
        ways.append(f"{format_nbytes(delta)} as delta{_describe_bases(bases)}")
    if standalone:
        ways.append(f"{format_nbytes(standalone)} standalone")
    if ways:
        print_line("  through ", "; ".join(ways))


def _describe_bases(bases: Mapping[str, int]) -> str:
    if not bases:
        return ""
    ranked = sorted(bases.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{name} ({format_count(count, 'tensor')})" for name, count in ranked[:_BASES_SHOWN])
    rest = len(ranked) - _BASES_SHOWN
    return f" against {shown}" + (f" and {format_count(rest, 'more', 'more')}" if rest > 0 else "")
