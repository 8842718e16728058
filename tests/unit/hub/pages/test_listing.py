"""Search, sort and pages of the list of repositories."""

from __future__ import annotations

import pytest

from tensorhub.hub.pages.listing import (
    SORTS,
    ListQuery,
    RepositoryRow,
    parse_list_query,
    parse_page,
    select_rows,
)
from tensorhub.schema.names import RepoType, parse_repository


def row(name: str, nbytes: int = 10, stored: int | None = 5, date_ms: int | None = 1) -> RepositoryRow:
    kind = "dataset" if name.startswith("data") else "model"
    return RepositoryRow(parse_repository(name, kind), 1, nbytes, stored, date_ms)


ROWS = [row("b/Two", 30, 3, 5), row("a/one", 10, 9, None), row("data/three", 20, None, 9), row("c/four")]
ROWS.sort(key=lambda item: item.repository.key)


def names(query: ListQuery, **options: int) -> list[str]:
    return [item.repository.repo_id for item in select_rows(ROWS, query, **options).rows]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("recent", ["data/three", "b/Two", "c/four", "a/one"]),
        ("name", ["data/three", "a/one", "b/Two", "c/four"]),
        ("size", ["b/Two", "data/three", "a/one", "c/four"]),
        ("stored", ["a/one", "c/four", "b/Two", "data/three"]),
        ("ratio", ["b/Two", "c/four", "a/one", "data/three"]),
    ],
)
def test_sorts(sort: str, expected: list[str]) -> None:
    """Each order, the largest first; ties and names by type and name."""
    assert sort in SORTS
    assert names(ListQuery(sort=sort)) == expected


def test_search() -> None:
    """Every word must occur, in any case; a type narrows."""
    assert names(ListQuery("TWO b/")) == ["b/Two"]
    assert names(ListQuery("two nothing")) == []
    assert names(ListQuery(repo_type=RepoType.DATASET)) == ["data/three"]


def test_pages() -> None:
    """Counts are of all; a page beyond the last is the last."""
    listing = select_rows(ROWS, ListQuery(sort="name", page=9), page_rows=3)
    assert (listing.found, listing.all, listing.page, listing.pages) == (4, 4, 2, 2)
    assert len(listing.rows) == 1
    empty = select_rows([], ListQuery())
    assert (empty.rows, empty.page, empty.pages) == ((), 1, 1)


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("", 1),
        ("0", 1),
        ("-3", 1),
        ("7", 7),
        ("x", 1),
        ("9" * 5000, 1),
        ("1e3", 1),
        ("٣", 1),
        ("9999999", 1_000_000),
    ],
)
def test_page_numbers(text: str, page: int) -> None:
    """Whatever is written, a page comes out."""
    assert parse_page(text) == page


def test_queries() -> None:
    """What has no meaning is the default, and nothing is too long."""
    assert parse_list_query({}) == ListQuery()
    assert parse_list_query({"q": "  x ", "sort": "size", "type": "space", "page": "3"}) == ListQuery(
        "x", "size", RepoType.SPACE, 3
    )
    assert parse_list_query({"q": "x" * 9999, "sort": "'; drop", "type": "<script>"}) == ListQuery("x" * 200)


def test_many() -> None:
    """Of 10,000 repositories those are found that hold every word, in order."""
    rows = [
        row(f"owner{number % 50}/model-{number}", number, number // 2, number) for number in range(10_000)
    ]
    assert select_rows(rows, ListQuery("owner7 model", "ratio")).found == 200
    assert select_rows(rows, ListQuery()).found == 10_000
