"""Accounts: who asks, what he may do with a repository, what is his, and who is in which organisation.

Duty: ``whoami-v2``, ``auth-check``, ``settings/repositories`` and the overviews of users and organisations. Not its
duty: making users or tokens (the command line).
Invariants: counts and lists hold what the asker may read, nothing else; nobody learns of a token but its bearer.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tensorhub.errors import AuthenticationError, NotFoundError
from tensorhub.hub.access import Identity, Visibility
from tensorhub.hub.api_info import used_nbytes
from tensorhub.hub.cursors import next_page, parse_cursor, parse_limit
from tensorhub.hub.dates import iso_date
from tensorhub.hub.directory import Entry
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route

_PAGE = 1000


async def whoami(request: HubRequest) -> Response:
    """Answer who asks, and in which organisations he is."""
    identity = request.identity
    user = _known_user(identity)
    organizations = await request.hub.meta.run(_organizations_of, request.hub, identity)
    namespaces = request.hub.namespaces
    role = identity.token_scope or ("write" if identity.can_write else "read")
    return JsonResponse(
        {
            "type": "user",
            "id": user.casefold(),
            "name": user,
            "fullname": namespaces.info(user).full_name,
            "isPro": False,
            "canPay": False,
            "periodEnd": None,
            "orgs": [
                {
                    "type": "org",
                    "id": name.casefold(),
                    "name": name,
                    "fullname": namespaces.info(name).full_name,
                    "roleInOrg": role_there,
                }
                for name, role_there in organizations.items()
            ],
            "auth": {
                "type": "access_token",
                "accessToken": {"displayName": identity.token_name or user, "role": role},
            },
        }
    )


def _known_user(identity: Identity) -> str:
    if identity.user is None:
        raise AuthenticationError(
            "who asks",
            expected="an access token",
            found="none",
            action="Log in with a token of this hub; its operator makes one with `tensorhub token create`.",
        )
    return identity.user


def _organizations_of(hub: Hub, identity: Identity) -> dict[str, str]:
    """Give the organisations of an identity by name; those only that its token reaches."""
    if identity.user is None or not hub.accounts.has_users():
        return {}
    found = hub.accounts.user(identity.user).namespaces
    return {name: role for name, role in found.items() if identity.role_in(name) is not None}


async def auth_check(request: HubRequest) -> Response:
    """Answer whether the asker may read a repository's files."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    await hub.meta.run(hub.check_files, request.identity, found)
    return JsonResponse({})


async def auth_check_write(request: HubRequest) -> Response:
    """Answer whether the asker may commit to a repository."""
    hub = request.hub
    await hub.meta.run(hub.find_for_write, request.repository, request.identity)
    return JsonResponse({})


async def own_repositories(request: HubRequest) -> Response:
    """Answer the repositories of the asker's namespace, or of an organisation that he is in."""
    hub, identity = request.hub, request.identity
    user = _known_user(identity)
    namespace = request.params.get("name", user)
    is_insider = identity.is_admin or identity.role_in(namespace) is not None
    if not is_insider:
        raise NotFoundError(
            f"organisation {namespace!r}",
            expected="one that the asker is in",
            found="another",
            action="Ask for one of your own; `hf auth whoami` lists them.",
        )
    has_all = identity.is_admin and "name" not in request.params and not hub.accounts.has_users()
    entries = await hub.meta.run(_entries_of, hub, identity, None if has_all else namespace)
    if "cursor" in request.query:
        after = tuple(parse_cursor(request.query["cursor"], str, str))
        entries = [entry for entry in entries if entry.repository.key > after]
    limit = parse_limit(request.query, _PAGE, _PAGE)
    page = entries[:limit]
    items = await hub.meta.run(lambda: [_describe_storage(hub, entry) for entry in page])
    has_more = len(entries) > limit
    return JsonResponse(items, headers=next_page(request, [*page[-1].repository.key]) if has_more else None)


def _entries_of(hub: Hub, identity: Identity, namespace: str | None) -> list[Entry]:
    entries = hub.readable(identity)
    if namespace is None:
        return entries
    wanted = namespace.casefold()
    return [entry for entry in entries if entry.repository.key[1].partition("/")[0] == wanted]


def _describe_storage(hub: Hub, entry: Entry) -> dict[str, Any]:
    row = hub.repositories.row(entry.repository)
    is_public = row is not None and row.visibility is Visibility.PUBLIC
    made_at_ms = row.created_at_ms if row is not None else entry.created_at_ms
    return {
        "id": entry.repository.repo_id,
        "type": entry.repository.repo_type.value,
        "updatedAt": iso_date(entry.modified_at_ms or made_at_ms),
        "visibility": "public" if is_public else "private",
        "storage": used_nbytes(hub, entry.repository),
        "storagePercent": 0,
    }


async def user_overview(request: HubRequest) -> Response:
    """Answer what is known of a user: his organisations, and how many repositories of his the asker may read."""
    _check_open(request)
    hub, name = request.hub, request.params["name"]
    if not hub.accounts.has_users() and name == request.identity.user:
        organizations: dict[str, str] = {}
    else:
        user = await hub.meta.run(hub.accounts.user, name)
        name, organizations = user.name, user.namespaces
    counts = await hub.meta.run(_count, hub, request.identity, name)
    full_names = {org: hub.namespaces.info(org).full_name for org in organizations}
    orgs = [{"id": org.casefold(), "name": org, "fullname": full} for org, full in full_names.items()]
    return JsonResponse(
        {
            "user": name,
            "fullname": hub.namespaces.info(name).full_name,
            "type": "user",
            "isPro": False,
            "orgs": orgs,
            "avatarUrl": "",
            **counts,
        }
    )


async def organization_overview(request: HubRequest) -> Response:
    """Answer what is known of an organisation."""
    _check_open(request)
    hub = request.hub
    name, members = await hub.meta.run(_organization, hub, request.params["name"])
    counts = await hub.meta.run(_count, hub, request.identity, name)
    about = {"name": name, "fullname": hub.namespaces.info(name).full_name, "numUsers": len(members)}
    return JsonResponse({**about, "avatarUrl": "", "isVerified": False, **counts})


async def organization_members(request: HubRequest) -> Response:
    """Answer who is in an organisation."""
    _check_open(request)
    _, members = await request.hub.meta.run(_organization, request.hub, request.params["name"])
    return JsonResponse(
        [{"user": user, "fullname": user, "type": "user", "avatarUrl": ""} for user in members]
    )


def _check_open(request: HubRequest) -> None:
    """Tell nobody unknown about users where nobody unknown reads anything."""
    if not request.hub.config.allows_anonymous_read:
        _known_user(request.identity)


def _organization(hub: Hub, asked: str) -> tuple[str, dict[str, str]]:
    for name, members in hub.accounts.organizations().items():
        if name.casefold() == asked.casefold():
            return name, members
    raise NotFoundError(
        f"organisation {asked!r}",
        expected="one that has members",
        found="none",
        action="`hf auth whoami` lists your own.",
    )


def _count(hub: Hub, identity: Identity, namespace: str) -> dict[str, int]:
    counts = {"numModels": 0, "numDatasets": 0, "numSpaces": 0}
    for entry in _entries_of(hub, identity, namespace):
        counts[f"num{entry.repository.repo_type.value.title()}s"] += 1
    return counts


ROUTES = [
    Route("GET HEAD", "/api/whoami-v2", whoami),
    Route("GET HEAD", "/api/settings/repositories", own_repositories),
    Route("GET HEAD", "/api/organizations/{name}/settings/repositories", own_repositories),
    Route("GET HEAD", "/api/organizations/{name}/overview", organization_overview),
    Route("GET HEAD", "/api/organizations/{name}/members", organization_members),
    Route("GET HEAD", "/api/users/{name}/overview", user_overview),
    Route("GET HEAD", "/api/{T}/{repo}/auth-check", auth_check),
    Route("GET HEAD", "/api/{T}/{repo}/auth-check/write", auth_check_write),
]
