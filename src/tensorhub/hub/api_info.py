"""A repository's information: ``/api/{models|datasets|spaces}/{id}``, at a revision or at the newest of ``main``.

Duty: the route, files with or without their sizes, which properties are given. Not its duty: lists of repositories
(``api_list``), or what a card means (``profile``).
Invariants: information stays readable where files are gated; a repository without commits has information, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from tensorhub.errors import RevisionNotFoundError, UsageError
from tensorhub.hub.access import Gate, Visibility
from tensorhub.hub.dates import iso_date
from tensorhub.hub.hub import Hub
from tensorhub.hub.profile import Profile
from tensorhub.hub.profile_reader import read_card, read_profile
from tensorhub.hub.request import HubRequest
from tensorhub.hub.resolve import revision_headers
from tensorhub.hub.responses import JsonResponse
from tensorhub.hub.revision_view import FileView, RevisionView
from tensorhub.hub.routes import Route
from tensorhub.schema.names import RepositoryId, RepoType

# What clients may ask for by ``expand``, by type; what the hub does not know of is then left out of the answer.
_OF_ALL = (
    *(
        "author",
        "cardData",
        "createdAt",
        "disabled",
        "downloads",
        "downloadsAllTime",
        "gated",
        "lastModified",
    ),
    *(
        "likes",
        "private",
        "resourceGroup",
        "sha",
        "siblings",
        "tags",
        "trendingScore",
        "usedStorage",
        "xetEnabled",
    ),
)
EXPANDABLE = {
    RepoType.MODEL: frozenset(
        (
            *_OF_ALL,
            *("baseModels", "childrenModelCount", "config", "evalResults", "gguf", "inference"),
            *("inferenceProviderMapping", "library_name", "mask_token", "model-index", "pipeline_tag"),
            *("safetensors", "spaces", "transformersInfo", "widgetData"),
        )
    ),
    RepoType.DATASET: frozenset((*_OF_ALL, "citation", "description", "mainSize", "paperswithcode_id")),
    RepoType.SPACE: frozenset((*_OF_ALL, "datasets", "models", "region", "runtime", "sdk", "subdomain")),
}
_COUNTS = ("downloads", "downloadsAllTime", "likes", "trendingScore")  # nobody counts them here


async def info(request: HubRequest) -> Response:
    """Answer what is known of a repository."""
    hub = request.hub
    found = await hub.meta.run(hub.find, request.repository, request.identity)
    wanted = parse_expand(request, found.repo_type)
    revision = request.params.get("rev")
    try:
        view = await hub.meta.run(hub.view, found, revision)
    except RevisionNotFoundError:
        if revision is not None:
            raise
        view = None
    item = await hub.meta.run(
        _describe, hub, found, view, wanted, with_sizes=request.flag("blobs"), base_url=request.base_url
    )
    if request.flag("securityStatus"):
        item["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    return JsonResponse(item, headers=revision_headers(view) if view else None)


def parse_expand(request: HubRequest, repo_type: RepoType) -> frozenset[str]:
    """Parse which properties a client wants; none stands for the usual ones.

    Raises
    ------
    UsageError
        There is no such property.
    """
    values = request.query_list("expand")
    wanted = frozenset(name for value in values for name in value.split(",") if name)
    if unknown := sorted(wanted - EXPANDABLE[repo_type]):
        raise UsageError(
            "query parameter expand",
            expected=f"one of {', '.join(sorted(EXPANDABLE[repo_type]))}",
            found=", ".join(unknown)[:200],
            action="Ask for others.",
        )
    return wanted


def describe_decisions(hub: Hub, repository: RepositoryId) -> dict[str, Any]:
    """Give what was decided about a repository, and what nobody counts, as a JSON value."""
    row = hub.repositories.row(repository)
    namespace, slash, _ = repository.repo_id.partition("/")
    item: dict[str, Any] = {
        "id": repository.repo_id,
        "author": namespace if slash else None,
        "private": row is None or row.visibility is Visibility.PRIVATE,
        "gated": row.gate.value if row is not None and row.gate is not Gate.NO else False,
        "disabled": False,
        "xetEnabled": True,  # uploads may come by Xet; clients of release 0.36 ask
    }
    if row is not None:
        item["createdAt"] = iso_date(row.created_at_ms)
        if row.sdk and repository.repo_type is RepoType.SPACE:
            item["sdk"] = row.sdk
    return item | dict.fromkeys(_COUNTS, 0)


def describe_profile(repo_type: RepoType, profile: Profile) -> dict[str, Any]:
    """Give what a repository says of itself as a JSON value."""
    item: dict[str, Any] = {"tags": list(profile.tags)}
    if repo_type is RepoType.MODEL:
        optional = {"library_name": profile.library_name, "pipeline_tag": profile.pipeline_tag}
        item |= {name: value for name, value in optional.items() if value is not None}
        if profile.config:
            item["config"] = profile.config
        if profile.parameters:
            item["safetensors"] = {"parameters": profile.parameters, "total": profile.total_parameters}
        if profile.base_models:
            item["baseModels"] = list(profile.base_models)
    elif repo_type is RepoType.SPACE:
        item |= {"sdk": profile.sdk} if profile.sdk else {}
    return item


def profile_of(hub: Hub, view: RevisionView) -> tuple[Profile, Mapping[str, Any]]:
    """Give the profile of a revision, and the front matter of its card."""

    def compute() -> tuple[tuple[Profile, Mapping[str, Any]], int]:
        snapshot = hub.store.snapshots.open(view.repository, view.reference)
        return (read_profile(hub.store, snapshot), read_card(hub.store, snapshot).data), 1

    return hub.profiles.get((view.repository.repo_type.value, view.commit.tree), compute)


def describe_siblings(files: Mapping[str, FileView], *, with_sizes: bool) -> list[dict[str, Any]]:
    """Give the files of a revision as information lists them."""
    if not with_sizes:
        return [{"rfilename": path} for path in files]
    items: list[dict[str, Any]] = []
    for path, file in files.items():
        item: dict[str, Any] = {"rfilename": path, "size": file.nbytes, "blobId": file.oid}
        if file.is_lfs:
            item["lfs"] = {
                "sha256": file.sha256.hex(),
                "size": file.nbytes,
                "pointerSize": len(file.pointer),
            }
        items.append(item)
    return items


def used_nbytes(hub: Hub, repository: RepositoryId) -> int:
    """Add up every distinct file of a repository's whole history, in decoded bytes.

    How few bytes they take in the store is not told here: it would say which near copies the store holds, hidden ones
    among them.
    """
    refs = hub.directory.entry(repository).info.refs
    return hub.storage.get((repository, refs), lambda: (_add_files(hub, repository), 1))


def _add_files(hub: Hub, repository: RepositoryId) -> int:
    rows = hub.store.catalog.ask(
        "SELECT coalesce(sum(nbytes), 0) FROM (SELECT DISTINCT object.id, object.nbytes FROM repository_tree "
        "JOIN tree_entry ON tree_entry.tree = repository_tree.tree JOIN object ON object.id = tree_entry.file "
        "WHERE repo_type = ? AND repo_id = ?)",
        (repository.repo_type.value, repository.repo_id),
    )
    return int(rows[0][0])


def _describe(
    hub: Hub,
    repository: RepositoryId,
    view: RevisionView | None,
    wanted: frozenset[str],
    *,
    with_sizes: bool,
    base_url: str,
) -> dict[str, Any]:
    entry = hub.directory.entry(repository)
    item: dict[str, Any] = {"createdAt": iso_date(entry.created_at_ms)} | describe_decisions(hub, repository)
    item |= {"sha": None, "lastModified": item["createdAt"], "siblings": [], "tags": []}
    if view is not None:
        profile, card = profile_of(hub, view)
        item |= {"sha": view.commit_id, "lastModified": iso_date(view.commit.date_ms)}
        item |= describe_profile(repository.repo_type, profile) | {"cardData": card}
        if repository.repo_type is RepoType.MODEL and "model-index" in card:
            item["model-index"] = card["model-index"]
        if not wanted or "siblings" in wanted:
            item["siblings"] = describe_siblings(view.files, with_sizes=with_sizes)
    if repository.repo_type is RepoType.MODEL:
        item |= {"modelId": repository.repo_id, "spaces": []}
    elif repository.repo_type is RepoType.SPACE:
        item |= {"models": [], "datasets": list(profile.datasets) if view is not None else []}
        item["host"] = f"{base_url}/spaces/{repository.repo_id}"
    if not wanted or "usedStorage" in wanted:
        item["usedStorage"] = used_nbytes(hub, repository)
    return {name: value for name, value in item.items() if name == "id" or not wanted or name in wanted}


ROUTES = [
    Route("GET HEAD", "/api/{T}/{repo}/revision/{rev}", info),
    Route("GET HEAD", "/api/{T}/{repo}", info),
]
