"""Cards: ``/api/validate-yaml``, which clients ask before they commit a ``README.md``.

Duty: say what is wrong with a card's front matter. Not its duty: reading it for lists (``profile``).
Invariants: the answer is JSON whatever is sent, 400 where the card must not be committed, since clients read it so.
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.errors import UsageError
from tensorhub.formats.front_matter import parse_front_matter
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse, header_text
from tensorhub.hub.routes import Route
from tensorhub.schema.names import RepoType

_TYPES = frozenset(kind.value for kind in RepoType)
_TEXT_FIELDS = {  # what must be a text, or a list of texts where the second says so
    "license": True,
    "library_name": False,
    "pipeline_tag": False,
    "base_model": True,
    "datasets": True,
    "tags": True,
    "language": True,
}


async def validate_yaml(request: HubRequest) -> Response:
    """Answer errors and warnings about a card."""
    body = await request.json()
    content, repo_type = body.get("content"), body.get("repoType", "model")
    if not isinstance(content, str) or repo_type not in _TYPES:
        raise UsageError(
            "request body",
            expected="content as a text, and repoType model, dataset or space",
            found="something else",
            action="Send both as JSON.",
        )
    errors, warnings = await request.hub.meta.run(check_card, content)
    answer = {
        "errors": [{"message": message} for message in errors],
        "warnings": [{"message": message} for message in warnings],
    }
    if not errors:
        return JsonResponse(answer)
    headers = {"X-Error-Message": header_text("; ".join(errors))}
    if request.headers.get("accept", "") == "text/plain":  # for a person, not a program
        return Response("\n".join(f"- Error: {message}" for message in errors), 400, headers, "text/plain")
    return JsonResponse(answer, 400, headers)


def check_card(content: str) -> tuple[list[str], list[str]]:
    """Check a card.

    Parameters
    ----------
    content
        The whole card.

    Returns
    -------
    list of str
        What forbids it.
    list of str
        What its author should know.
    """
    found = parse_front_matter(content)
    if found.error:
        return [found.error], []
    if not found.data:
        return [], ["empty or missing yaml metadata in repo card"]
    errors: list[str] = []
    for name, takes_list in _TEXT_FIELDS.items():
        value = found.data.get(name)
        items = value if takes_list and isinstance(value, list) else [value]
        if value is not None and not all(isinstance(item, str) for item in items):
            errors.append(f'"{name}" must be a string' + (" or an array of strings" if takes_list else ""))
    index = found.data.get("model-index")
    if index is not None and not (
        isinstance(index, list) and all(isinstance(item, dict) and "results" in item for item in index)
    ):
        errors.append('"model-index" must be an array of models with "results"')
    return errors, []


ROUTES = [Route("POST", "/api/validate-yaml", validate_yaml)]
