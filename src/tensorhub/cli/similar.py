"""The command ``similar``: the nearest tensors to one, by its sketch.

Duty: print the list. Not its duty: the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

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
from tensorhub.schema.sizes import format_shape

EXAMPLES = """
  tensorhub similar me/llama-chat model.embed_tokens.weight
  tensorhub similar me/llama-chat lm_head.weight --limit 3 --json
"""


def similar(
    context: typer.Context,
    repository: RepositoryArgument,
    tensor: Annotated[
        str, typer.Argument(metavar="TENSOR", help="Name of a tensor in the repository.", show_default=False)
    ],
    revision: RevisionOption = None,
    repo_type: TypeOption = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", metavar="PATH", help="File that holds it, where several do.", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="COUNT", help="How many to list.")] = 10,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """List the tensors nearest to one, with bit distance and predicted ratio."""
    options = parse_common(context, store, is_json, is_quiet)
    with th.Store.open(options.store_path) as opened:
        found = th.similar(
            opened, read_repository(repository, repo_type), tensor, revision=revision, path=file, limit=limit
        )
    if options.is_json:
        write_json(th.to_json(found))
    else:
        print_similar(found)


def print_similar(found: Sequence[th.SimilarTensor]) -> None:
    """Print one line for each tensor, best first."""
    if not found:
        print_line("The store has no tensor that resembles it.")
        return
    rows = [
        (
            f"{item.bit_distance:.2f}",
            f"{item.predicted_ratio:.2f}×",
            "yes" if item.is_base else "no",
            item.dtype,
            format_shape(item.shape),
            item.repository,
            item.name,
        )
        for item in found
    ]
    headers = ("bits apart", "ratio", "base", "dtype", "shape", "repository", "tensor")
    print_table(headers, rows, right=(0, 1))
