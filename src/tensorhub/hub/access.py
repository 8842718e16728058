"""Who may do what: pure rules.

Duty: an identity, and whether it may read, write, create or administer a repository. Not its duty: finding out who
somebody is (``accounts``), or what to answer.
Invariants: functions of their arguments alone; a repository without a row is private; what only an administrator or the
owner may do is never given to a token that is kept to namespaces not its own, and nothing is changed by one that may
only read. Names are compared without case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from tensorhub.schema.names import RepositoryId

_NOTHING: Mapping[str, Role] = MappingProxyType({})


class Role(StrEnum):
    """What a member may do in a namespace; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Visibility(StrEnum):
    """Who may read a repository without being a member of its namespace."""

    PUBLIC = "public"
    PRIVATE = "private"


class Gate(StrEnum):
    """Whether readers of a public repository must be let in first, and by whom."""

    NO = "no"
    AUTO = "auto"
    MANUAL = "manual"


_RANK = {Role.READ: 1, Role.WRITE: 2, Role.ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks, and what the token that he showed lets him do.

    Attributes
    ----------
    user
        Name as written; None for somebody unknown.
    is_admin
        May do everything everywhere, as far as ``can_write`` lets him.
    can_write
        Whether the token may change anything.
    namespaces
        Key of a namespace (its name without case) → role there; one's own among them.
    is_restricted
        The token is kept to these namespaces: elsewhere its user counts as anybody.
    token_id, token_name, token_scope
        Of the token: for whoever must ask again later (``Accounts.recall``), and for ``whoami``; empty without one.
    """

    user: str | None
    is_admin: bool
    can_write: bool
    namespaces: Mapping[str, Role] = field(default_factory=lambda: _NOTHING)
    is_restricted: bool = False
    token_id: str = ""
    token_name: str = ""
    token_scope: str = ""

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody knows who this is."""
        return self.user is None

    def role_in(self, namespace: str) -> Role | None:
        """Give the role in a namespace, however it is written; None without one."""
        return self.namespaces.get(namespace.casefold())


ANONYMOUS = Identity(None, is_admin=False, can_write=False)
LOCAL_OWNER = Identity(
    "local", is_admin=True, can_write=True
)  # everybody, on a loopback server without users


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """What was decided about a repository.

    Attributes
    ----------
    repository
        Its type and its id as written.
    visibility, gate
        Who may read it.
    owner
        Key of the user who made it; None where nobody known did.
    created_at_ms
        Milliseconds since 1970 UTC.
    sdk
        Of a space.
    """

    repository: RepositoryId
    visibility: Visibility
    gate: Gate
    owner: str | None
    created_at_ms: int
    sdk: str | None = None


def namespace_of(repository: RepositoryId) -> str:
    """Give the part before the slash; empty for an id of one part."""
    head, slash, _ = repository.repo_id.partition("/")
    return head if slash else ""


def can_read(
    identity: Identity, repository: RepositoryId, row: RepositoryRow | None, *, anonymous_read: bool
) -> bool:
    """Say whether somebody may know of a repository.

    Parameters
    ----------
    identity
        Who asks.
    repository
        What for.
    row
        What was decided about it; None for nothing, which means private.
    anonymous_read
        Whether public repositories are for everybody, or for users only.
    """
    if _is_insider(identity, repository, row):
        return True
    is_public = row is not None and row.visibility is Visibility.PUBLIC
    return is_public and (anonymous_read or not identity.is_anonymous)


def can_read_files(
    identity: Identity, repository: RepositoryId, row: RepositoryRow | None, *, anonymous_read: bool
) -> bool:
    """Say whether somebody may read the content of a repository: gated ones show only that they are there."""
    if not can_read(identity, repository, row, anonymous_read=anonymous_read):
        return False
    return row is None or row.gate is Gate.NO or _is_insider(identity, repository, row)


def can_write(identity: Identity, repository: RepositoryId, row: RepositoryRow | None) -> bool:
    """Say whether somebody may commit to a repository."""
    return identity.can_write and (
        identity.is_admin or _is_owner(identity, row) or _has_role(identity, repository, Role.WRITE)
    )


def can_propose(identity: Identity, repository: RepositoryId) -> bool:
    """Say whether somebody who may read a repository may discuss it, and open pull requests.

    A token that is kept to namespaces speaks for its user there only.
    """
    if identity.user is None or not identity.can_write:
        return False
    return not identity.is_restricted or _has_role(identity, repository, Role.READ)


def can_create(identity: Identity, repository: RepositoryId) -> bool:
    """Say whether somebody may make a repository of this name."""
    return identity.can_write and (identity.is_admin or _has_role(identity, repository, Role.WRITE))


def can_admin(identity: Identity, repository: RepositoryId, row: RepositoryRow | None) -> bool:
    """Say whether somebody may delete, rename or open a repository, or set who reads it."""
    return identity.can_write and (
        identity.is_admin or _is_owner(identity, row) or _has_role(identity, repository, Role.ADMIN)
    )


def _is_insider(identity: Identity, repository: RepositoryId, row: RepositoryRow | None) -> bool:
    return identity.is_admin or _is_owner(identity, row) or _has_role(identity, repository, Role.READ)


def _is_owner(identity: Identity, row: RepositoryRow | None) -> bool:
    if row is None or row.owner is None or identity.user is None or identity.is_restricted:
        return False
    return row.owner == identity.user.casefold()


def _has_role(identity: Identity, repository: RepositoryId, needed: Role) -> bool:
    namespace = namespace_of(repository)
    role = identity.role_in(namespace) if namespace else None
    return role is not None and _RANK[role] >= _RANK[needed]
