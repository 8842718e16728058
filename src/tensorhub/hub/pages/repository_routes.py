"""Pages of one repository: its card, files, tensors, history and family.

Duty: from a request to one of these pages. Not its duty: what they show (the view models).
Invariants: a repository that the reader may not see is answered as if it did not exist; content of a gated one only for
those who were let in. A former name leads to the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from tensorhub.errors import NotFoundError, NotReadyError, RevisionNotFoundError
from tensorhub.hub.app import COOKIE
from tensorhub.hub.pages.blob import read_blob
from tensorhub.hub.pages.commands import list_commands
from tensorhub.hub.pages.family import FamilyView, view_family
from tensorhub.hub.pages.files import list_crumbs, read_folder
from tensorhub.hub.pages.history import find_last_changes, read_history
from tensorhub.hub.pages.listing import parse_page
from tensorhub.hub.pages.page_data import FAMILY_WAIT_S
from tensorhub.hub.pages.pictures import read_picture
from tensorhub.hub.pages.repository import RevisionChoices, list_revisions, read_repository_view
from tensorhub.hub.pages.site import Site, open_site
from tensorhub.hub.pages.tensors import SORTS, parse_tensor_query, read_tensor_table
from tensorhub.hub.request import HubRequest
from tensorhub.hub.routes import Route
from tensorhub.schema.names import RepositoryId, is_commit_id, parse_path
from tensorhub.store.snapshots import Snapshot

_MOST_RELATIVES = 300  # rows of one table: a base may have thousands, and the heaviest come first
_SIDE_WAIT_S = 0.1  # for a box at the side of a page
View = Callable[["Opened"], Response]


class Opened:
    """A repository that was found, at a revision.

    Attributes
    ----------
    site, request
        What asks.
    repository
        As written in the store.
    revision
        As asked, or the default one.
    revisions
        What can be chosen.
    snapshot
        The revision; None for a repository without a commit.
    is_ready
        Whether clients see it too.
    """

    def __init__(self, site: Site, request: HubRequest, repository: RepositoryId) -> None:
        self.site = site
        self.request = request
        self.repository = repository
        store = site.hub.store
        self.revisions: RevisionChoices = list_revisions(store, repository)
        asked = request.params.get("rev")
        self.revision: str = asked or self._default()
        self.is_ready = True
        self.snapshot: Snapshot | None = None
        if not self.revisions.groups and asked is None:
            return
        try:
            reference = site.hub.view(repository, self.revision).reference
        except NotReadyError:
            self.is_ready = False
            reference = store.snapshots.resolve(repository, self.revision)
        self.snapshot = store.snapshots.open(repository, reference)

    def _default(self) -> str:
        branches = self.revisions.branches
        if any(choice.revision == "main" for choice in branches):
            return "main"
        first = next((choices for _, choices in self.revisions.groups), ())
        return first[0].revision if first else "main"

    @property
    def present(self) -> Snapshot:
        """The snapshot of a repository that has one.

        Raises
        ------
        RevisionNotFoundError
            It has no commit yet.
        """
        if self.snapshot is None:
            raise RevisionNotFoundError(
                f"revision {self.revision!r} of {self.repository}", expected="a commit", found="none yet"
            )
        return self.snapshot

    def to_files(self, revision: str) -> str:
        """Give the address of the files at another revision."""
        return self.site.links.tree(self.repository, revision)

    def page(
        self, template: str, tab: str, values: Mapping[str, Any], link: Callable[[str], str]
    ) -> Response:
        """Write one of its pages out; ``link`` gives the same view at another revision."""
        links, revision = self.site.links, self.revision
        tabs = [("Card", links.repository(self.repository), "card")]
        if self.snapshot is not None:
            tabs += [
                ("Files", links.tree(self.repository, revision), "files"),
                ("Tensors", links.tensors(self.repository, revision), "tensors"),
                ("History", links.commits(self.repository, revision), "history"),
                ("Family", links.family(self.repository, revision), "family"),
            ]
        if self.site.hub.pulls.all_of(self.repository):
            tabs.append(("Discussions", links.discussions(self.repository), "discussions"))
        label = revision[:12] if is_commit_id(revision) else revision.removeprefix("refs/")
        shared = {
            "repository": self.repository,
            "revision": revision,
            "revision_label": label,
            "revisions": self.revisions,
            "revision_link": link,
            "is_ready": self.is_ready,
            "is_private": self.site.private_test()(self.repository),
            "tabs": tabs,
            "tab": tab,
        }
        return self.site.page(template, {**shared, **values}, section="home")


def answer(request: HubRequest, view: View) -> Response:
    """Find the repository and revision that a request names, and show them; blocking."""
    site = open_site(request, COOKIE)
    hub = site.hub
    found = hub.find(request.repository, request.identity)
    if found.repo_id != request.params["repo"]:
        raw_path = request.raw.scope["raw_path"].decode("latin-1").removeprefix(site.links.prefix)
        asked = site.links.repository(request.repository).removeprefix(site.links.prefix)
        rest = raw_path[len(asked) :] if raw_path.startswith(asked) else ""
        return RedirectResponse(site.links.repository(found) + rest, 307)
    hub.check_files(request.identity, found)
    return view(Opened(site, request, found))


async def card(request: HubRequest) -> Response:
    """Answer a repository's own page."""
    return await request.hub.meta.run(answer, request, _card)


async def tree(request: HubRequest) -> Response:
    """Answer a folder."""
    return await request.hub.meta.run(answer, request, _tree)


async def blob(request: HubRequest) -> Response:
    """Answer a file."""
    return await request.hub.meta.run(answer, request, _blob)


async def tensors(request: HubRequest) -> Response:
    """Answer all tensors of a snapshot."""
    return await request.hub.meta.run(answer, request, _tensors)


async def commits(request: HubRequest) -> Response:
    """Answer a page of history."""
    return await request.hub.meta.run(answer, request, _commits)


async def family(request: HubRequest) -> Response:
    """Answer a repository's relatives."""
    return await request.hub.meta.run(answer, request, _family)


async def picture(request: HubRequest) -> Response:
    """Answer a picture that a card shows."""
    return await request.hub.meta.run(answer, request, _picture)


def _card(opened: Opened) -> Response:
    site, repository = opened.site, opened.repository
    links = site.links
    if opened.snapshot is None:
        return opened.page(
            "repository_empty.html",
            "card",
            {"command": write_upload_command(opened)},
            lambda _: links.repository(repository),
        )
    snapshot = opened.snapshot
    view = read_repository_view(site.hub.store, snapshot, opened.revision, links)
    commands = list_commands(
        repository,
        opened.revision,
        site.endpoint,
        view.paths,
        store_path=str(site.hub.store.path) if site.reader.is_admin and not site.can_sign_in else None,
    )
    values = {
        "view": view,
        "commit": snapshot.commit,
        "commit_id": snapshot.reference.commit_id,
        "commands": commands,
        "relatives": _relatives(opened, _SIDE_WAIT_S) if view.tensors else None,
    }
    return opened.page("repository.html", "card", values, lambda revision: links.tree(repository, revision))


def write_upload_command(opened: Opened) -> str:
    """Write the command that fills an empty repository."""
    kind = opened.repository.repo_type.value
    kind_option = "" if kind == "model" else f" --repo-type {kind}"
    return f"HF_ENDPOINT={opened.site.endpoint} hf upload {opened.repository.repo_id} path/to/folder{kind_option}"


def _relatives(opened: Opened, wait_s: float = 0.0) -> FamilyView | None:
    site, is_whole = opened.site, opened.site.reader.is_admin
    visible = site.hub.page_data.visible(site.reader)
    found = site.hub.page_data.survey(visible, is_whole=is_whole, wait_s=wait_s)
    if found is None:
        return None
    return view_family(opened.repository, found, site.links, visible.by_repository, is_whole=is_whole)


def _tree(opened: Opened) -> Response:
    site, repository, request = opened.site, opened.repository, opened.request
    path = parse_path(request.params["path"]) if "path" in request.params else ""
    folder = read_folder(
        site.hub.store.catalog, opened.present, path, parse_page(request.query.get("page", ""))
    )
    address = site.links.tree(repository, opened.revision, path)
    values = {
        "folder": folder,
        "crumbs": list_crumbs(path),
        "changes": find_last_changes(opened.present, path),
        "page_link": lambda page: f"{address}?page={page}",
    }
    return opened.page("tree.html", "files", values, lambda revision: site.links.tree(repository, revision))


def _blob(opened: Opened) -> Response:
    site, repository, request = opened.site, opened.repository, opened.request
    path = parse_path(request.params["path"])
    query = parse_tensor_query(request.query)
    values = {
        "blob": read_blob(site.hub.store, opened.present, path, query, site.reader),
        "crumbs": list_crumbs(path),
        "query": query,
        "sorts": SORTS,
        "page_link": lambda page: site.links.blob(
            repository, opened.revision, path, q=query.text, coding=query.coding, sort=query.sort, page=page
        ),
    }
    return opened.page(
        "blob.html", "files", values, lambda revision: site.links.blob(repository, revision, path)
    )


def _tensors(opened: Opened) -> Response:
    site, repository = opened.site, opened.repository
    query = parse_tensor_query(opened.request.query)
    snapshot = opened.present
    sizes = snapshot.source.file_sizes([entry.file for entry in snapshot.tree.entries])
    values = {
        "has_many_files": sum(sizes.get(entry.file, (0, 0))[1] > 0 for entry in snapshot.tree.entries) > 1,
        "table": read_tensor_table(site.hub.store, snapshot, snapshot.tree.entries, query, site.reader),
        "query": query,
        "sorts": SORTS,
        "page_link": lambda page: site.links.tensors(
            repository, opened.revision, q=query.text, coding=query.coding, sort=query.sort, page=page
        ),
    }
    return opened.page(
        "tensors.html", "tensors", values, lambda revision: site.links.tensors(repository, revision)
    )


def _commits(opened: Opened) -> Response:
    page = parse_page(opened.request.query.get("page", ""))
    history = read_history(opened.site.hub.store.snapshots, opened.present, page)
    if not history.commits:
        raise NotFoundError(
            f"page {page} of the history of {opened.repository}",
            expected="one that has commits",
            found="one after the first commit",
        )
    links = opened.site.links
    return opened.page(
        "commits.html",
        "history",
        {"history": history},
        lambda revision: links.commits(opened.repository, revision),
    )


def _family(opened: Opened) -> Response:
    links = opened.site.links
    return opened.page(
        "repository_family.html",
        "family",
        {"family": _relatives(opened, FAMILY_WAIT_S), "most_rows": _MOST_RELATIVES},
        lambda revision: links.family(opened.repository, revision),
    )


def _picture(opened: Opened) -> Response:
    path = parse_path(opened.request.params["path"])
    content, media_type = read_picture(opened.site.hub.store, opened.present, path)
    headers = {
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(path.rpartition('/')[2], safe='')}",
        "Vary": "Authorization, Cookie",
    }
    return Response(content, 200, headers, media_type)


ROUTES = [
    Route("GET HEAD", "/{P}{repo}/tree/{rev}", tree),
    Route("GET HEAD", "/{P}{repo}/tree/{rev}/{path}", tree),
    Route("GET HEAD", "/{P}{repo}/blob/{rev}/{path}", blob),
    Route("GET HEAD", "/{P}{repo}/picture/{rev}/{path}", picture),
    Route("GET HEAD", "/{P}{repo}/tensors/{rev}", tensors),
    Route("GET HEAD", "/{P}{repo}/commits/{rev}", commits),
    Route("GET HEAD", "/{P}{repo}/family/{rev}", family),
    Route("GET HEAD", "/{P}{repo}", card),
]
