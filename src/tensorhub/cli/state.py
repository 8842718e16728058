"""The commands ``state …``: a copy of what an operator decided, and back.

Duty: back up and restore ``state.sqlite``. Not its duty: anything else of a store, whose files can be copied as
they lie.
Invariants: both work while a hub runs; nothing is replaced without a yes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.accounts import open_state, record
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import confirm, is_person_there, print_line, write_json
from tensorhub.cli.rm import EXIT_DECLINED
from tensorhub.errors import UsageError
from tensorhub.store.retention import move_epoch

HELP = "What an operator decided (users, tokens, visibility): back it up and restore it."
BACKUP_EXAMPLES = """
  tensorhub state backup ~/backups/state-$(date +%F).sqlite
"""
RESTORE_EXAMPLES = """
  tensorhub state restore ~/backups/state-2026-11-28.sqlite
"""


def backup(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the copy goes; a new file.", show_default=False)
    ],
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Copy the state to a new file, checked, while a hub may run.

    The copy holds hashes of tokens and the secret that signs URLs: only its owner may read it, keep it so.
    """
    options = parse_common(context, store, is_json, is_quiet)
    with open_state(options.store_path) as state:
        state.backup(file.expanduser())
    _print(options.is_json, "backup", file.expanduser())


def restore(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="What tensorhub state backup wrote.", show_default=False),
    ],
    is_yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Put a copy in the place of the present state.

    What was decided since the copy was made is lost: tokens that were revoked since are valid again.
    """
    options = parse_common(context, store, is_json, is_quiet)
    if not is_yes and (options.is_json or not is_person_there()):
        raise UsageError(
            f"state restore {file}",
            expected="a yes",
            found="nobody to ask",
            action="Add --yes to replace the present state without asking.",
        )
    with th.Store.open(options.store_path) as opened:
        if not is_yes and not confirm(f"Replace the state of {options.store_path}?"):
            print_line("Nothing was changed.")
            raise typer.Exit(EXIT_DECLINED)
        opened.state.restore(file.expanduser())
        # Clients may remember uploads that the copy knows nothing of: they are given another address, and begin anew.
        move_epoch(opened, now_ms=time.time_ns() // 1_000_000)
        record(opened.state, "state.restore", file.name)
    _print(options.is_json, "restored", file.expanduser())


def _print(is_json: bool, what: str, file: Path) -> None:
    if is_json:
        write_json({what: str(file), "nbytes": file.stat().st_size})
    else:
        print_line(f"{what}: {file}")


COMMANDS = (("backup", backup, BACKUP_EXAMPLES), ("restore", restore, RESTORE_EXAMPLES))
