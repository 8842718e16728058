"""Users, what they may do in which namespace, and who shows a token.

Duty: rows of ``user`` and ``membership`` in the state; from a token's secret to an :class:`Identity`. Not its duty:
what an identity may do (``access``); making tokens (``tokens``).
Invariants: names of users and namespaces are compared without case and follow the rules of a part of a repository id.
A user administers the namespace of his own name; any other namespace is an organisation, and exists as long as it has
members. A user and an organisation never share a name. Disabling, removing and revoking count from the next request
on, in every process.
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, delete

from tensorhub.errors import AlreadyExistsError, AuthenticationError, UsageError
from tensorhub.hub.access import Identity, Role
from tensorhub.hub.tokens import MAX_SECRET, Scope, Tokens, digest_secret, unknown_user
from tensorhub.hub.values import UserInfo
from tensorhub.schema.names import parse_namespace
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State
from tensorhub.store.state_rows import Watched, delete_rows, put_row, read_rows

RESERVED = frozenset(("local",))  # what a hub without users calls its owner


@dataclass(frozen=True, slots=True)
class _Known:
    """All users and tokens, as one moment had them."""

    users: Mapping[str, Row[Any]]
    memberships: Mapping[str, Mapping[str, Row[Any]]]  # user -> namespace key -> row
    tokens: Mapping[bytes, Row[Any]]  # by digest of the secret
    ids: Mapping[str, Row[Any]]

    def namespaces(self, user: str) -> dict[str, str]:
        """Name → role of the organisations of a user, by his key."""
        found = sorted(self.memberships.get(user, {}).values(), key=lambda row: str(row.namespace_key))
        return {row.namespace: Role(row.role).value for row in found}


class Accounts:
    """The users of one hub; safe for many threads.

    Parameters
    ----------
    state
        Where they lie.
    now_s
        The clock, in seconds since 1970 UTC.

    Attributes
    ----------
    tokens
        Makes, lists and revokes tokens.
    """

    def __init__(self, state: State, now_s: Callable[[], float] = time.time) -> None:
        self.tokens = Tokens(state, now_s)
        self._state = state
        self._now_s = now_s
        self._known = Watched(state, _load, schema.user, schema.membership, schema.token)
        self._lock = threading.Lock()
        self._uses: dict[str, int] = {}  # id of a token -> when it was last used

    # -- who asks -----------------------------------------------------------------------------------------------

    def has_users(self) -> bool:
        """Say whether anybody was ever made a user, and not removed."""
        return bool(self._known.get().users)

    def authenticate(self, secret: str) -> Identity:
        """Say who shows a token.

        Parameters
        ----------
        secret
            As in ``Authorization: Bearer <secret>``.

        Raises
        ------
        AuthenticationError
            It is no valid token of this hub.

        Notes
        -----
        Takes microseconds, reads the state again only after users or tokens changed, and writes nothing. It is looked
        up by its SHA-256, so how long that takes says nothing about secrets that are near to it.
        """
        if not 0 < len(secret) <= MAX_SECRET:
            raise _refuse("something that is no token")
        digest = digest_secret(secret)
        known = self._known.get()
        token = known.tokens.get(digest)
        if token is None or not hmac.compare_digest(token.secret_digest, digest):
            raise _refuse("an unknown token")
        identity = self._check(known, token)
        with self._lock:
            self._uses[token.id] = int(self._now_s() * 1000)
        return identity

    def recall(self, token_id: str) -> Identity:
        """Say again who showed a token before, by its id: what he may do now.

        For what was signed on the strength of a token: links and grants that live on for a while.

        Raises
        ------
        AuthenticationError
            The token is not valid any more.
        """
        known = self._known.get()
        token = known.ids.get(token_id)
        if token is None:
            raise _refuse("an unknown token")
        return self._check(known, token)

    def _check(self, known: _Known, token: Row[Any]) -> Identity:
        if token.revoked_at_ms is not None:
            raise _refuse("a token that was revoked")
        if token.expires_at_ms is not None and self._now_s() * 1000 >= token.expires_at_ms:
            raise _refuse("a token that has expired")
        user = known.users.get(token.user)
        if user is None or user.is_disabled:
            raise _refuse("a token of a user who is disabled")
        return _identify(user, known.memberships.get(user.key, {}), token)

    def keep_uses(self) -> None:
        """Write down when tokens were last used; for the hub to call every minute or so, and at its end."""
        with self._lock:
            uses, self._uses = self._uses, {}
        self.tokens.note_uses(uses)

    # -- users --------------------------------------------------------------------------------------------------

    def users(self) -> list[UserInfo]:
        """List users by name."""
        known = self._known.get()
        return [_describe(known, row) for _, row in sorted(known.users.items())]

    def user(self, name: str) -> UserInfo:
        """Give one user.

        Raises
        ------
        NotFoundError
            There is none of that name.
        """
        known = self._known.get()
        row = known.users.get(name.casefold())
        if row is None:
            raise unknown_user(name)
        return _describe(known, row)

    def organizations(self) -> dict[str, dict[str, str]]:
        """Give the members of every organisation: its name → user → role."""
        known = self._known.get()
        found: dict[str, dict[str, str]] = {}
        names: dict[str, str] = {}
        for user, rows in sorted(known.memberships.items()):
            for key, row in rows.items():
                if key not in known.users:
                    name = names.setdefault(key, row.namespace)
                    found.setdefault(name, {})[known.users[user].name] = Role(row.role).value
        return found

    def create_user(
        self, name: str, *, is_admin: bool = False, namespaces: Mapping[str, Role] | None = None
    ) -> UserInfo:
        """Make a user.

        Parameters
        ----------
        name
            Also that of the namespace that he administers.
        is_admin
            May do everything everywhere.
        namespaces
            Others that he is a member of, and as what.

        Raises
        ------
        InvalidNameError
            A name breaks the rules.
        AlreadyExistsError
            A user or an organisation has this name.
        """
        key = parse_namespace(name).casefold()
        with self._state.write() as connection:
            if key in RESERVED or read_rows(connection, schema.user, schema.user.c.key == key):
                raise _taken(name, "a user" if key not in RESERVED else "the owner of a hub without users")
            if read_rows(connection, schema.membership, schema.membership.c.namespace_key == key):
                raise _taken(name, "an organisation with members")
            put_row(
                connection,
                schema.user,
                {
                    "key": key,
                    "name": name,
                    "is_admin": int(is_admin),
                    "is_disabled": 0,
                    "created_at_ms": int(self._now_s() * 1000),
                },
            )
            for namespace, role in (namespaces or {}).items():
                _put_membership(connection, key, namespace, role)
        return self.user(name)

    def change_user(
        self,
        name: str,
        *,
        is_admin: bool | None = None,
        is_disabled: bool | None = None,
        namespaces: Mapping[str, Role | None] | None = None,
    ) -> UserInfo:
        """Change what a user may do; what is None stays, and a namespace with None is left.

        Raises
        ------
        NotFoundError
            There is no such user.
        InvalidNameError
            A namespace breaks the rules.
        """
        key = name.casefold()
        with self._state.write() as connection:
            rows = read_rows(connection, schema.user, schema.user.c.key == key)
            if not rows:
                raise unknown_user(name)
            values = dict(rows[0]._mapping)
            if is_admin is not None:
                values["is_admin"] = int(is_admin)
            if is_disabled is not None:
                values["is_disabled"] = int(is_disabled)
            put_row(connection, schema.user, values)
            for namespace, role in (namespaces or {}).items():
                _put_membership(connection, key, namespace, role)
        return self.user(name)

    def remove_user(self, name: str) -> UserInfo:
        """Remove a user with his memberships, tokens and uploads; his repositories stay, without an owner.

        Raises
        ------
        NotFoundError
            There is no such user.
        """
        removed, key = self.user(name), name.casefold()
        with self._state.write() as connection:
            delete_rows(connection, schema.token, schema.token.c.user == key)
            delete_rows(connection, schema.membership, schema.membership.c.user == key)
            for table in (
                schema.upload,
                schema.xorb_sender,
            ):  # or whoever is given the name later could commit it
                connection.execute(delete(table).where(table.c.user == key))
            if not delete_rows(connection, schema.user, schema.user.c.key == key):
                raise unknown_user(name)
            for row in read_rows(connection, schema.repository, schema.repository.c.owner == key):
                put_row(connection, schema.repository, {**row._mapping, "owner": None})
        return removed


def _load(connection: Connection) -> _Known:
    users = {row.key: row for row in read_rows(connection, schema.user)}
    memberships: dict[str, dict[str, Row[Any]]] = {}
    for row in read_rows(connection, schema.membership):
        memberships.setdefault(row.user, {})[row.namespace_key] = row
    tokens = {row.secret_digest: row for row in read_rows(connection, schema.token)}
    ids = {row.id: row for row in tokens.values()}
    return _Known(users, memberships, tokens, ids)


def _identify(user: Row[Any], memberships: Mapping[str, Row[Any]], token: Row[Any]) -> Identity:
    roles = {key: Role(row.role) for key, row in memberships.items()} | {user.key: Role.ADMIN}
    is_admin, kept = bool(user.is_admin), token.namespaces
    if kept is not None:
        wanted = json.loads(kept)
        roles = {key: Role.ADMIN if is_admin else roles[key] for key in wanted if is_admin or key in roles}
        is_admin = False
    scope = Scope(token.scope)
    return Identity(
        user.name,
        is_admin=is_admin,
        can_write=scope is Scope.WRITE,
        namespaces=MappingProxyType(roles),
        is_restricted=kept is not None,
        token_id=token.id,
        token_name=token.name,
        token_scope=scope.value,
    )


def _describe(known: _Known, row: Row[Any]) -> UserInfo:
    return UserInfo(
        name=row.name,
        is_admin=bool(row.is_admin),
        is_disabled=bool(row.is_disabled),
        namespaces=known.namespaces(row.key),
        created_at_ms=row.created_at_ms,
        tokens=sum(token.user == row.key and token.revoked_at_ms is None for token in known.tokens.values()),
    )


def _put_membership(connection: Connection, user: str, namespace: str, role: Role | None) -> None:
    key, columns = parse_namespace(namespace).casefold(), schema.membership.c
    if key == user:
        raise UsageError(
            f"namespace {namespace!r}",
            expected="one that is not the user's own",
            found="the user's own, which he administers anyway",
            action="Leave it out.",
        )
    if role is None:
        delete_rows(connection, schema.membership, columns.user == user, columns.namespace_key == key)
        return
    others = read_rows(connection, schema.membership, columns.namespace_key == key)
    owners = read_rows(connection, schema.user, schema.user.c.key == key)
    name = owners[0].name if owners else others[0].namespace if others else namespace
    put_row(
        connection,
        schema.membership,
        {"user": user, "namespace_key": key, "namespace": name, "role": role.value},
    )


def _taken(name: str, by: str) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"user {name!r}", expected="a name that is free", found=by, action="Choose another name."
    )


def _refuse(found: str) -> AuthenticationError:
    return AuthenticationError(
        "Invalid credentials in Authorization header",
        expected="a valid token of this hub",
        found=found,
        action="Log in again with a token of this hub; its operator makes one with `tensorhub token create`.",
    )
