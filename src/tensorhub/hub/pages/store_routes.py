"""Pages of the whole store: home, family, health.

Duty: from a request to one of these pages. Not its duty: what they show (the view models), or one repository's pages.
Invariants: everything that waits runs in the hub's look-up threads.
"""

from __future__ import annotations

from starlette.responses import Response

from tensorhub.hub.app import COOKIE
from tensorhub.hub.hub import Hub
from tensorhub.hub.pages.bytes_bar import plan_bytes_bar
from tensorhub.hub.pages.family import view_families
from tensorhub.hub.pages.growth_chart import plan_growth_chart
from tensorhub.hub.pages.health import Health, Work, judge_health
from tensorhub.hub.pages.listing import SORTS, ListQuery, parse_list_query, select_rows
from tensorhub.hub.pages.page_data import FAMILY_WAIT_S, Visible
from tensorhub.hub.pages.site import Site, open_site
from tensorhub.hub.request import HubRequest
from tensorhub.hub.routes import Route
from tensorhub.schema.names import RepoType

_MOST_ALONE = 600  # names without relatives that are listed on the family page; the home page lists all


async def home(request: HubRequest) -> Response:
    """Answer the first page."""
    return await request.hub.meta.run(_home, request, None)


async def list_models(request: HubRequest) -> Response:
    """Answer the list of models."""
    return await request.hub.meta.run(_home, request, RepoType.MODEL)


async def list_datasets(request: HubRequest) -> Response:
    """Answer the list of datasets."""
    return await request.hub.meta.run(_home, request, RepoType.DATASET)


async def list_spaces(request: HubRequest) -> Response:
    """Answer the list of spaces."""
    return await request.hub.meta.run(_home, request, RepoType.SPACE)


async def family(request: HubRequest) -> Response:
    """Answer the families of the whole store."""
    return await request.hub.meta.run(_family, request)


async def health(request: HubRequest) -> Response:
    """Answer the health page."""
    return await request.hub.meta.run(_health, request)


def _home(request: HubRequest, repo_type: RepoType | None) -> Response:
    site = open_site(request, COOKIE)
    query = parse_list_query(request.query)
    if repo_type is not None and query.repo_type is None:
        query = ListQuery(query.text, query.sort, repo_type, query.page)
    data = site.hub.page_data
    visible = data.visible(site.reader, site.private_test())
    found = data.survey(visible, is_whole=site.reader.is_admin)
    totals = found.summary if found else None
    values = {
        "query": query,
        "sorts": SORTS,
        "listing": select_rows(visible.rows, query),
        "list_address": site.links.home(),
        "page_link": lambda page: site.links.home(
            q=query.text,
            sort="" if query.sort == "recent" else query.sort,
            type=query.repo_type.value if query.repo_type else "",
            page=page,
        ),
        "totals": totals,
        "is_whole": site.reader.is_admin,
        "bar": plan_bytes_bar(totals.saved, totals.nbytes, totals.stored_nbytes) if totals else None,
        "chart": plan_growth_chart(found.growth) if found else None,
        "work": _work(site.hub),
        "health": _judge(site, visible),
    }
    return site.page("home.html", values, section="home")


def _family(request: HubRequest) -> Response:
    site = open_site(request, COOKIE)
    visible = site.hub.page_data.visible(site.reader)
    is_whole = site.reader.is_admin
    found = site.hub.page_data.survey(visible, is_whole=is_whole, wait_s=FAMILY_WAIT_S)
    families = view_families(found, site.links, visible.by_repository, is_whole=is_whole) if found else None
    values = {"families": families, "most_alone": _MOST_ALONE}
    return site.page("family.html", values, section="family")


def _health(request: HubRequest) -> Response:
    site = open_site(request, COOKIE)
    hub = site.hub
    values = {
        "health": _judge(site, hub.page_data.visible(site.reader), wait_s=1.0),
        "is_admin": site.reader.is_admin,
        "garbage": hub.page_data.garbage() if site.reader.is_admin else None,
        "store_path": str(hub.store.path),
        "store_id": hub.store.store_id,
        "mode": hub.store.mode.value,
    }
    return site.page("health.html", values, section="health")


def _judge(site: Site, visible: Visible, *, wait_s: float = 0.0) -> Health:
    is_admin = site.reader.is_admin
    data = site.hub.page_data
    return judge_health(
        visible.rows,
        data.disk_use(wait_s) if is_admin else None,
        _work(site.hub),
        data.last_verified() if is_admin else None,
        is_admin=is_admin,
    )


def _work(hub: Hub) -> Work | None:
    progress = hub.digests.progress
    if not progress.files and not progress.failed_files:
        return None
    return Work(
        progress.files, progress.nbytes, min(progress.done_nbytes, progress.nbytes), progress.failed_files
    )


ROUTES = [
    Route("GET HEAD", "/", home),
    Route("GET HEAD", "/models", list_models),
    Route("GET HEAD", "/datasets", list_datasets),
    Route("GET HEAD", "/spaces", list_spaces),
    Route("GET HEAD", "/family", family),
    Route("GET HEAD", "/health", health),
]
