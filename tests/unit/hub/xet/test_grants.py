"""Tokens and links of the Xet endpoints are good for what they were given for, and nothing else."""

from urllib.parse import urlsplit

import pytest

from tensorhub.errors import AuthenticationError, ForbiddenError, NotFoundError
from tensorhub.hub.signing import Signer
from tensorhub.hub.xet.grants import TOKEN_S, Grants, Link
from tensorhub.schema.names import parse_repository
from tensorhub.store.retention import move_epoch

MODEL = parse_repository("org/model", "model")


@pytest.fixture
def grants(store, clock):
    """Give out tokens of a store."""
    return Grants(store, Signer(store.state, clock))


def issue(grants, user="ada", *, can_write=True):
    """Give place and header of a token."""
    issued = grants.issue("http://host/hf", user, MODEL, "c" * 40, can_write=can_write)
    path = urlsplit(issued.cas_url).path
    assert path.startswith("/hf/cas/s-")
    return path.removeprefix("/hf/cas/"), f"Bearer {issued.text}"


def test_a_token_says_who_and_where(grants):
    """User, repository and revision come back."""
    grant = grants.accept(*issue(grants), for_write=True)
    assert (grant.user, grant.repository, grant.commit_id) == ("ada", MODEL, "c" * 40)
    assert grants.accept(*issue(grants, None, can_write=False)).user is None


def test_reading_tokens_do_not_write(grants):
    """Neither one for downloads, nor one that nobody known holds."""
    for user, can_write in (("ada", False), (None, True)):
        with pytest.raises(ForbiddenError, match="one for downloads"):
            grants.accept(*issue(grants, user, can_write=can_write), for_write=True)


def test_expired_and_foreign_tokens_are_refused(grants, clock):
    """Time, signature, scheme and purpose count."""
    place, header = issue(grants)
    link = grants.sign_link(Link("f" * 64, 0, 0, 1, MODEL, None, ""))
    for other in ("", "Basic x", "Bearer x", header[:-2], f"Bearer {link}"):
        with pytest.raises(AuthenticationError):
            grants.accept(place, other)
    clock.now_s += TOKEN_S
    with pytest.raises(AuthenticationError, match="expired"):
        grants.accept(place, header)
    with pytest.raises(ForbiddenError, match="expired"):
        grants.accept_link(link)


def test_another_store_is_told(grants):
    """An address that another store gave out is answered clearly."""
    _, header = issue(grants)
    with pytest.raises(NotFoundError, match="another store"):
        grants.accept("s-0123456789abcdef-0-aaaaaaaa-0", header)


def test_addresses_differ_by_user_and_epoch(grants, store):
    """Clients remember by address: it changes for one user, or by gc for all; the old one still works."""
    ada, bob = issue(grants, "ada")[0], issue(grants, "bob")[0]
    assert ada != bob
    assert issue(grants, "Ada")[0] == ada
    old = issue(grants, "ada")
    grants.forget(grants.accept(*old))
    new = issue(grants, "ada")[0]
    assert new != ada
    assert issue(grants, "bob")[0] == bob
    grants.forget(grants.accept(*old))  # another upload that began before
    assert issue(grants, "ada")[0] == new
    assert grants.accept(*old, for_write=True).user == "ada"
    move_epoch(store, now_ms=1)
    assert issue(grants, "bob")[0] != bob


def test_links_come_back(grants):
    """A link names a file and chunks."""
    link = Link("f" * 64, 3, 5, 512, MODEL, "ada", "k")
    assert grants.accept_link(grants.sign_link(link)) == link
