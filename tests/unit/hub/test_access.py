"""Who may do what, as a table."""

from __future__ import annotations

import dataclasses

import pytest

from tensorhub.hub import access
from tensorhub.hub.access import ANONYMOUS, LOCAL_OWNER, Gate, Identity, RepositoryRow, Role, Visibility
from tensorhub.schema.names import parse_repository

REPOSITORY = parse_repository("Team/model")
PUBLIC = RepositoryRow(REPOSITORY, Visibility.PUBLIC, Gate.NO, "owner", 0)
PRIVATE = dataclasses.replace(PUBLIC, visibility=Visibility.PRIVATE)
GATED = dataclasses.replace(PUBLIC, gate=Gate.AUTO)


def person(name: str, *, role: Role | None = None, write: bool = True, admin: bool = False) -> Identity:
    return Identity(name, is_admin=admin, can_write=write, namespaces={"team": role} if role else {})


PEOPLE = {
    "anonymous": ANONYMOUS,
    "stranger": person("stranger"),
    "reader": person("reader", role=Role.READ),
    "writer": person("writer", role=Role.WRITE),
    "lead": person("lead", role=Role.ADMIN),
    "owner": person("Owner"),
    "admin": person("root", admin=True),
    "local": LOCAL_OWNER,
    "lead, read token": person("lead", role=Role.ADMIN, write=False),
    "admin, read token": person("root", admin=True, write=False),
    "owner, kept elsewhere": dataclasses.replace(person("Owner"), is_restricted=True),
}
INSIDERS = {"reader", "writer", "lead", "owner", "admin", "local", "lead, read token", "admin, read token"}
READ_ONLY = {"lead, read token", "admin, read token"}


@pytest.mark.parametrize("name", PEOPLE)
def test_reading(name: str) -> None:
    """Private is for insiders; public for everybody, or for every user; gated shows that it is there."""
    who, inside = PEOPLE[name], name in INSIDERS
    for row in (PRIVATE, None):
        expected = inside and (row is not None or name != "owner")
        assert access.can_read(who, REPOSITORY, row, anonymous_read=True) is expected
        assert access.can_read_files(who, REPOSITORY, row, anonymous_read=True) is expected
    assert access.can_read(who, REPOSITORY, PUBLIC, anonymous_read=True)
    assert access.can_read(who, REPOSITORY, PUBLIC, anonymous_read=False) is (name != "anonymous")
    assert access.can_read(who, REPOSITORY, GATED, anonymous_read=True)
    assert access.can_read_files(who, REPOSITORY, GATED, anonymous_read=True) is inside


@pytest.mark.parametrize("name", PEOPLE)
def test_changing(name: str) -> None:
    """Roles, ownership and scope decide; being public changes nothing."""
    who = PEOPLE[name]
    for row in (PRIVATE, PUBLIC, GATED):
        assert access.can_write(who, REPOSITORY, row) is (name in INSIDERS - READ_ONLY - {"reader"})
        assert access.can_admin(who, REPOSITORY, row) is (name in INSIDERS - READ_ONLY - {"reader", "writer"})
    assert access.can_create(who, REPOSITORY) is (name in {"writer", "lead", "admin", "local"})
    assert access.can_write(who, REPOSITORY, None) is (name in {"writer", "lead", "admin", "local"})


def test_names_without_case() -> None:
    """A namespace is the same however it is written."""
    who = person("x", role=Role.READ)
    assert who.role_in("TEAM") is Role.READ
    assert access.can_read(who, parse_repository("tEAm/Other"), None, anonymous_read=False)


def test_ids_of_one_part() -> None:
    """They are in nobody's namespace: administrators and owners only."""
    bare = parse_repository("gpt2")
    assert access.namespace_of(bare) == ""
    nobody = Identity("x", is_admin=False, can_write=True, namespaces={"": Role.ADMIN, "gpt2": Role.ADMIN})
    assert not access.can_create(nobody, bare)
    assert not access.can_read(nobody, bare, None, anonymous_read=True)
    assert access.can_create(LOCAL_OWNER, bare)
