"""The command ``rm``: remove a repository, a ref, or a ref's history.

Duty: say what would be freed, ask, remove. Not its duty: freeing the disk, which ``gc`` does later.
Invariants: nothing is removed without a yes: typed by a person, or ``--yes``.
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
from tensorhub.cli.output import confirm, is_person_there, print_line, write_json
from tensorhub.errors import UsageError
from tensorhub.hub.repositories import Repositories
from tensorhub.schema.names import RepositoryId
from tensorhub.schema.sizes import format_nbytes

EXAMPLES = """
  tensorhub rm me/old-model --dry-run       says what would be freed
  tensorhub rm me/old-model                 all of it, after asking
  tensorhub rm me/llama-chat --revision v1  one ref
  tensorhub rm me/llama-chat --squash       keep the files, drop the history
"""
EXIT_DECLINED = 1


def rm(
    context: typer.Context,
    repository: RepositoryArgument,
    revision: Annotated[
        str | None,
        typer.Option("--revision", metavar="REF", help="Remove only this ref; with --squash: the ref meant."),
    ] = None,
    repo_type: TypeOption = None,
    is_squash: Annotated[
        bool,
        typer.Option(
            "--squash", help="Keep the ref's files as one commit, drop its history. Default ref: main."
        ),
    ] = False,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be freed; change nothing.")
    ] = False,
    is_yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Remove a repository, one of its refs, or a ref's history.

    The space is given back by `tensorhub gc`, after a day of grace. Content that other repositories share or
    lean on stays.
    """
    options = parse_common(context, store, is_json, is_quiet)
    wanted = read_repository(repository, repo_type)
    can_ask = is_person_there() and not options.is_json
    if not (is_dry_run or is_yes or can_ask):
        raise UsageError(
            f"rm {wanted}",
            expected="a yes",
            found="nobody to ask",
            action="Add --yes to remove without asking, or --dry-run to see what would be freed.",
        )
    with th.Store.open(options.store_path) as opened:
        if not is_dry_run and not is_yes:
            print_removed(_remove(opened, wanted, revision, is_squash=is_squash, is_dry_run=True))
            if not confirm("Remove?"):
                print_line("Nothing was removed.")
                raise typer.Exit(EXIT_DECLINED)
        result = _remove(opened, wanted, revision, is_squash=is_squash, is_dry_run=is_dry_run)
        if revision is None and not is_squash and not is_dry_run:
            _forget(opened, wanted)
    if options.is_json:
        write_json(th.to_json(result))
    else:
        print_removed(result)


def _remove(
    store: th.Store, repository: RepositoryId, revision: str | None, *, is_squash: bool, is_dry_run: bool
) -> th.RemoveResult:
    if is_squash:
        return store.squash(repository, revision or "main", is_dry_run=is_dry_run)
    if revision is not None:
        return store.delete_ref(repository, revision, is_dry_run=is_dry_run)
    return store.delete_repository(repository, is_dry_run=is_dry_run)


def _forget(store: th.Store, repository: RepositoryId) -> None:
    """Remove what was decided about it, too: a later repository of the same name starts as a private one."""
    if store.state.is_made:
        Repositories(store.state).forget(repository)
        record(store.state, "repository.delete", str(repository))


def print_removed(result: th.RemoveResult) -> None:
    """Tell what went, or would go, and what that frees."""
    will = "would be " if result.is_dry_run else ""
    print_line((result.repository, "bold"), f": {will}removed: {', '.join(result.removed) or 'nothing'}")
    print_line(
        f"  {format_nbytes(result.freed_nbytes)} {will or 'can be '}freed by tensorhub gc; "
        f"{format_nbytes(result.kept_for_others_nbytes)} stay for others"
    )
