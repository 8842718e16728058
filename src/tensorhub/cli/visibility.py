"""The command ``visibility``: who may read a repository.

Duty: show it, or set it. Not its duty: members of namespaces, which ``user`` sets.
"""

from __future__ import annotations

from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.accounts import record
from tensorhub.cli.options import (
    JsonOption,
    QuietOption,
    RepositoryArgument,
    StoreOption,
    TypeOption,
    parse_common,
    read_repository,
)
from tensorhub.cli.output import print_line, write_json
from tensorhub.hub.access import Visibility
from tensorhub.hub.repositories import Repositories

EXAMPLES = """
  tensorhub visibility me/llama-chat            says what it is
  tensorhub visibility me/llama-chat public     whoever reaches the hub may read it
  tensorhub visibility datasets/me/chats private
"""
_MEANING = {
    Visibility.PUBLIC: "everybody who reaches the hub may read it; with serve --no-anonymous-read every user",
    Visibility.PRIVATE: "members of its namespace, its owner and administrators may read it",
}


def visibility(
    context: typer.Context,
    repository: RepositoryArgument,
    wanted: Annotated[
        Visibility | None,
        typer.Argument(
            metavar="VISIBILITY", help="public or private. Default: only say it.", show_default=False
        ),
    ] = None,
    repo_type: TypeOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Say who may read a repository through the hub, or set it.

    What was never set is private. The command line and Python read everything: they have the store's files.
    """
    options = parse_common(context, store, is_json, is_quiet)
    with th.Store.open(options.store_path) as opened:
        found = opened.snapshots.repository(read_repository(repository, repo_type))
        repositories = Repositories(opened.state)
        row = repositories.row(found)
        if wanted is not None:
            row = repositories.put(found, visibility=wanted)
            record(opened.state, "repository.visibility", str(found), wanted.value)
    current = row.visibility if row is not None else Visibility.PRIVATE
    if options.is_json:
        write_json({"repository": str(found), "visibility": current.value})
    else:
        print_line((str(found), "bold"), f": {current.value}; {_MEANING[current]}")
