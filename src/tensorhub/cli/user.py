"""The commands ``user …``: who may use the hub, and as what.

Duty: make, list, change, disable and remove users. Not its duty: tokens, which ``token`` makes.
Invariants: nobody is removed without a yes. Making the first user ends the time without users, and is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.accounts import open_accounts, parse_roles, record
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import confirm, is_person_there, print_line, print_table, write_json
from tensorhub.cli.rm import EXIT_DECLINED
from tensorhub.errors import UsageError
from tensorhub.hub.values import UserInfo
from tensorhub.schema.sizes import format_count, format_date

HELP = "Users of the hub: make, list, change, disable and remove them."
ADD_EXAMPLES = """
  tensorhub user add ada --admin                   the first one should administer the hub
  tensorhub user add bob --namespace team:write    and writes to the repositories of team
"""
LIST_EXAMPLES = """
  tensorhub user list
"""
CHANGE_EXAMPLES = """
  tensorhub user change bob --namespace team:admin --leave other
  tensorhub user change ada --no-admin
"""
REMOVE_EXAMPLES = """
  tensorhub user remove bob          after asking
"""
DISABLE_EXAMPLES = """
  tensorhub user disable bob         nothing is removed; the tokens do nothing for now
"""
ENABLE_EXAMPLES = """
  tensorhub user enable bob
"""
_FIRST = (
    "This is the first user. Until now a hub on this machine took everybody for its owner; from now on it asks for a "
    "token (tensorhub token create), and what was added on the command line is private until tensorhub visibility "
    "opens it."
)
_NO_ADMIN = "No user administers the hub; tensorhub user change NAME --admin makes one who does."
_LAST = "No user is left: a hub on this machine takes everybody for its owner again."

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Name of the user, however it is written.", show_default=False)
]
NamespaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--namespace",
        metavar="NAMESPACE:ROLE",
        help="Make the user a member there; ROLE is read, write or admin. May be repeated.",
        show_default=False,
    ),
]


def add(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of the new user, and of the namespace that comes with it.",
            show_default=False,
        ),
    ],
    is_admin: Annotated[bool, typer.Option("--admin", help="May do everything everywhere.")] = False,
    namespaces: NamespaceOption = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Make a user.

    A user administers the repositories under the user's own name. Other namespaces are organisations: they exist
    as long as they have members.
    """
    options = parse_common(context, store, is_json, is_quiet)
    roles = parse_roles(namespaces or [])
    with open_accounts(options.store_path) as (accounts, state):
        is_first = not accounts.has_users()
        made = accounts.create_user(name, is_admin=is_admin, namespaces=roles)
        record(state, "user.create", made.name, _describe_rights(made))
        has_admin = any(user.is_admin for user in accounts.users())
    if options.is_json:
        write_json(th.to_json(made))
        return
    print_line("made ", (made.name, "bold"), f": {_describe_rights(made)}")
    if is_first:
        print_line(_FIRST)
    if not has_admin:
        print_line(_NO_ADMIN)


def list_users(
    context: typer.Context,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """List users and what they may do."""
    options = parse_common(context, store, is_json, is_quiet)
    with open_accounts(options.store_path) as (accounts, _):
        users = accounts.users()
    if options.is_json:
        write_json(th.to_json(users))
    else:
        print_users(users)


def change(
    context: typer.Context,
    name: NameArgument,
    is_admin: Annotated[
        bool | None,
        typer.Option(
            "--admin/--no-admin", help="May do everything everywhere, or no longer.", show_default=False
        ),
    ] = None,
    namespaces: NamespaceOption = None,
    left: Annotated[
        list[str] | None,
        typer.Option(
            "--leave",
            metavar="NAMESPACE",
            help="End the membership there. May be repeated.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Change what a user may do."""
    options = parse_common(context, store, is_json, is_quiet)
    if is_admin is None and not namespaces and not left:
        raise UsageError(
            "user change",
            expected="something to change",
            found="nothing",
            action="Add --admin, --no-admin, --namespace or --leave.",
        )
    roles = {**dict.fromkeys(left or []), **parse_roles(namespaces or [])}
    with open_accounts(options.store_path) as (accounts, state):
        changed = accounts.change_user(name, is_admin=is_admin, namespaces=roles)
        record(state, "user.change", changed.name, _describe_rights(changed))
        has_admin = any(user.is_admin for user in accounts.users())
    if options.is_json:
        write_json(th.to_json(changed))
        return
    print_line((changed.name, "bold"), f": {_describe_rights(changed)}")
    if not has_admin:
        print_line(_NO_ADMIN)


def disable(
    context: typer.Context,
    name: NameArgument,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Let a user's tokens do nothing until the user is enabled again."""
    _set_disabled(context, name, store, is_json, is_quiet, is_disabled=True)


def enable(
    context: typer.Context,
    name: NameArgument,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Let a disabled user's tokens count again."""
    _set_disabled(context, name, store, is_json, is_quiet, is_disabled=False)


def _set_disabled(
    context: typer.Context,
    name: str,
    store: StoreOption,
    is_json: bool,
    is_quiet: bool,
    *,
    is_disabled: bool,
) -> None:
    options = parse_common(context, store, is_json, is_quiet)
    with open_accounts(options.store_path) as (accounts, state):
        changed = accounts.change_user(name, is_disabled=is_disabled)
        record(state, "user.disable" if is_disabled else "user.enable", changed.name)
    if options.is_json:
        write_json(th.to_json(changed))
    else:
        print_line((changed.name, "bold"), ": disabled" if is_disabled else ": enabled")


def remove(
    context: typer.Context,
    name: NameArgument,
    is_yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")
    ] = False,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Remove a user with all memberships and tokens.

    The repositories stay. Whoever is given the name later gets the namespace with them; to keep the name, disable the
    user instead.
    """
    options = parse_common(context, store, is_json, is_quiet)
    if not is_yes and (options.is_json or not is_person_there()):
        raise UsageError(
            f"user remove {name}",
            expected="a yes",
            found="nobody to ask",
            action="Add --yes to remove without asking.",
        )
    with open_accounts(options.store_path) as (accounts, state):
        found = accounts.user(name)
        if not is_yes:
            print_line((found.name, "bold"), f": {format_count(found.tokens, 'token')} would end")
            if not confirm("Remove?"):
                print_line("Nothing was removed.")
                raise typer.Exit(EXIT_DECLINED)
        removed = accounts.remove_user(name)
        record(state, "user.remove", removed.name)
        is_last = not accounts.has_users()
    if options.is_json:
        write_json(th.to_json(removed))
        return
    print_line((removed.name, "bold"), f": removed, with {format_count(removed.tokens, 'token')}")
    if is_last:
        print_line(_LAST)


def print_users(users: Sequence[UserInfo]) -> None:
    """Print one line for each user."""
    if not users:
        print_line("There are no users: a hub on this machine takes everybody for its owner.")
        return
    rows = [
        (user.name, _describe_rights(user), f"{user.tokens:,}", format_date(user.created_at_ms))
        for user in users
    ]
    print_table(("user", "may", "tokens", "made"), rows, right=(2,))


def _describe_rights(user: UserInfo) -> str:
    parts = ["nothing, disabled"] if user.is_disabled else []
    if user.is_admin:
        parts.append("administer the hub")
    parts += [f"{namespace}:{role}" for namespace, role in user.namespaces.items()]
    return ", ".join(parts) or f"{user.name}:admin"


COMMANDS = (
    ("add", add, ADD_EXAMPLES),
    ("list", list_users, LIST_EXAMPLES),
    ("change", change, CHANGE_EXAMPLES),
    ("disable", disable, DISABLE_EXAMPLES),
    ("enable", enable, ENABLE_EXAMPLES),
    ("remove", remove, REMOVE_EXAMPLES),
)
