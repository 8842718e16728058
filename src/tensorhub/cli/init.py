"""The command ``init``: make a new store.

Duty: create it and say where. Not its duty: adding to it; ``add`` creates a store by itself where none is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, write_json
from tensorhub.errors import UsageError

EXAMPLES = """
  tensorhub init                       in the default place
  tensorhub init /data/hub             somewhere else
  tensorhub init /data/hub --mode max  as small as it can be, slower to add
"""


def init(
    context: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="Where to make it; the same as --store.", show_default=False),
    ] = None,
    mode: Annotated[
        th.Mode,
        typer.Option(
            "--mode",
            help="How hard adding tries where it is not told: fast to read, or small.",
            show_default="balanced",
        ),
    ] = th.Mode.BALANCED,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Make a new, empty store."""
    if path is not None and store is not None:
        raise UsageError(
            "init", expected="one place for the store", found="two", action="Give PATH or --store, not both."
        )
    options = parse_common(context, path or store, is_json, is_quiet)
    with th.Store.create(options.store_path, mode=mode) as made:
        place, store_id = made.path, made.store_id
    if options.is_json:
        write_json({"store": str(place), "store_id": store_id, "mode": mode.value})
    else:
        print_line("New store at ", (str(place), "bold"))
