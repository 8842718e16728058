"""The list of repositories: search, sort, pages.

Duty: parse what a reader asked for, and pick the rows. Not its duty: where rows come from, or who may see which.
Invariants: any text in a query is answered; what has no meaning is the default. One pass over the rows and one sort:
10,000 repositories take a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from tensorhub.schema.names import RepositoryId, RepoType

PAGE_ROWS = 30  # a screen or two on a desk, and quick to draw on a phone
_MAX_QUERY = 200  # characters: twice the longest part of a name; longer ones match nothing
_MAX_PAGE = 1_000_000  # so that a number of a thousand digits costs nothing


@dataclass(frozen=True, slots=True)
class RepositoryRow:
    """A repository in the list.

    Attributes
    ----------
    repository
        Its name and type.
    files, nbytes
        Of its default revision, as a user sees them.
    stored_nbytes
        What its content takes on disk; None where it is not known.
    date_ms
        When it last changed, milliseconds since 1970 UTC; None while it is empty.
    is_private
        Whether only some may see it.
    is_damaged
        Whether its refs cannot be read.
    """

    repository: RepositoryId
    files: int
    nbytes: int
    stored_nbytes: int | None
    date_ms: int | None
    is_private: bool = False
    is_damaged: bool = False

    @property
    def ratio(self) -> float:
        """How many times smaller it is stored; 0 where that is not known."""
        return self.nbytes / self.stored_nbytes if self.stored_nbytes else 0.0


# Name -> what it says, the key, and whether the largest comes first. Ties go by name.
SORTS: Mapping[str, tuple[str, Callable[[RepositoryRow], float], bool]] = {
    "recent": ("Last changed", lambda row: row.date_ms or 0, True),
    "name": ("Name", lambda _: 0, False),
    "size": ("Size", lambda row: row.nbytes, True),
    "stored": ("Size as stored", lambda row: row.stored_nbytes or 0, True),
    "ratio": ("Ratio", lambda row: row.ratio, True),
}


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a reader asked for; ``page`` counts from 1."""

    text: str = ""
    sort: str = "recent"
    repo_type: RepoType | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list.

    Attributes
    ----------
    rows
        Its repositories.
    found, all
        How many fit the query; how many there are.
    page, pages
        Which page this is, and of how many; at least one.
    """

    rows: tuple[RepositoryRow, ...]
    found: int
    all: int
    page: int
    pages: int


def parse_list_query(parameters: Mapping[str, str]) -> ListQuery:
    """Read a query; what has no meaning is the default."""
    sort = parameters.get("sort", "")
    repo_type = parameters.get("type", "")
    return ListQuery(
        text=parameters.get("q", "").strip()[:_MAX_QUERY],
        sort=sort if sort in SORTS else "recent",
        repo_type=RepoType(repo_type) if repo_type in {kind.value for kind in RepoType} else None,
        page=parse_page(parameters.get("page", "")),
    )


def parse_page(text: str) -> int:
    """Read the number of a page, from 1."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(_MAX_PAGE)):
        return 1
    return max(1, min(int(text), _MAX_PAGE))


def select_rows(rows: Iterable[RepositoryRow], query: ListQuery, *, page_rows: int = PAGE_ROWS) -> Listing:
    """Pick the rows of one page.

    Parameters
    ----------
    rows
        All that the reader may see, ordered by type and name.
    query
        What he asked for; every word of its text must occur in the name, in any case.
    page_rows
        How many a page has.

    Returns
    -------
    Listing
        A page beyond the last one is the last one.
    """
    words = query.text.casefold().split()
    count, fitting = 0, []
    for row in rows:
        count += 1
        if query.repo_type is not None and row.repository.repo_type is not query.repo_type:
            continue
        if words:
            name = row.repository.repo_id.casefold()
            if not all(word in name for word in words):
                continue
        fitting.append(row)
    _, key, is_reversed = SORTS[query.sort]
    fitting.sort(key=key, reverse=is_reversed)  # equal ones stay in the order of names
    pages = max(1, -(-len(fitting) // page_rows))
    page = min(query.page, pages)
    start = (page - 1) * page_rows
    return Listing(tuple(fitting[start : start + page_rows]), len(fitting), count, page, pages)
