"""Tokens: a secret once, its hash for ever, an end when asked."""

from __future__ import annotations

import pytest

from tensorhub.errors import AlreadyExistsError, InvalidNameError, NotFoundError, UsageError
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.tokens import PREFIX, Scope
from tensorhub.store.state import State


@pytest.fixture
def accounts(state: State, clock) -> Accounts:
    """Give accounts with one user."""
    made = Accounts(state, clock)
    made.create_user("Ada")
    return made


def test_create(accounts: Accounts, state: State, clock) -> None:
    """The secret looks like one to clients, differs every time, and is nowhere on disk."""
    made = accounts.tokens.create("ada", name="laptop", scope=Scope.WRITE, namespaces=["Team", "ada"], days=2)
    again = accounts.tokens.create("ADA")
    assert made.secret.startswith(PREFIX)
    assert len(made.secret) >= 37
    assert made.secret.isascii()
    assert made.secret[3:].isalnum()
    assert made.secret != again.secret
    token = made.token
    assert (token.user, token.name, token.scope, token.namespaces) == (
        "Ada",
        "laptop",
        "write",
        ["ada", "team"],
    )
    assert token.expires_at_ms == int(clock.now_s * 1000) + 2 * 24 * 3600 * 1000
    assert (again.token.scope, again.token.namespaces, again.token.expires_at_ms) == ("read", None, None)
    state.close()
    kept = state.path.read_bytes()
    assert made.secret.encode() not in kept
    assert again.secret.encode() not in kept


def test_list_and_revoke(accounts: Accounts, clock) -> None:
    """Lists show whose they are; revoking twice is one revocation."""
    accounts.create_user("bob")
    first = accounts.tokens.create("Ada").token
    clock.now_s += 1
    second = accounts.tokens.create("bob").token
    assert accounts.tokens.list() == [first, second]
    assert accounts.tokens.list("BOB") == [second]
    revoked = accounts.tokens.revoke(first.token_id)
    clock.now_s += 1
    assert accounts.tokens.revoke(first.token_id) == revoked
    assert revoked.revoked_at_ms == second.created_at_ms
    assert accounts.user("Ada").tokens == 0
    assert accounts.tokens.list("Ada") == [revoked]


def test_a_secret_from_elsewhere(accounts: Accounts) -> None:
    """A secret can be taken over once, and has to look like one."""
    secret = PREFIX + "a1" * 17
    assert accounts.tokens.create("Ada", secret=secret).secret == secret
    assert accounts.authenticate(secret).user == "Ada"
    with pytest.raises(AlreadyExistsError):
        accounts.tokens.create("Ada", secret=secret)
    for bad in ("", "hf_short", "xx_" + "a1" * 17, PREFIX + "é" * 40, PREFIX + "a" * 400):
        with pytest.raises(UsageError):
            accounts.tokens.create("Ada", secret=bad)


def test_refused(accounts: Accounts) -> None:
    """No such user, no such token, no such namespace, no such time."""
    with pytest.raises(NotFoundError):
        accounts.tokens.create("nobody")
    with pytest.raises(NotFoundError):
        accounts.tokens.list("nobody")
    with pytest.raises(NotFoundError):
        accounts.tokens.revoke("0000000000")
    with pytest.raises(InvalidNameError):
        accounts.tokens.create("Ada", namespaces=["a/b"])
    for days in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError):
            accounts.tokens.create("Ada", days=days)
