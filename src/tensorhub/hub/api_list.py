"""Lists of repositories: ``/api/models``, ``/api/datasets`` and ``/api/spaces``, with search, filters, order and pages.

Duty: the routes and their query. Not its duty: keeping the entries (``directory``), information on one (``api_info``).
Invariants: nothing that the asker may not read is listed, counted or found; a page is bounded whatever is asked, and
begins after the last entry of the page before, so that what comes and goes meanwhile moves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from tensorhub.errors import IntegrityError, NotReadyError, RevisionNotFoundError, UsageError
from tensorhub.hub.access import Gate, RepositoryRow
from tensorhub.hub.api_info import (
    describe_decisions,
    describe_profile,
    describe_siblings,
    parse_expand,
    profile_of,
    used_nbytes,
)
from tensorhub.hub.cursors import next_page, parse_cursor, parse_limit
from tensorhub.hub.dates import iso_date
from tensorhub.hub.directory import Entry
from tensorhub.hub.hub import Hub
from tensorhub.hub.request import HubRequest
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.routes import Route
from tensorhub.schema.names import RepoType

_PAGE = 1000
_FULL_PAGE = 100  # with files, cards or sizes each entry costs look-ups
_COSTLY = frozenset(("siblings", "cardData", "model-index", "usedStorage"))
_MAX_TERMS = 20  # of a search or filter
_RANGE = re.compile(r"(min|max):(\d{1,12}(?:\.\d{1,6})?)([KMBT]?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_SORTS: dict[str, Callable[[Entry], int]] = {
    "lastModified": lambda entry: entry.modified_at_ms,
    "createdAt": lambda entry: entry.created_at_ms,
    "size": lambda entry: entry.nbytes,
    "downloads": lambda _: 0,  # nobody counts these: all are equal, and the newest come first
    "likes": lambda _: 0,
    "trendingScore": lambda _: 0,
}
_SORT_NAMES = {"last_modified": "lastModified", "created_at": "createdAt", "trending_score": "trendingScore"}


@dataclass(frozen=True, slots=True)
class _Query:
    """What a list is asked for."""

    repo_type: RepoType
    terms: tuple[str, ...]
    author: str | None
    tags: tuple[str, ...]
    gated: bool | None
    parameters: tuple[float, float] | None
    sort: str
    is_rising: bool
    wanted: frozenset[str]
    is_full: bool
    with_card: bool
    with_config: bool
    is_empty: bool

    @property
    def needs_profiles(self) -> bool:
        return bool(self.tags) or self.parameters is not None

    @property
    def is_costly(self) -> bool:
        return self.is_full or self.with_card or bool(self.wanted & _COSTLY)


async def list_repositories(request: HubRequest) -> Response:
    """Answer the repositories of one type that the asker may read."""
    hub = request.hub
    query = _parse(request)
    most = _FULL_PAGE if query.is_costly else _PAGE
    limit = parse_limit(request.query, most, most)
    after: tuple[Any, ...] | None = None
    if "cursor" in request.query:
        after = tuple(parse_cursor(request.query["cursor"], int, int, str))
    page, has_more = await hub.meta.run(_find, request, query, after, limit)
    items = await hub.meta.run(lambda: [_describe(hub, entry, query) for entry in page])
    return JsonResponse(items, headers=next_page(request, [*_order(query, page[-1])]) if has_more else None)


def _parse(request: HubRequest) -> _Query:
    query = request.query
    repo_type = RepoType(request.repo_type)
    wanted = parse_expand(request, repo_type)
    sort = _SORT_NAMES.get(query.get("sort", ""), query.get("sort", "lastModified"))
    if sort not in _SORTS:
        raise _refuse("sort", f"one of {', '.join(_SORTS)}", sort)
    direction = query.get("direction", "-1")
    if direction not in ("1", "-1"):
        raise _refuse("direction", "1 or -1", direction)
    terms = [term.casefold() for value in request.query_list("search") for term in value.split()]
    tags = [tag for value in request.query_list("filter") for tag in value.split(",") if tag]
    tags += [tag for name in ("pipeline_tag", "library") for tag in request.query_list(name) if tag]
    for name in ("datasets", "models"):  # a space's
        tags += [f"{name}:{value}" for value in request.query_list(name)]
    if len(terms) > _MAX_TERMS or len(tags) > _MAX_TERMS:
        raise _refuse("search or filter", f"at most {_MAX_TERMS} terms", str(max(len(terms), len(tags))))
    asks_providers = any(query.get(name) for name in ("inference", "inference_provider", "apps"))
    return _Query(
        repo_type,
        tuple(terms),
        query["author"].casefold() if query.get("author") else None,
        tuple(tag.casefold() for tag in tags),
        request.flag("gated") if "gated" in query else None,
        _parse_parameters(query["num_parameters"]) if query.get("num_parameters") else None,
        sort,
        direction == "1",
        wanted,
        request.flag("full"),
        request.flag("cardData"),
        request.flag("config"),
        is_empty=asks_providers,  # no provider runs what lies here
    )


def _parse_parameters(text: str) -> tuple[float, float]:
    bounds = {"min": 0.0, "max": float("inf")}
    for part in text[:100].split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise _refuse("num_parameters", "a range such as min:6B,max:128B", text)
        bounds[found[1].lower()] = float(found[2]) * _UNITS[found[3].upper()]
    return bounds["min"], bounds["max"]


def _refuse(name: str, expected: str, found: str) -> UsageError:
    return UsageError(
        f"query parameter {name}",
        expected=expected,
        found=repr(found[:100]),
        action="Ask for something else.",
    )


def _order(query: _Query, entry: Entry) -> tuple[int, int, str]:
    """Give what entries are ordered by, rising: numbers are negative where the largest come first."""
    first, second = _SORTS[query.sort](entry), entry.modified_at_ms
    sign = 1 if query.is_rising else -1
    return sign * first, -second, entry.repository.key[1]


def _find(
    request: HubRequest, query: _Query, after: tuple[Any, ...] | None, limit: int
) -> tuple[Sequence[Entry], bool]:
    """Give a page, and whether more follow."""
    hub, identity = request.hub, request.identity
    if query.is_empty:
        return [], False
    entries: Sequence[Entry] = hub.readable(identity, query.repo_type)
    if query.gated is not None:
        rows = hub.repositories.rows()
        entries = [entry for entry in entries if _is_gated(rows.get(entry.repository.key)) is query.gated]
    if query.needs_profiles and any(entry.profile is None for entry in entries):
        entries = _with_profiles(hub, entries)
    matching = [entry for entry in entries if _matches(query, entry)]
    matching.sort(key=lambda entry: _order(query, entry))
    if after is not None:
        matching = [entry for entry in matching if _order(query, entry) > after]
    return matching[:limit], len(matching) > limit


def _with_profiles(hub: Hub, entries: Sequence[Entry]) -> list[Entry]:
    missing = sum(entry.profile is None for entry in entries)
    if missing > _PAGE:
        raise NotReadyError(
            "list of repositories by tags",
            expected="cards that were read",
            found=f"{missing} that were not yet",
            action="The server has just started; try again in a while.",
        )
    return [
        entry
        if entry.profile is not None
        else Entry(entry.repository, entry.info, entry.created_at_ms, hub.directory.profile(entry))
        for entry in entries
    ]


def _is_gated(row: RepositoryRow | None) -> bool:
    return row is not None and row.gate is not Gate.NO


def _matches(query: _Query, entry: Entry) -> bool:
    key = entry.repository.key[1]
    if query.author is not None and key.partition("/")[0] != query.author:
        return False
    if any(term not in key for term in query.terms):
        return False
    if query.needs_profiles and entry.profile is not None:
        profile = entry.profile
        if not profile.keys.issuperset(query.tags):
            return False
        if query.parameters is not None:
            lowest, highest = query.parameters
            if not profile.parameters or not lowest <= profile.total_parameters <= highest:
                return False
    return True


def _describe(hub: Hub, entry: Entry, query: _Query) -> dict[str, Any]:
    profile = hub.directory.profile(entry)
    repo_type = entry.repository.repo_type
    item: dict[str, Any] = {"createdAt": iso_date(entry.created_at_ms)}
    item |= describe_decisions(hub, entry.repository) | describe_profile(repo_type, profile)
    item["sha"] = entry.commit_id
    item["lastModified"] = iso_date(entry.modified_at_ms) if entry.commit_id else item["createdAt"]
    if repo_type is RepoType.MODEL:
        item["modelId"] = entry.repository.repo_id
    if "usedStorage" in query.wanted:
        item["usedStorage"] = used_nbytes(hub, entry.repository)
    if query.is_costly:
        item |= _describe_content(hub, entry)
    if query.wanted:
        return {name: value for name, value in item.items() if name == "id" or name in query.wanted}
    if not query.with_config:
        item.pop("config", None)
    item.pop("safetensors", None)
    if not (query.is_full or query.with_card):
        item.pop("cardData", None)
    return item


def _describe_content(hub: Hub, entry: Entry) -> dict[str, Any]:
    """Give the files and the card; neither of a repository whose newest commit cannot be shown yet."""
    try:
        view = hub.view(entry.repository, None)
        card = profile_of(hub, view)[1]
    except (RevisionNotFoundError, NotReadyError, IntegrityError):  # damage in one must not hide the others
        return {"siblings": []}
    item: dict[str, Any] = {"siblings": describe_siblings(view.files, with_sizes=False), "cardData": card}
    return item | ({"model-index": card["model-index"]} if "model-index" in card else {})


ROUTES = [Route("GET HEAD", "/api/{T}", list_repositories)]
