"""The command ``namespace``: what an organisation or a user is called, and who reads what is new there.

Duty: show it, or set it. Not its duty: members, which ``user`` sets; repositories that are there (``visibility``).
"""

from __future__ import annotations

from typing import Annotated

import typer

from tensorhub.cli.accounts import open_state, record
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, write_json
from tensorhub.hub.access import Visibility
from tensorhub.hub.namespaces import Namespaces
from tensorhub.schema.names import parse_namespace

EXAMPLES = """
  tensorhub namespace team                                 says what holds
  tensorhub namespace team --full-name "The Team"          how it is shown to people
  tensorhub namespace team --new-repositories private      unless who makes one says otherwise
"""


def namespace(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAMESPACE", help="Name of a user or an organisation.")],
    full_name: Annotated[
        str | None,
        typer.Option("--full-name", help="How it is shown to people.", show_default=False),
    ] = None,
    visibility: Annotated[
        Visibility | None,
        typer.Option(
            "--new-repositories",
            help="public or private, where who makes one does not say.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Say what holds for a namespace, or set it."""
    options = parse_common(context, store, is_json, is_quiet)
    parse_namespace(name)
    with open_state(options.store_path) as state:
        namespaces = Namespaces(state)
        if full_name is None and visibility is None:
            found = namespaces.info(name)
        else:
            found = namespaces.put(name, full_name=full_name, visibility=visibility)
            record(
                state, "namespace.set", found.name, f"{found.full_name}, new ones {found.visibility.value}"
            )
    if options.is_json:
        write_json(
            {"namespace": found.name, "full_name": found.full_name, "visibility": found.visibility.value}
        )
    else:
        print_line(
            (found.name, "bold"), f" ({found.full_name}): new repositories are {found.visibility.value}"
        )
