"""What every handler that changes something shares: who commits, who did what, URLs of repositories.

Duty: these three. Not its duty: the changes.
Invariants: a change is in the audit log before its answer is sent.
"""

from __future__ import annotations

from urllib.parse import quote

from tensorhub.errors import AuthenticationError, ForbiddenError, RepositoryNotFoundError
from tensorhub.hub.access import Identity, can_admin, can_propose
from tensorhub.hub.commits import Committer
from tensorhub.hub.hub import Hub, forbidden
from tensorhub.hub.request import HubRequest, address_of
from tensorhub.schema.names import RepositoryId


def repository_url(request: HubRequest, repository: RepositoryId, rest: str = "") -> str:
    """Give the URL of a repository's page, or of one below it; ``rest`` is percent-encoded."""
    prefix = "" if repository.repo_type.value == "model" else f"{repository.repo_type.value}s/"
    url = f"{request.base_url}/{prefix}{quote(repository.repo_id)}"
    return f"{url}/{rest}" if rest else url


def user_of(identity: Identity) -> str:
    """Give the name of who asks.

    Raises
    ------
    AuthenticationError
        Nobody knows who that is.
    """
    if identity.user is None:
        raise AuthenticationError(
            "request that changes something",
            expected="an access token",
            found="none",
            action="Log in (`hf auth login`), or set HF_TOKEN.",
        )
    return identity.user


def may_read_files(hub: Hub, identity: Identity, repository: RepositoryId) -> bool:
    """Say whether an identity may read the content of a repository."""
    try:
        hub.check_files(identity, repository)
    except (ForbiddenError, RepositoryNotFoundError):
        return False
    return True


def committer(hub: Hub, identity: Identity) -> Committer:
    """Describe who asks as who commits."""
    user = user_of(identity)
    return Committer(user, user, lambda repository: may_read_files(hub, identity, repository))


def check_admin(hub: Hub, identity: Identity, repository: RepositoryId, what: str) -> None:
    """Make sure that an identity may administer a repository.

    Raises
    ------
    AuthenticationError
        Nobody knows who asks.
    ForbiddenError
        It may not.
    """
    user_of(identity)
    if not can_admin(identity, repository, hub.repositories.row(repository)):
        raise forbidden(identity, what)


def check_proposer(identity: Identity, repository: RepositoryId, what: str) -> str:
    """Make sure that somebody who may read a repository may take part in it; gives the name.

    Raises
    ------
    AuthenticationError
        Nobody knows who asks.
    ForbiddenError
        The token may only read, or is kept to other namespaces.
    """
    user = user_of(identity)
    if not can_propose(identity, repository):
        raise forbidden(identity, what)
    return user


async def record(request: HubRequest, action: str, subject: object, detail: str = "") -> None:
    """Write down in the audit log that a request did something."""
    await request.hub.meta.run(
        request.hub.audit.record,
        action,
        str(subject),
        user=request.identity.user,
        detail=detail,
        address=address_of(request.raw, request.hub.config.trusted_proxies),
    )
