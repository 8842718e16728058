"""Grants: who may use the Xet endpoints for what, and under which address.

Duty: the address that a client is given, tokens for it, links to data; making a client forget what it remembers.
Not its duty: deciding who may read or write a repository.
Invariants: clients keep what they remember of uploads by the full address, so it names the store, the user and two
epochs: one that gc moves for everybody, one for each user. An address of a former epoch still works, for uploads
that are under way; it is only given to nobody any more. A token is good for one user and one repository, as
long as the access token that it was given for is (``api`` asks).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from tensorhub.errors import AuthenticationError, ForbiddenError, NotFoundError
from tensorhub.hub.signing import Signer
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store import state_schema as schema
from tensorhub.store.retention import retention_epoch
from tensorhub.store.store import Store

TOKEN_S = 3600  # clients ask for a new one half a minute before
LINK_S = 3600  # a client that waits for longer is answered 403, and asks for new links
_TOKEN, _LINK = "xet-token", "xet-data"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for.

    Attributes
    ----------
    user
        Who got it; None for somebody unknown, who may only read.
    repository
        Where.
    commit_id
        Of the revision whose files may be read.
    can_write
        Whether it is for uploads.
    epoch
        The user's, when it was given.
    token_id
        Of the access token on whose strength it was given; empty without one.
    """

    user: str | None
    repository: RepositoryId
    commit_id: str
    can_write: bool
    epoch: int
    token_id: str


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token with the address that it is for.

    Attributes
    ----------
    cas_url
        Address of the endpoints.
    text
        The token.
    expires_at_s
        When it expires, in seconds since 1970 UTC.
    """

    cas_url: str
    text: str
    expires_at_s: int


@dataclass(frozen=True, slots=True)
class Link:
    """What a link to data is good for: chunks of one virtual xorb of a file.

    Attributes
    ----------
    file
        Digest of the file record, in hexadecimal digits.
    index, first, stop
        The xorb and its chunks.
    repository, user, token_id
        As in the :class:`Grant` that it was given for.
    """

    file: str
    index: int
    first: int
    stop: int
    repository: RepositoryId
    user: str | None
    token_id: str


class Grants:
    """Gives out tokens and links, and recognises them.

    Parameters
    ----------
    store, signer
        Whose address, whose signature.
    """

    def __init__(self, store: Store, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    def issue(
        self,
        base_url: str,
        user: str | None,
        repository: RepositoryId,
        commit_id: str,
        *,
        can_write: bool,
        token_id: str = "",
    ) -> IssuedToken:
        """Give a token.

        Parameters
        ----------
        base_url
            Under which the caller knows the hub.
        user, repository, commit_id, can_write, token_id
            As in :class:`Grant`.
        """
        epoch = self._epoch(user)
        payload = {
            "u": user,
            "t": repository.repo_type.value,
            "r": repository.repo_id,
            "c": commit_id,
            "w": can_write,
            "s": self._store.store_id,
            "e": epoch,
            "k": token_id,
        }
        text = self._signer.sign(payload, TOKEN_S, purpose=_TOKEN)
        return IssuedToken(f"{base_url}/cas/{self._place(user, epoch)}", text, int(time.time()) + TOKEN_S)

    def accept(self, place: str, header: str, *, for_write: bool = False) -> Grant:
        """Recognise a token.

        Parameters
        ----------
        place
            The part of the address that names store, user and epochs.
        header
            ``Authorization``, as it came.
        for_write
            The call uploads something.

        Raises
        ------
        NotFoundError
            The address is that of another store.
        AuthenticationError
            The token was not given here, or has expired.
        ForbiddenError
            It may only read.
        """
        self.check_place(place)
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationError(
                "request to the Xet endpoints",
                expected="the token that came with the address",
                found="none",
                action="Start the upload or download again.",
            )
        payload = self._signer.verify(text.strip(), _TOKEN)
        if payload["s"] != self._store.store_id:
            raise _other_store(place)
        if for_write and not (payload["w"] and payload["u"] is not None):
            raise ForbiddenError(
                "upload",
                expected="a token for uploads",
                found="one for downloads",
                action="Start the upload again.",
            )
        repository = RepositoryId(RepoType(payload["t"]), payload["r"])
        return Grant(payload["u"], repository, payload["c"], payload["w"], payload["e"], payload["k"])

    def check_place(self, place: str) -> None:
        """Refuse the address of another store.

        Raises
        ------
        NotFoundError
            It is one.
        """
        if not place.startswith(f"s-{self._store.store_id[:16]}-"):
            raise _other_store(place)

    def sign_link(self, link: Link) -> str:
        """Sign a link to data."""
        payload = {
            "f": link.file,
            "x": link.index,
            "a": link.first,
            "z": link.stop,
            "t": link.repository.repo_type.value,
            "r": link.repository.repo_id,
            "u": link.user,
            "k": link.token_id,
        }
        return self._signer.sign(payload, LINK_S, purpose=_LINK)

    def accept_link(self, text: str) -> Link:
        """Recognise a link to data.

        Raises
        ------
        ForbiddenError
            It was not given here, or has expired. Clients ask for a new one at this answer only.
        """
        try:
            payload = self._signer.verify(text, _LINK)
        except AuthenticationError as error:
            raise ForbiddenError(
                error.thing, expected=error.expected, found=error.found, action=error.action
            ) from error
        repository = RepositoryId(RepoType(payload["t"]), payload["r"])
        return Link(
            payload["f"], payload["x"], payload["a"], payload["z"], repository, payload["u"], payload["k"]
        )

    def forget(self, grant: Grant) -> None:
        """Let a user's clients begin anew, with an empty memory, at their next upload.

        Parameters
        ----------
        grant
            Whose, and of which epoch; if a newer one has begun, nothing is changed.
        """
        epoch = 1 + secrets.randbelow(
            1 << 30
        )  # not a counter: a state put back from a backup must not count again
        row = insert(schema.xet_epoch).values(user=_key(grant.user), epoch=epoch)
        with self._store.state.write() as connection:
            connection.execute(
                row.on_conflict_do_update(
                    index_elements=["user"],
                    set_={"epoch": epoch},
                    where=schema.xet_epoch.c.epoch == grant.epoch,
                )
            )

    def _epoch(self, user: str | None) -> int:
        columns = schema.xet_epoch.c
        with self._store.state.read() as connection:
            found = connection.execute(select(columns.epoch).where(columns.user == _key(user))).scalar()
        return found or 0

    def _place(self, user: str | None, epoch: int) -> str:
        tag = hashlib.blake2b(_key(user).encode(), key=bytes.fromhex(self._store.store_id), digest_size=4)
        return f"s-{self._store.store_id[:16]}-{retention_epoch(self._store)}-{tag.hexdigest()}-{epoch}"


def _key(user: str | None) -> str:
    return "" if user is None else user.casefold()


def _other_store(place: str) -> NotFoundError:
    return NotFoundError(
        f"Xet endpoints at {place[:80]}",
        expected="an address that this hub gave out",
        found="one of another store, or of this one before it was made anew",
        action="Start the upload or download again; the client then asks for the address.",
    )
