"""Results about users, tokens, what was done and what was brought in: frozen values without logic.

Duty: what ``Accounts``, ``AuditLog``, ``pull_revision`` and their commands give back. Not its duty: anything else.
Invariants: no value holds a secret but :class:`NewToken`, which exists once. Field names are those of the JSON that the
command line prints; ``docs/cli.md`` documents them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserInfo:
    """A user; ``namespaces`` is name → role, without the one of his own."""

    name: str
    is_admin: bool
    is_disabled: bool
    namespaces: dict[str, str]
    created_at_ms: int
    tokens: int


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token without its secret; ``namespaces`` None: wherever its user may."""

    token_id: str
    user: str
    name: str
    scope: str
    namespaces: list[str] | None
    created_at_ms: int
    expires_at_ms: int | None
    last_used_at_ms: int | None
    revoked_at_ms: int | None


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was made just now, and its secret, which nobody can show again."""

    secret: str
    token: TokenInfo


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that somebody did or tried."""

    at_ms: int
    user: str | None
    action: str
    subject: str
    detail: str
    address: str


@dataclass(frozen=True, slots=True)
class PullResult:
    """A revision that was brought in from another hub, as far as it was wanted."""

    repository: str
    revision: str
    commit_id: str
    files: int
    nbytes: int
    fetched_files: int
    fetched_nbytes: int
    is_partial: bool
