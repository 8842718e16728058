"""Answers of another hub are parsed at the border: what breaks the rules is refused with a word about what."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tensorhub.errors import (
    InvalidRecordError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    TensorHubError,
)
from tensorhub.hub.upstream import Upstream, resolve_ref
from tensorhub.hub.upstream_http import UpstreamHttp
from tensorhub.schema.names import parse_repository

from ...hub.other_hub import TOKEN, URL, OtherHub

MODEL = parse_repository("org/model")
DATA = parse_repository("org/data", "dataset")
ID = "0123456789abcdef0123456789abcdef01234567"


def _answering(body: Any, **headers: str) -> Upstream:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=json.dumps(body), headers=headers)

    http = UpstreamHttp(URL, transport=httpx.MockTransport(answer), resolver=lambda _: ["93.184.216.34"])
    return Upstream(http)


def test_revision() -> None:
    """As anybody; with the token where anybody is refused."""
    other = OtherHub({"a": b"x"})
    found = other.upstream(TOKEN).revision(MODEL, "main")
    assert (found.commit_id, found.is_public) == (other.commit_id, True)
    assert "authorization" not in other.requests[0].headers
    other.is_private = True
    assert not other.upstream(TOKEN).revision(MODEL, "main").is_public
    with pytest.raises(RepositoryNotFoundError):
        other.upstream().revision(MODEL, "main")
    other.is_private, other.gated = False, "auto"
    assert not other.upstream(TOKEN).revision(MODEL, "main").is_public


def test_names_of_requests() -> None:
    """Paths are encoded as clients do it, by type."""
    asked: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path)
        return httpx.Response(200, json={"sha": ID})

    upstream = Upstream(UpstreamHttp(f"{URL}/hf", transport=httpx.MockTransport(answer)))
    upstream.revision(DATA, "refs/pr/1")
    with upstream.open(DATA, ID, "a b/c#d.txt"):
        pass
    assert asked == [
        b"/hf/api/datasets/org/data/revision/refs%2Fpr%2F1",
        f"/hf/datasets/org/data/resolve/{ID}/a%20b/c%23d.txt".encode(),
    ]


@pytest.mark.parametrize(
    "body",
    [[], {"sha": "main"}, {"sha": 1}, {"id": "x"}, {"sha": ID.upper()}],
)
def test_malformed_revisions(body: Any) -> None:
    """A commit id is 40 digits."""
    with pytest.raises(InvalidRecordError):
        _answering(body).revision(MODEL, "main")


@pytest.mark.parametrize(
    "entry",
    [
        {"path": "../x", "size": 1, "oid": ID},
        {"path": "/etc/passwd", "size": 1, "oid": ID},
        {"path": "a", "size": -1, "oid": ID},
        {"path": "a", "size": 1 << 60, "oid": ID},
        {"path": "a", "size": True, "oid": ID},
        {"path": "a", "size": 1, "oid": "x"},
        {"path": "a", "size": 1},
        {"path": "a", "size": 1, "oid": ID, "lfs": {"oid": ID, "size": 1}},
        {"path": "a", "size": 1, "oid": ID, "lfs": []},
        {"path": "a", "size": 1, "oid": ID, "lfs": {"oid": "a" * 64, "size": "1"}},
        {"path": 1, "size": 1, "oid": ID},
    ],
)
def test_malformed_files(entry: dict[str, Any]) -> None:
    """Paths stay inside, sizes and digests are what they should be."""
    with pytest.raises(InvalidRecordError):
        _answering([{"type": "file", **entry}]).files(MODEL, ID)


@pytest.mark.parametrize("page", [{}, "x", [1], None])
def test_malformed_lists(page: Any) -> None:
    """A list is a list of objects."""
    with pytest.raises(InvalidRecordError):
        _answering(page).files(MODEL, ID)
    with pytest.raises(InvalidRecordError):
        _answering(page).commit(MODEL, ID)


def test_pages_stay_at_home() -> None:
    """The next page is asked for at the same hub, whatever host the link names; a circle ends."""
    other = OtherHub({str(number): b"x" for number in range(25)}, page=10)
    assert len(other.upstream().files(MODEL, other.commit_id)) == 25
    assert {request.url.host for request in other.requests} == {"other.example"}
    link = f'<{URL}/api/models/org/model/tree/{ID}?recursive=true&expand=false>; rel="next"'
    entry = {"type": "file", "path": "a", "size": 1, "oid": ID}
    assert len(_answering([entry], Link=link).files(MODEL, ID)) == 1


def test_commit() -> None:
    """Title, message, authors and date."""
    other = OtherHub({"a": b"x"})
    commit = other.upstream().commit(MODEL, other.commit_id)
    assert (commit.title, commit.message, commit.author, commit.date_ms) == (
        "A title",
        "More",
        "ada",
        1767323045000,
    )
    with pytest.raises(InvalidRecordError):
        _answering([{"title": "t", "date": "yesterday"}]).commit(MODEL, ID)


def test_refs() -> None:
    """A name is a branch or a tag, as the other hub says; a commit id is neither."""
    other = OtherHub({"a": b"x"}, branches=["main", "dev"])
    upstream = other.upstream()
    assert resolve_ref(upstream, MODEL, "main") == "refs/heads/main"
    assert resolve_ref(upstream, MODEL, "refs/pr/1") == "refs/pr/1"
    assert resolve_ref(upstream, MODEL, other.commit_id) == ""
    assert other.requests == []
    assert resolve_ref(upstream, MODEL, "dev") == "refs/heads/dev"
    assert resolve_ref(upstream, MODEL, other.commit_id[:8]) == ""
    with pytest.raises(RevisionNotFoundError):
        resolve_ref(upstream, MODEL, "none")


def test_ranges_that_are_others() -> None:
    """A range that begins elsewhere is no answer."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(206, headers={"Content-Range": "bytes 0-9/10"}, content=b"x" * 10)

    upstream = Upstream(UpstreamHttp(URL, transport=httpx.MockTransport(answer)))
    with pytest.raises(TensorHubError), upstream.open(MODEL, ID, "a", 5):
        pass
