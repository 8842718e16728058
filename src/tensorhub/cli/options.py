"""Options that every command shares, and how they become values.

Duty: ``--store``, ``--json``, ``--quiet``, repository names and revisions, parsed once at the border.
Not its duty: what a command does with them.
Invariants: an option given after the command wins over the same one before it; the store's place is
``--store``, else ``TENSORHUB_STORE``, else the data folder of the platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.errors import UsageError
from tensorhub.schema.names import RepositoryId, RepoType, parse_repository

_COMMON = "Common options"

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="Where the store lies. Default: TENSORHUB_STORE, else the data folder of the platform.",
        rich_help_panel=_COMMON,
        show_default=False,
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON document.", rich_help_panel=_COMMON),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress and no notices.", rich_help_panel=_COMMON),
]
RepositoryArgument = Annotated[
    str,
    typer.Argument(
        metavar="REPO",
        help="Repository, as `tensorhub ls` shows it: owner/name, datasets/owner/name, spaces/owner/name.",
        show_default=False,
    ),
]
TypeOption = Annotated[
    RepoType | None,
    typer.Option(
        "--type", help="Type of the repository, where its name does not say it.", show_default="model"
    ),
]
ModeOption = Annotated[
    th.Mode | None,
    typer.Option(
        "--mode",
        help="How hard to try: fast to read, or small. Default: the store's mode.",
        show_default=False,
    ),
]
RevisionOption = Annotated[
    str | None,
    typer.Option(
        "--revision",
        metavar="REF",
        help="Branch, tag, refs/…, commit id or its beginning. Default: main, else the only ref.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """What every command needs to know besides its own arguments.

    Attributes
    ----------
    store_path
        Where the store lies, whether or not it exists.
    is_json
        Print one JSON document instead of text.
    is_quiet
        Show no progress and no notices.
    """

    store_path: Path
    is_json: bool
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The shared options as given before the command."""

    store: Path | None = None
    is_json: bool = False
    is_quiet: bool = False


def parse_common(context: typer.Context, store: Path | None, is_json: bool, is_quiet: bool) -> CommonOptions:
    """Join the shared options given before and after the command."""
    before = context.obj if isinstance(context.obj, GlobalOptions) else GlobalOptions()
    return CommonOptions(
        store_path=locate_store(store or before.store),
        is_json=is_json or before.is_json,
        is_quiet=is_quiet or before.is_quiet,
    )


def locate_store(given: Path | None) -> Path:
    """Say where the store lies: what was given, else where the library looks."""
    return given.expanduser() if given is not None else th.default_store_path()


def read_repository(text: str, repo_type: RepoType | None = None) -> RepositoryId:
    """Parse a repository as a person writes it.

    Parameters
    ----------
    text
        ``owner/name``, or with its type in front as ``ls`` shows it: ``datasets/owner/name``.
    repo_type
        What ``--type`` said, if anything.

    Returns
    -------
    RepositoryId
        Checked, whether or not it exists.

    Raises
    ------
    InvalidNameError
        The name breaks the rules.
    UsageError
        The name's prefix and ``--type`` contradict each other.
    """
    head, _, rest = text.partition("/")
    prefixed = next((kind for kind in RepoType if head == f"{kind.value}s"), None)
    if prefixed is None or not rest or (repo_type is prefixed and "/" not in rest):
        return parse_repository(text, (repo_type or RepoType.MODEL).value)
    if repo_type is not None and repo_type is not prefixed:
        raise UsageError(
            f"repository {text!r}",
            expected=f"a {repo_type.value}, as --type says",
            found=f"a {prefixed.value}, as its name says",
            action="Leave out --type, or the prefix of the name.",
        )
    return parse_repository(rest, prefixed.value)
