"""The command ``get``: give files back, byte for byte.

Duty: restore a revision, or some of its files, into a folder. Not its duty: one file to stdout (``cat``).
"""

from __future__ import annotations

from pathlib import Path
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
from tensorhub.cli.output import print_line, print_notices, write_json
from tensorhub.cli.progress import Watcher
from tensorhub.schema.sizes import format_commit_id, format_count, format_nbytes

EXAMPLES = """
  tensorhub get me/llama-chat                         into ./llama-chat
  tensorhub get me/llama-chat /models/llama-chat --revision v1
  tensorhub get me/llama-chat --file config.json --file tokenizer.json
"""


def get(
    context: typer.Context,
    repository: RepositoryArgument,
    destination: Annotated[
        Path | None,
        typer.Argument(metavar="DEST", help="Folder to write to. Default: ./NAME.", show_default=False),
    ] = None,
    revision: RevisionOption = None,
    repo_type: TypeOption = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="PATH", help="Only this path of the repository; may be repeated."),
    ] = None,
    is_overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there and differ.")
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Write a repository's files to a folder, byte for byte as they were added.

    Every byte is proven against its digest before a file appears under its name.
    """
    options = parse_common(context, store, is_json, is_quiet)
    wanted = read_repository(repository, repo_type)
    target = destination if destination is not None else Path(wanted.repo_id.rpartition("/")[2])
    with th.Store.open(options.store_path) as opened, Watcher(options) as watcher:
        result = th.restore(
            opened,
            wanted,
            target,
            revision=revision,
            paths=files or None,
            overwrite=is_overwrite,
            progress=watcher,
        )
    if options.is_json:
        write_json(th.to_json(result))
    else:
        print_restored(result)
        print_notices(watcher.notices, options)


def print_restored(result: th.RestoreResult) -> None:
    """Tell what was written where."""
    print_line(
        (result.repository, "bold"),
        " @ ",
        (format_commit_id(result.commit_id), "dim"),
        f" → {result.destination}",
    )
    print_line(
        f"  {format_nbytes(result.nbytes)} in {format_count(result.files, 'file')}, every byte verified"
    )
    if result.is_partial:
        print_line("  partial: the store was never given some of this revision's files")
