"""What the commands about users share: roles as they are written, and a record of each change."""

from __future__ import annotations

import pytest

from tensorhub.cli.accounts import parse_roles
from tensorhub.errors import UsageError
from tensorhub.hub.access import Role


def test_roles() -> None:
    """NAMESPACE:ROLE, the last one wins."""
    assert parse_roles(["a:read", "b:admin", "a:write"]) == {"a": Role.WRITE, "b": Role.ADMIN}


@pytest.mark.parametrize("text", ["", "a", "a:", ":", "a:owner", "a:READ", "a: read"])
def test_what_is_no_role(text: str) -> None:
    """Anything else is told, with how to write it."""
    with pytest.raises(UsageError, match="team:write"):
        parse_roles([text])


def test_every_change_is_recorded(run, store_path) -> None:
    """The audit log says what the command line did."""
    run("user", "add", "ada", "--admin")
    token = run("token", "create", "ada", "--json").json()["token"]["token_id"]
    run("token", "revoke", token)
    run("user", "disable", "ada")
    run("user", "enable", "ada")
    run("user", "change", "ada", "--no-admin")
    run("user", "remove", "ada", "--yes")
    run("visibility", "local/base", "public")
    actions = [entry["action"] for entry in run("audit", "--json").json()]
    assert actions == [
        "repository.visibility",
        "user.remove",
        "user.change",
        "user.enable",
        "user.disable",
        "token.revoke",
        "token.create",
        "user.create",
    ]


def test_no_store(run, no_store) -> None:
    """These commands make no store."""
    for command in (("user", "list"), ("user", "add", "x"), ("token", "list"), ("audit",)):
        assert run(*command).code == 10
    assert not no_store.exists()
