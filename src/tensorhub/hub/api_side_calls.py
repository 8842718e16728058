"""Side calls: what clients ask beside their business, and what they must be told that the hub does not do.

Duty: telemetry, the list of agent programs, the list of known tags, requests of git. Not its duty: anything that keeps
state.
Invariants: nothing that a client tells about itself is read, kept or passed on.
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.errors import GitNotSpokenError
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route


async def ignore(request: HubRequest) -> Response:
    """Answer telemetry: taken note of by nobody."""
    return Response(status_code=204)


async def agent_harnesses(request: HubRequest) -> Response:
    """Answer which agent programs the hub knows: none."""
    return JsonResponse({"standardEnvVars": [], "harnesses": {}})


async def tags_by_type(request: HubRequest) -> Response:
    """Answer the tags that the hub knows beforehand: none."""
    return JsonResponse({})


async def git(request: HubRequest) -> Response:
    """Answer git: it is not spoken here."""
    raise GitNotSpokenError(
        f"git access to {request.params['repo']}",
        expected="a client of the Hugging Face hub, such as hf",
        found="git",
        action="Download with `hf download`, upload with `hf upload`.",
    )


ROUTES = [
    Route("GET HEAD POST", "/api/telemetry", ignore),
    Route("GET HEAD POST", "/api/telemetry/{path}", ignore),
    Route("GET HEAD", "/api/agent-harnesses", agent_harnesses),
    Route("GET HEAD", "/api/{kind}-tags-by-type", tags_by_type),
    Route("GET HEAD POST", "/{P}{repo}/info/refs", git),
    Route("GET HEAD POST", "/{P}{repo}/git-upload-pack", git),
    Route("GET HEAD POST", "/{P}{repo}/git-receive-pack", git),
]
