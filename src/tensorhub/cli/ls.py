"""The command ``ls``: list repositories, or the files or tensors of one.

Duty: three listings. Not its duty: a repository's history, which ``show`` has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import (
    JsonOption,
    QuietOption,
    RevisionOption,
    StoreOption,
    TypeOption,
    parse_common,
    read_repository,
)
from tensorhub.cli.output import print_line, print_table, write_json
from tensorhub.errors import UsageError
from tensorhub.schema.names import parse_repository
from tensorhub.schema.sizes import NOTHING, format_date, format_nbytes, format_ratio, format_shape

EXAMPLES = """
  tensorhub ls                          repositories
  tensorhub ls --type dataset           only datasets
  tensorhub ls me/llama-chat            its files
  tensorhub ls me/llama-chat --tensors  its tensors, and what each takes
  tensorhub ls me/llama-chat --revision v1 --json
"""


def ls(
    context: typer.Context,
    repository: Annotated[
        str | None,
        typer.Argument(
            metavar="REPO", help="Repository to look into; default: list all.", show_default=False
        ),
    ] = None,
    revision: RevisionOption = None,
    repo_type: TypeOption = None,
    is_tensors: Annotated[bool, typer.Option("--tensors", help="List tensors in place of files.")] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """List repositories, or the files or tensors of one."""
    options = parse_common(context, store, is_json, is_quiet)
    if repository is None and (revision is not None or is_tensors):
        raise UsageError(
            "ls", expected="REPO with --revision or --tensors", found="no REPO", action="Name the repository."
        )
    listing: Sequence[th.RepositoryInfo] | Sequence[th.FileInfo] | Sequence[th.TensorInfo]
    with th.Store.open(options.store_path) as opened:
        if repository is None:
            repositories = listing = opened.repositories(repo_type.value if repo_type else None)
        elif is_tensors:
            tensors = listing = opened.tensors(read_repository(repository, repo_type), revision)
        else:
            files = listing = opened.files(read_repository(repository, repo_type), revision)
    if options.is_json:
        write_json(th.to_json(listing))
    elif repository is None:
        print_repositories(repositories)
    elif is_tensors:
        print_tensors(tensors)
    else:
        print_files(files)


def print_repositories(repositories: Sequence[th.RepositoryInfo]) -> None:
    """Print one line for each repository."""
    if not repositories:
        print_line("The store is empty. Add a model folder: tensorhub add PATH")
        return
    rows = []
    for item in repositories:
        name = str(parse_repository(item.repo_id, item.repo_type))
        refs = ", ".join(ref.name.removeprefix("refs/heads/") for ref in item.refs) or NOTHING
        if item.damage is not None:
            refs = "damaged; see tensorhub verify"
        rows.append((format_nbytes(item.nbytes), f"{item.files:,}", format_date(item.date_ms), name, refs))
    print_table(("size", "files", "date", "repository", "refs"), rows, right=(0, 1))


def print_files(files: Sequence[th.FileInfo]) -> None:
    """Print one line for each file."""
    rows = [
        (
            format_nbytes(item.nbytes),
            f"{item.tensors:,}" if item.tensors else NOTHING,
            item.format_name,
            item.mode,
            item.path,
        )
        for item in files
    ]
    print_table(("size", "tensors", "format", "mode", "path"), rows, right=(0, 1))


def print_tensors(tensors: Sequence[th.TensorInfo]) -> None:
    """Print one line for each tensor."""
    rows = [
        (
            item.dtype,
            format_shape(item.shape),
            format_nbytes(item.nbytes),
            format_nbytes(item.stored_nbytes),
            format_ratio(item.nbytes, item.stored_nbytes),
            item.coding,
            item.name,
        )
        for item in tensors
    ]
    print_table(("dtype", "shape", "size", "stored", "ratio", "coding", "name"), rows, right=(2, 3, 4))
