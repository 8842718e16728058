"""Signing in and out, and the page's static files.

Duty: keep a reader's access token in a cookie of his browser; hand out styles and scripts. Not its duty: what a token
may do (``accounts``).
Invariants: the cookie is HttpOnly and SameSite=Lax, Secure where the page came over HTTPS, and counts for reading only
(``app.read_secret``); a token that is not valid never becomes a cookie. Where one is sent to after signing in is a path
of this hub.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from tensorhub.errors import AuthenticationError, InvalidRecordError, NotFoundError
from tensorhub.hub.app import COOKIE
from tensorhub.hub.pages.site import Site, open_site
from tensorhub.hub.pages.static_files import find_static_file
from tensorhub.hub.request import HubRequest
from tensorhub.hub.routes import Route

_MAX_FORM_NBYTES = 16_384  # a token and a path
_COOKIE_S = (
    30 * 24 * 3600
)  # as long as browsers keep one signed in elsewhere; revoking the token ends it at once


async def login(request: HubRequest) -> Response:
    """Answer the form for a token."""
    site = await request.hub.meta.run(open_site, request, COOKIE)
    return _form(site, request.query.get("next", ""), "")


async def sign_in(request: HubRequest) -> Response:
    """Take a token."""
    site = await request.hub.meta.run(open_site, request, COOKIE)
    fields = _parse_form(await request.body(_MAX_FORM_NBYTES))
    token, target = fields.get("token", "").strip(), fields.get("next", "")
    try:
        await request.hub.meta.run(request.hub.accounts.authenticate, token)
    except AuthenticationError:
        return _form(site, target, "This hub does not know this token, or it is no longer valid.", status=401)
    response = RedirectResponse(_own_path(site, target), 303)
    response.set_cookie(
        COOKIE,
        token,
        max_age=_COOKIE_S,
        path=site.links.prefix or "/",
        httponly=True,
        samesite="lax",
        secure=request.base_url.startswith("https:"),
    )
    return response


async def sign_out(request: HubRequest) -> Response:
    """Forget the token."""
    site = await request.hub.meta.run(open_site, request, COOKIE)
    response = RedirectResponse(site.links.home(), 303)
    drop_cookie(site, response)
    return response


async def static(request: HubRequest) -> Response:
    """Answer a static file; its name changes with its content, so it may be kept for good."""
    found = find_static_file(request.params["name"])
    if found is None:
        raise NotFoundError(
            f"static file {request.params['name']!r}", expected="one of this version", found="none"
        )
    etag = f'"{found.versioned_name}"'
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(found.content, 200, headers, found.media_type)


def drop_cookie(site: Site, response: Response) -> None:
    """Make the browser forget the token."""
    response.delete_cookie(COOKIE, path=site.links.prefix or "/", httponly=True, samesite="lax")


def _form(site: Site, target: str, failure: str, *, status: int = 200) -> Response:
    values = {"next": _own_path(site, target), "failure": failure}
    return site.page("login.html", values, section="login", status=status)


def _own_path(site: Site, target: str) -> str:
    """Keep a path of this hub; anything else is the first page."""
    is_own = (
        target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
        and target.isascii()
        and target.isprintable()
        and len(target) < 2000
    )
    return target if is_own else site.links.home()


def _parse_form(body: bytes) -> dict[str, str]:
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=10)
    except ValueError as error:
        raise InvalidRecordError(
            "request body", expected="a form", found=str(error)[:100], action="Use the page's form."
        ) from error
    return {name: values[-1] for name, values in fields.items()}


ROUTES = [
    Route("GET HEAD", "/login", login),
    Route("POST", "/login", sign_in),
    Route("POST", "/logout", sign_out),
    Route("GET HEAD", "/-/static/{name}", static),
]
