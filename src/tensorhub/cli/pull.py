"""The command ``pull``: bring a revision of another hub in, by hand.

Duty: options to values, one call, the report. Not its duty: fetching (``tensorhub.hub.pulling``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tensorhub as th
from tensorhub.cli.options import (
    JsonOption,
    QuietOption,
    RepositoryArgument,
    StoreOption,
    TypeOption,
    parse_common,
    read_repository,
)
from tensorhub.cli.output import print_line, print_notices, write_json
from tensorhub.cli.progress import Watcher
from tensorhub.errors import MissingExtraError, UsageError, from_os_error
from tensorhub.schema.sizes import format_commit_id, format_count, format_nbytes

if TYPE_CHECKING:
    from tensorhub.hub.values import PullResult

EXAMPLES = """
  tensorhub pull org/model --from https://huggingface.co
  tensorhub pull datasets/org/data --from https://hub.example --revision v1.0 --token-env HUB_TOKEN
  tensorhub pull org/model --from https://hub.example --include "*.json" --exclude "old/"
"""
_MAX_TOKEN_NBYTES = 10_000


FromOption = Annotated[
    str, typer.Option("--from", metavar="URL", help="Address of the other hub.", show_default=False)
]
ThereOption = Annotated[
    str, typer.Option("--revision", metavar="REF", help="Branch, tag, refs/… or commit id there.")
]
IncludeOption = Annotated[
    list[str] | None,
    typer.Option("--include", metavar="GLOB", help="Only paths that fit; may be repeated."),
]
ExcludeOption = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="GLOB", help="No paths that fit; may be repeated.")
]
TokenEnvOption = Annotated[
    str,
    typer.Option(
        "--token-env",
        metavar="NAME",
        help="Environment variable that holds the access token for the other hub.",
        show_default=False,
    ),
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="PATH",
        help="File that holds the access token for the other hub.",
        show_default=False,
    ),
]


def pull(
    context: typer.Context,
    repository: RepositoryArgument,
    url: FromOption,
    revision: ThereOption = "main",
    repo_type: TypeOption = None,
    include: IncludeOption = None,
    exclude: ExcludeOption = None,
    token_env: TokenEnvOption = "",
    token_file: TokenFileOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Bring a revision of another hub into the store, under its own commit id.

    What the store has already is not fetched. Interrupted, the same command goes on from where it was.
    """
    options = parse_common(context, store, is_json, is_quiet)
    wanted = read_repository(repository, repo_type)
    token = read_token(token_env, token_file)
    try:
        from tensorhub.hub.pulling import pull_revision
        from tensorhub.hub.upstream import Upstream
        from tensorhub.hub.upstream_http import UpstreamHttp
    except ImportError as error:
        raise MissingExtraError(
            "command pull",
            expected="the packages of the extra hub",
            found=str(error),
            action="Run `pip install 'tensorhub[hub]'`.",
        ) from error
    upstream = Upstream(UpstreamHttp(url, token))
    try:
        with th.Store.open(options.store_path, create=True) as opened, Watcher(options) as watcher:
            result = pull_revision(
                opened,
                upstream,
                wanted,
                revision,
                include=include or (),
                exclude=exclude or (),
                progress=watcher,
            )
    finally:
        upstream.close()
    if options.is_json:
        write_json(th.to_json(result))
    else:
        print_pulled(result)
        print_notices(watcher.notices, options)


def read_token(name: str, path: Path | None) -> str:
    """Read the access token from where it was said to be; empty where nothing was said.

    Raises
    ------
    UsageError
        Both were said, or there is no token there.
    """
    if name and path is not None:
        raise UsageError(
            "access token", expected="--token-env or --token-file", found="both", action="Give one of them."
        )
    if name:
        token, place = os.environ.get(name, "").strip(), f"environment variable {name}"
    elif path is not None:
        try:
            with path.expanduser().open(encoding="utf-8", errors="replace") as file:
                token, place = file.read(_MAX_TOKEN_NBYTES).strip(), f"file {path}"
        except OSError as error:
            raise from_os_error(error, f"reading the access token from {path}") from error
    else:
        return ""
    if not token or not token.isascii() or len(token.split()) != 1:
        raise UsageError(
            place,
            expected="an access token",
            found="nothing" if not token else "something else",
            action="Check it.",
        )
    return token


def print_pulled(result: PullResult) -> None:
    """Tell what came."""
    print_line(
        (result.repository, "bold"),
        " @ ",
        (format_commit_id(result.commit_id), "dim"),
        f"  ({result.revision})",
    )
    print_line(
        f"  {format_nbytes(result.nbytes)} in {format_count(result.files, 'file')}; "
        f"{format_nbytes(result.fetched_nbytes)} in {format_count(result.fetched_files, 'file')} fetched, "
        "every byte compared with its digest"
    )
    if result.is_partial:
        print_line("  partial: some of its files were not asked for")
