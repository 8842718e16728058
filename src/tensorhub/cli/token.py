"""The commands ``token …``: access tokens of the hub's users.

Duty: make, list and revoke them. Not its duty: users, which ``user`` makes.
Invariants: a secret is printed once, alone on stdout, and never again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer

import tensorhub as th
from tensorhub.cli.accounts import open_accounts, record
from tensorhub.cli.options import JsonOption, QuietOption, StoreOption, parse_common
from tensorhub.cli.output import print_line, print_notices, print_table, write_json
from tensorhub.hub.tokens import Scope
from tensorhub.hub.values import TokenInfo
from tensorhub.schema.sizes import NOTHING, format_date

HELP = "Access tokens of the hub's users: make, list and revoke them."
CREATE_EXAMPLES = """
  tensorhub token create ada --scope write               prints the secret, this once
  tensorhub token create bob --name ci --expires 90      reads for 90 days
  tensorhub token create bob --scope write --namespace team
  HF_TOKEN=$(tensorhub token create ada -q) hf auth whoami
"""
LIST_EXAMPLES = """
  tensorhub token list
  tensorhub token list ada
"""
REVOKE_EXAMPLES = """
  tensorhub token revoke 1f0c9a7be2     the id is in tensorhub token list
"""


def create(
    context: typer.Context,
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose rights it carries.", show_default=False)],
    name: Annotated[
        str, typer.Option("--name", metavar="TEXT", help="What it is for.", show_default=False)
    ] = "",
    scope: Annotated[Scope, typer.Option("--scope", help="Whether it may change anything.")] = Scope.READ,
    namespaces: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            metavar="NAMESPACE",
            help="Keep it to this namespace. May be repeated. Default: wherever its user may.",
            show_default=False,
        ),
    ] = None,
    expires: Annotated[
        float | None,
        typer.Option(
            "--expires",
            metavar="DAYS",
            help="How many days it is valid. Default: until it is revoked.",
            show_default=False,
        ),
    ] = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """Make a token and print its secret, which nobody can show again."""
    options = parse_common(context, store, is_json, is_quiet)
    with open_accounts(options.store_path) as (accounts, state):
        made = accounts.tokens.create(
            user, name=name, scope=scope, namespaces=namespaces or None, days=expires
        )
        record(state, "token.create", made.token.token_id, f"{made.token.scope}, of {made.token.user}")
    if options.is_json:
        write_json(th.to_json(made))
        return
    print_line(made.secret)
    print_notices(
        [
            f"token {made.token.token_id} of {made.token.user}; the secret is shown only now",
            "clients take it from HF_TOKEN, or once and for all with: hf auth login",
        ],
        options,
    )


def list_tokens(
    context: typer.Context,
    user: Annotated[
        str | None, typer.Argument(metavar="USER", help="Only this user's.", show_default=False)
    ] = None,
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """List tokens, without their secrets."""
    options = parse_common(context, store, is_json, is_quiet)
    with open_accounts(options.store_path) as (accounts, _):
        tokens = accounts.tokens.list(user)
    if options.is_json:
        write_json(th.to_json(tokens))
    else:
        print_tokens(tokens, now_ms=int(time.time() * 1000))


def revoke(
    context: typer.Context,
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="As `tensorhub token list` shows it.", show_default=False)
    ],
    store: StoreOption = None,
    is_json: JsonOption = False,
    is_quiet: QuietOption = False,
) -> None:
    """End a token, for good; a hub that runs knows at once."""
    options = parse_common(context, store, is_json, is_quiet)
    with open_accounts(options.store_path) as (accounts, state):
        revoked = accounts.tokens.revoke(token_id)
        record(state, "token.revoke", revoked.token_id, f"of {revoked.user}")
    if options.is_json:
        write_json(th.to_json(revoked))
    else:
        print_line(f"token {revoked.token_id} of ", (revoked.user, "bold"), ": revoked")


def print_tokens(tokens: Sequence[TokenInfo], *, now_ms: int) -> None:
    """Print one line for each token."""
    if not tokens:
        print_line("There are no tokens. Make one: tensorhub token create USER")
        return
    rows = [
        (
            token.token_id,
            token.user,
            token.scope,
            NOTHING if token.namespaces is None else ", ".join(token.namespaces),
            format_date(token.created_at_ms),
            NOTHING if token.last_used_at_ms is None else format_date(token.last_used_at_ms),
            _describe_end(token, now_ms),
            token.name,
        )
        for token in tokens
    ]
    print_table(("id", "user", "scope", "only in", "made", "last used", "ends", "name"), rows)


def _describe_end(token: TokenInfo, now_ms: int) -> str:
    if token.revoked_at_ms is not None:
        return "revoked"
    if token.expires_at_ms is None:
        return "never"
    return "expired" if token.expires_at_ms <= now_ms else format_date(token.expires_at_ms)


COMMANDS = (
    ("create", create, CREATE_EXAMPLES),
    ("list", list_tokens, LIST_EXAMPLES),
    ("revoke", revoke, REVOKE_EXAMPLES),
)
