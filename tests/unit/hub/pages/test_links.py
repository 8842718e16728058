"""Addresses stay inside the hub, whatever a name contains."""

from __future__ import annotations

import re

import pytest

from tensorhub.hub.pages.links import Links
from tensorhub.schema.names import RepoType, parse_repository

MODEL = parse_repository("ada/model")
DATA = parse_repository("ada/data", "dataset")
HOSTILE = ["../../etc", 'a"><script>', "a b?c#d", "%2e%2e", "javascript:alert(1)", "ü/ö", "a\\b", "a&b=c"]


def test_each_view() -> None:
    """Types have their prefixes; a revision is one segment."""
    links = Links("/hub")
    assert links.home() == "/hub/"
    assert links.home(q="a b", page=2, sort="") == "/hub/?q=a+b&page=2"
    assert links.list(RepoType.SPACE) == "/hub/spaces"
    assert links.page("login", next="/x") == "/hub/login?next=%2Fx"
    assert links.static("page.css") == "/hub/-/static/page.css"
    assert links.repository(DATA) == "/hub/datasets/ada/data"
    assert links.tree(MODEL, "refs/pr/1") == "/hub/ada/model/tree/refs%2Fpr%2F1"
    assert links.tree(MODEL, "main", "a/b c") == "/hub/ada/model/tree/main/a/b%20c"
    assert links.tensors(MODEL, "main", q="x") == "/hub/ada/model/tensors/main?q=x"
    assert links.commits(MODEL, "main") == "/hub/ada/model/commits/main"
    assert links.family(MODEL, "main") == "/hub/ada/model/family/main"
    assert links.picture(MODEL, "main", "a.png") == "/hub/ada/model/picture/main/a.png"
    assert links.download(DATA, "v1", "x") == "/hub/datasets/ada/data/resolve/v1/x"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names(name: str) -> None:
    """Only unreserved characters, percent signs and slashes come out."""
    for address in (Links().blob(MODEL, name, name), Links().blob(MODEL, name, name, q=name)):
        assert address.startswith("/ada/model/blob/")
        assert re.fullmatch(r"[A-Za-z0-9._~/%?=&+-]*", address)
        assert address.split("?")[0].split("/")[4].replace("%2F", "") != ".."
