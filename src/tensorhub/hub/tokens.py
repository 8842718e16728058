"""Access tokens: made, listed, revoked.

Duty: rows of ``token`` in the state. Not its duty: whom a token belongs to when it is shown (``accounts``).
Invariants: a secret is given out once, when it is made, and only its SHA-256 is kept. A slow, salted password hash
would add nothing: a secret has more than 200 random bits, so it can neither be guessed nor be looked up in a table, and
a hash that is slow would be so on every request. A revoked token stays listed and is never valid again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.exc import IntegrityError

from tensorhub.errors import AlreadyExistsError, NotFoundError, UsageError
from tensorhub.hub.values import NewToken, TokenInfo
from tensorhub.schema.names import parse_namespace
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State
from tensorhub.store.state_rows import put_row, read_rows

PREFIX = "hf_"  # Hugging Face clients warn about, or refuse, tokens that begin otherwise
_LETTERS = string.ascii_letters + string.digits
_SECRET_LETTERS = 40  # 238 bits
_MIN_SECRET = 32  # characters of a secret that comes from elsewhere
MAX_SECRET = 200  # what is longer is refused before it is hashed
_ID_NBYTES = 5
_DAY_MS = 24 * 3600 * 1000


class Scope(StrEnum):
    """What a token may do at most."""

    READ = "read"
    WRITE = "write"


def digest_secret(secret: str) -> bytes:
    """Give what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def parse_token(row: Row[Any], names: Mapping[str, str]) -> TokenInfo:
    """Make a row a value; ``names`` has the users' names as written, by key."""
    return TokenInfo(
        token_id=row.id,
        user=names.get(row.user, row.user),
        name=row.name,
        scope=Scope(row.scope).value,
        namespaces=None if row.namespaces is None else json.loads(row.namespaces),
        created_at_ms=row.created_at_ms,
        expires_at_ms=row.expires_at_ms,
        last_used_at_ms=row.last_used_at_ms,
        revoked_at_ms=row.revoked_at_ms,
    )


class Tokens:
    """Tokens of all users; safe for many threads.

    Parameters
    ----------
    state
        Where they lie.
    now_s
        The clock, in seconds since 1970 UTC.
    """

    def __init__(self, state: State, now_s: Callable[[], float] = time.time) -> None:
        self._state = state
        self._now_s = now_s

    def create(
        self,
        user: str,
        *,
        name: str = "",
        scope: Scope = Scope.READ,
        namespaces: Iterable[str] | None = None,
        days: float | None = None,
        secret: str | None = None,
    ) -> NewToken:
        """Make a token for a user.

        Parameters
        ----------
        user
            Whose rights it carries, at most.
        name
            What its user calls it.
        scope
            Whether it may change anything.
        namespaces
            Keep it to these; None for wherever its user may.
        days
            How long it is valid; None for ever.
        secret
            One to take over, so that clients of another hub need no new one; by default a random one.

        Raises
        ------
        NotFoundError
            There is no such user.
        UsageError
            The secret is too short to be one, or the days are not more than 0.
        AlreadyExistsError
            A token has this secret.
        InvalidNameError
            A namespace breaks the rules.
        """
        now_ms = int(self._now_s() * 1000)
        if days is not None and not 0 < days < 1e6:
            raise UsageError(
                "a token's days",
                expected="more than 0 and less than 1,000,000",
                found=f"{days}",
                action="Leave it out for a token that does not expire.",
            )
        kept = (
            None if namespaces is None else sorted({parse_namespace(item).casefold() for item in namespaces})
        )
        chosen = _make_secret() if secret is None else _check_secret(secret)
        values = {
            "id": secrets.token_hex(_ID_NBYTES),
            "user": user.casefold(),
            "name": name,
            "secret_digest": digest_secret(chosen),
            "scope": scope.value,
            "namespaces": None if kept is None else json.dumps(kept),
            "created_at_ms": now_ms,
            "expires_at_ms": None if days is None else now_ms + int(days * _DAY_MS),
            "revoked_at_ms": None,
            "last_used_at_ms": None,
        }
        try:
            with self._state.write() as connection:
                users = read_rows(connection, schema.user, schema.user.c.key == user.casefold())
                if not users:
                    raise unknown_user(user)
                put_row(connection, schema.token, values)
                made = read_rows(connection, schema.token, schema.token.c.id == values["id"])[0]
        except IntegrityError as error:
            raise AlreadyExistsError(
                "a token with this secret",
                expected="none yet",
                found="one",
                action="Leave out the secret: a random one is made.",
            ) from error
        return NewToken(chosen, parse_token(made, {users[0].key: users[0].name}))

    def list(self, user: str | None = None) -> list[TokenInfo]:
        """List the tokens of one user or of all, oldest first, revoked and expired ones among them.

        Raises
        ------
        NotFoundError
            There is no such user.
        """
        with self._state.read() as connection:
            names = {row.key: row.name for row in read_rows(connection, schema.user)}
            if user is not None and user.casefold() not in names:
                raise unknown_user(user)
            wanted = [] if user is None else [schema.token.c.user == user.casefold()]
            rows = read_rows(connection, schema.token, *wanted, order="created_at_ms")
        return [parse_token(row, names) for row in rows]

    def revoke(self, token_id: str) -> TokenInfo:
        """End a token; a second time changes nothing.

        Raises
        ------
        NotFoundError
            No token has this id.
        """
        with self._state.write() as connection:
            rows = read_rows(connection, schema.token, schema.token.c.id == token_id)
            if not rows:
                raise NotFoundError(
                    f"token {token_id!r}",
                    expected="the id of a token",
                    found="no token of that id",
                    action="See `tensorhub token list`; an id is not the secret.",
                )
            values = dict(rows[0]._mapping)
            if values["revoked_at_ms"] is None:
                put_row(connection, schema.token, values | {"revoked_at_ms": int(self._now_s() * 1000)})
            names = {row.key: row.name for row in read_rows(connection, schema.user)}
            revoked = read_rows(connection, schema.token, schema.token.c.id == token_id)[0]
        return parse_token(revoked, names)

    def note_uses(self, uses: Mapping[str, int]) -> None:
        """Keep when tokens were last used: id → milliseconds since 1970 UTC."""
        if not uses:
            return
        column = schema.token.c
        with self._state.write() as connection:
            for token_id, at_ms in uses.items():
                connection.execute(
                    update(schema.token).where(column.id == token_id).values(last_used_at_ms=at_ms)
                )


def unknown_user(name: str) -> NotFoundError:
    """Make the error that says there is no such user."""
    return NotFoundError(
        f"user {name!r}",
        expected="a user of this hub",
        found="none of that name",
        action="See `tensorhub user list`; make one with `tensorhub user add`.",
    )


def _make_secret() -> str:
    return PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(_SECRET_LETTERS))


def _check_secret(secret: str) -> str:
    if not (secret.startswith(PREFIX) and _MIN_SECRET <= len(secret) <= MAX_SECRET and secret.isascii()):
        raise UsageError(
            "a token's secret",
            expected=f"{PREFIX} and {_MIN_SECRET - len(PREFIX)} to {MAX_SECRET - len(PREFIX)} random characters",
            found=f"{len(secret)} characters",
            action="Leave it out: a random one is made.",
        )
    return secret
