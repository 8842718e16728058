"""Every route of the page, and the page of an error.

Duty: join the routes in the order in which they are tried; dress errors. Not its duty: any one view.
Invariants: an error page says no more than the answer that it dresses.
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.errors import AuthenticationError, CapacityError, NotFoundError, TensorHubError
from tensorhub.hub.app import COOKIE, ErrorPage
from tensorhub.hub.hub import Hub
from tensorhub.hub.pages import change_routes, repository_routes, session_routes, store_routes
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pages.reader import Reader
from tensorhub.hub.pages.render import load_templates
from tensorhub.hub.pages.session_routes import drop_cookie
from tensorhub.hub.pages.site import Site, open_site
from tensorhub.hub.pages.static_files import load_static_files
from tensorhub.hub.request import HubRequest
from tensorhub.hub.routes import Route

# The pages of repositories come last: their patterns fit nearly every short path.
ROUTES: list[Route] = [
    *session_routes.ROUTES,
    *store_routes.ROUTES,
    *repository_routes.ROUTES,
    *change_routes.ROUTES,
]

_KEPT_HEADERS = ("X-Error-Code", "X-Error-Message", "Retry-After", "WWW-Authenticate", "Allow")
_TITLES = {
    401: "Nothing here that you may see",
    403: "You may not see this",
    404: "Nothing here",
    405: "This cannot be done here",
    503: "Not ready yet",
}


def make_error_page(hub: Hub) -> ErrorPage:
    """Make the function that turns the answer to an error into a page; loads all that pages are made of."""
    load_templates()
    load_static_files()

    def error_page(request: HubRequest | None, error: TensorHubError, response: Response) -> Response:
        if request is not None:
            site = open_site(request, COOKIE)
        else:
            nobody = Reader(None, is_admin=False, may_read=lambda _: False)
            links = Links(hub.config.root_path)
            site = Site(hub, nobody, links, "", hub.accounts.has_users(), is_signed_in=False)
        page = _dress(site, error, response, "" if request is None else _path_of(request))
        if isinstance(error, AuthenticationError):
            drop_cookie(site, page)  # or no page could be seen any more with a token that was revoked
        return page

    return error_page


def _dress(site: Site, error: TensorHubError, response: Response, here: str) -> Response:
    status = response.status_code
    is_ours = status >= 500 and not isinstance(error, CapacityError)
    if is_ours:
        text = "Something failed. The server's log has more."
    elif isinstance(error, NotFoundError):
        text = f"There is no {error.thing}, or you may not see it."
    else:
        text = str(error)
    values = {
        "status": status,
        "title": _TITLES.get(status, "Something failed" if is_ours else "This cannot be shown"),
        "text": text,
        "here": here,
    }
    page = site.page("error.html", values, status=status)
    for name in _KEPT_HEADERS:
        if name in response.headers:
            page.headers[name] = response.headers[name]
    return page


def _path_of(request: HubRequest) -> str:
    raw_path: bytes = request.raw.scope.get("raw_path") or b"/"
    return raw_path.decode("latin-1")
