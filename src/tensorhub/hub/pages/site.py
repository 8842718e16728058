"""What every page of one request shares, and how a page becomes an answer.

Duty: the reader of a request, addresses, the headers of pages. Not its duty: any one view.
Invariants: a page may load styles, scripts and pictures from the hub itself and nothing else from anywhere, be
framed by nobody, and send forms to the hub only. Pages are private to their reader: no cache keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from starlette.responses import Response

from tensorhub.hub.access import ANONYMOUS, can_read
from tensorhub.hub.hub import Hub
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pages.reader import Reader
from tensorhub.hub.pages.render import render
from tensorhub.hub.pages.static_files import load_static_files
from tensorhub.hub.request import HubRequest
from tensorhub.schema.names import RepositoryId

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization, Cookie",
}
VERSION = version("tensorhub")


@dataclass(frozen=True, slots=True)
class Site:
    """What the pages of one request share.

    Attributes
    ----------
    hub, reader, links
        The server, who looks, and how addresses are made.
    endpoint
        The hub's own address, as the reader knows it.
    can_sign_in
        Whether there are users at all.
    is_signed_in
        Whether a cookie of this browser says who looks.
    """

    hub: Hub
    reader: Reader
    links: Links
    endpoint: str
    can_sign_in: bool
    is_signed_in: bool

    def page(
        self, template: str, values: Mapping[str, Any], *, section: str = "", status: int = 200
    ) -> Response:
        """Write a page out."""
        files = load_static_files()
        text = render(
            template,
            {
                "links": self.links,
                "reader": self.reader,
                "endpoint": self.endpoint,
                "can_sign_in": self.can_sign_in,
                "is_signed_in": self.is_signed_in,
                "version": VERSION,
                "section": section,
                "asset": lambda name: self.links.static(files[name].versioned_name),
                **values,
            },
        )
        return Response(text, status, dict(PAGE_HEADERS), "text/html")

    def private_test(self) -> Callable[[RepositoryId], bool]:
        """Give the test of whether a repository is for some readers only; none is where there are no users."""
        if not self.can_sign_in:
            return lambda _: False
        rows = self.hub.repositories.rows()
        return lambda repository: (
            not can_read(ANONYMOUS, repository, rows.get(repository.key), anonymous_read=True)
        )


def open_site(request: HubRequest, cookie_name: str) -> Site:
    """Find out what the pages of a request share; reads the state."""
    hub, identity = request.hub, request.identity
    rows = hub.repositories.rows()
    allows_anonymous_read = hub.config.allows_anonymous_read

    def may_read(repository: RepositoryId) -> bool:
        return can_read(identity, repository, rows.get(repository.key), anonymous_read=allows_anonymous_read)

    has_users = hub.accounts.has_users()
    rights = (
        identity.user,
        identity.is_admin,
        identity.is_restricted,
        tuple(sorted(identity.namespaces.items())),
        allows_anonymous_read,
        has_users,
    )
    return Site(
        hub,
        Reader(identity.user, identity.is_admin, may_read, rights, rows),
        Links(hub.config.root_path),
        request.base_url,
        has_users,
        cookie_name in request.raw.cookies,
    )
