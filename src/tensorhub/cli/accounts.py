"""What the commands about users, tokens and the audit log share.

Duty: open the state of a store, parse ``NAMESPACE:ROLE``, write down what was changed. Not its duty: any command.
Invariants: needs no package of the extra ``hub`` and does not open the catalogue; every change leaves a record in the
audit log, as done on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorhub.errors import UsageError
from tensorhub.hub.access import Role
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.audit import AuditLog
from tensorhub.store.layout import open_layout
from tensorhub.store.state import State

_ADDRESS = "command line"


@contextmanager
def open_state(store_path: Path) -> Iterator[State]:
    """Open the state of the store at a path, whether or not anything was decided there."""
    layout, _ = open_layout(store_path)
    state = State(layout.state)
    try:
        yield state
    finally:
        state.close()


@contextmanager
def open_accounts(store_path: Path) -> Iterator[tuple[Accounts, State]]:
    """Open the users of the store at a path."""
    with open_state(store_path) as state:
        yield Accounts(state), state


def record(state: State, action: str, subject: str, detail: str = "") -> None:
    """Write down what was done on the command line."""
    AuditLog(state).record(action, subject, detail=detail, address=_ADDRESS)


def parse_roles(given: Iterable[str]) -> dict[str, Role]:
    """Parse ``NAMESPACE:ROLE``; the last one counts where a namespace is named twice.

    Raises
    ------
    UsageError
        One has no such form.
    """
    roles: dict[str, Role] = {}
    for text in given:
        namespace, _, role = text.rpartition(":")
        try:
            roles[namespace] = Role(role)
        except ValueError:
            raise UsageError(
                f"--namespace {text}",
                expected="NAMESPACE:read, NAMESPACE:write or NAMESPACE:admin",
                found=text,
                action="Write it as in --namespace team:write.",
            ) from None
    return roles
