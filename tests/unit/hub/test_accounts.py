"""Users and memberships, and from a secret to an identity."""

from __future__ import annotations

import pytest

from tensorhub.errors import (
    AlreadyExistsError,
    AuthenticationError,
    InvalidNameError,
    NotFoundError,
    UsageError,
)
from tensorhub.hub.access import Role, Visibility
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.repositories import Repositories
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_repository
from tensorhub.store.state import State


@pytest.fixture
def accounts(state: State, clock) -> Accounts:
    """Give accounts without users."""
    return Accounts(state, clock)


def test_users(accounts: Accounts, clock) -> None:
    """Making, changing, listing, removing; names are one whatever their case."""
    assert not accounts.has_users()
    assert accounts.users() == []
    ada = accounts.create_user("Ada", is_admin=True)
    bob = accounts.create_user("bob", namespaces={"Team": Role.WRITE, "ada": Role.READ})
    assert accounts.has_users()
    assert (ada.name, ada.is_admin, ada.is_disabled, ada.namespaces, ada.tokens) == (
        "Ada",
        True,
        False,
        {},
        0,
    )
    assert bob.namespaces == {"Ada": "read", "Team": "write"}
    assert bob.created_at_ms == int(clock.now_s * 1000)
    assert accounts.users() == [ada, bob]
    assert accounts.user("BOB") == bob
    changed = accounts.change_user("Bob", is_admin=True, namespaces={"TEAM": Role.ADMIN, "Ada": None})
    assert (changed.name, changed.is_admin, changed.namespaces) == ("bob", True, {"Team": "admin"})
    assert accounts.organizations() == {"Team": {"bob": "admin"}}
    assert accounts.remove_user("BOB").name == "bob"
    assert accounts.users() == [ada]
    assert accounts.organizations() == {}


def test_names_that_are_taken_or_none(accounts: Accounts) -> None:
    """A user is not made twice, not over an organisation, and not under a name that no repository can have."""
    accounts.create_user("Ada", namespaces={"Team": Role.READ})
    for name in ("ADA", "team", "local"):
        with pytest.raises(AlreadyExistsError):
            accounts.create_user(name)
    for name in ("", "a/b", "a--b", "-a", "ü"):
        with pytest.raises(InvalidNameError):
            accounts.create_user(name)
    with pytest.raises(InvalidNameError):
        accounts.create_user("new", namespaces={"a/b": Role.READ})
    with pytest.raises(UsageError):
        accounts.create_user("new", namespaces={"NEW": Role.READ})
    assert [user.name for user in accounts.users()] == ["Ada"]
    for call in (accounts.user, accounts.remove_user, accounts.change_user):
        with pytest.raises(NotFoundError):
            call("nobody")


def test_identities(accounts: Accounts) -> None:
    """A token carries its user's rights, less what its scope and its namespaces leave out."""
    accounts.create_user("Ada", namespaces={"Team": Role.READ, "Other": Role.WRITE})
    plain = accounts.authenticate(accounts.tokens.create("ada", name="x", scope=Scope.WRITE).secret)
    assert (plain.user, plain.is_admin, plain.can_write, plain.is_restricted) == ("Ada", False, True, False)
    assert dict(plain.namespaces) == {"ada": Role.ADMIN, "team": Role.READ, "other": Role.WRITE}
    assert (plain.token_name, plain.token_scope) == ("x", "write")
    assert not accounts.authenticate(accounts.tokens.create("ada").secret).can_write
    kept = accounts.authenticate(accounts.tokens.create("ada", namespaces=["TEAM", "foreign"]).secret)
    assert dict(kept.namespaces) == {"team": Role.READ}
    assert kept.is_restricted
    accounts.change_user("ada", is_admin=True)
    assert accounts.authenticate(accounts.tokens.create("ada").secret).is_admin
    kept = accounts.authenticate(accounts.tokens.create("ada", namespaces=["foreign"]).secret)
    assert not kept.is_admin
    assert dict(kept.namespaces) == {"foreign": Role.ADMIN}


def test_refused_tokens(accounts: Accounts, clock) -> None:
    """Unknown, revoked, expired, of somebody disabled or removed: each is refused from the next call on."""
    accounts.create_user("ada")
    for secret in ("", "hf_" + "a" * 40, "x" * 100_000, "hf_\udcff"):
        with pytest.raises(AuthenticationError):
            accounts.authenticate(secret)
    expiring = accounts.tokens.create("ada", days=1)
    accounts.authenticate(expiring.secret)
    clock.now_s += 24 * 3600
    with pytest.raises(AuthenticationError, match="expired"):
        accounts.authenticate(expiring.secret)
    made = accounts.tokens.create("ada")
    accounts.authenticate(made.secret)
    accounts.tokens.revoke(made.token.token_id)
    with pytest.raises(AuthenticationError, match="revoked"):
        accounts.authenticate(made.secret)
    other = accounts.tokens.create("ada")
    accounts.change_user("ada", is_disabled=True)
    with pytest.raises(AuthenticationError, match="disabled"):
        accounts.authenticate(other.secret)
    accounts.change_user("ada", is_disabled=False)
    assert accounts.authenticate(other.secret).user == "ada"
    accounts.remove_user("ada")
    with pytest.raises(AuthenticationError, match="unknown"):
        accounts.authenticate(other.secret)


def test_another_process_revokes(accounts: Accounts, state: State) -> None:
    """What the command line does counts for a hub that runs, at once."""
    accounts.create_user("ada")
    made = accounts.tokens.create("ada")
    accounts.authenticate(made.secret)
    other = State(state.path)
    Accounts(other).tokens.revoke(made.token.token_id)
    with pytest.raises(AuthenticationError):
        accounts.authenticate(made.secret)
    other.close()


def test_recall(accounts: Accounts) -> None:
    """What was given for a token can be asked again: with the rights of now, as long as the token is valid."""
    accounts.create_user("ada")
    made = accounts.tokens.create("ada")
    before = accounts.authenticate(made.secret)
    assert before.token_id == made.token.token_id
    assert accounts.recall(before.token_id) == before
    accounts.change_user("ada", is_admin=True)
    assert accounts.recall(before.token_id).is_admin
    accounts.tokens.revoke(before.token_id)
    for token_id in (before.token_id, "", "nothing"):
        with pytest.raises(AuthenticationError):
            accounts.recall(token_id)


def test_last_use(accounts: Accounts, clock) -> None:
    """Using a token writes nothing; when it was used last is kept when asked to."""
    accounts.create_user("ada")
    made = accounts.tokens.create("ada")
    clock.now_s += 5
    accounts.authenticate(made.secret)
    assert accounts.tokens.list()[0].last_used_at_ms is None
    accounts.keep_uses()
    accounts.keep_uses()
    assert accounts.tokens.list()[0].last_used_at_ms == int(clock.now_s * 1000)
    accounts.authenticate(made.secret)


def test_a_removed_user_owns_nothing(accounts: Accounts, state: State) -> None:
    """Somebody who gets the name later does not get the repositories that were made elsewhere under it."""
    accounts.create_user("ada")
    repositories = Repositories(state)
    made = parse_repository("team/model")
    repositories.put(made, owner="ada", visibility=Visibility.PRIVATE)
    accounts.remove_user("ada")
    row = repositories.row(made)
    assert row is not None
    assert row.owner is None


def test_it_asks_the_state_once(accounts: Accounts, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request pays for a look in memory, not for a query, until something changes."""
    accounts.create_user("ada")
    secret = accounts.tokens.create("ada").secret
    accounts.authenticate(secret)
    reads: list[int] = []
    monkeypatch.setattr(state, "read", lambda: reads.append(1))
    for _ in range(20):
        assert accounts.authenticate(secret).user == "ada"
    assert reads == []
