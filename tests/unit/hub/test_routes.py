"""Routes are matched on the raw path, and decoded after."""

from __future__ import annotations

import pytest

from tensorhub.errors import InvalidNameError, MethodError
from tensorhub.hub.routes import Match, Route, RouteTable


async def _answer(_: object) -> None:
    raise NotImplementedError


TABLE = RouteTable(
    [
        Route("GET", "/api/{T}/{repo}/tree/{rev}", _answer),
        Route("GET", "/api/{T}/{repo}/tree/{rev}/{path}", _answer),
        Route("GET HEAD", "/{P}{repo}/resolve/{rev}/{path}", _answer),
        Route("POST", "/api/{T}/{repo}/branch/{branch}", _answer),
        Route("GET", "/api/{T}/{repo}", _answer),
        Route("GET", "/{P}{repo}", _answer),
    ]
)


def _match(path: str, method: str = "GET") -> Match:
    found = TABLE.match(method, path)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("path", "repo_type", "params"),
    [
        ("/api/models/a/b/tree/main", "model", {"repo": "a/b", "rev": "main"}),
        ("/api/datasets/b/tree/main", "dataset", {"repo": "b", "rev": "main"}),
        ("/api/models/a/b/tree/feat%2Fx", "model", {"repo": "a/b", "rev": "feat/x"}),
        (
            "/api/spaces/a/b/tree/refs%2Fpr%2F1/d%2Fe%20f",
            "space",
            {"repo": "a/b", "rev": "refs/pr/1", "path": "d/e f"},
        ),
        ("/a/b/resolve/main/x/y.bin", "model", {"repo": "a/b", "rev": "main", "path": "x/y.bin"}),
        ("/datasets/a/b/resolve/v%231/x", "dataset", {"repo": "a/b", "rev": "v#1", "path": "x"}),
        ("/gpt2/resolve/main/config.json", "model", {"repo": "gpt2", "rev": "main", "path": "config.json"}),
        ("/api/models/a/b", "model", {"repo": "a/b"}),
        ("/spaces/a/b", "space", {"repo": "a/b"}),
    ],
)
def test_match(path: str, repo_type: str, params: dict[str, str]) -> None:
    """Each pattern gives type and decoded parts."""
    found = _match(path)
    assert (found.repo_type, dict(found.params)) == (repo_type, params)


def test_an_encoded_slash_does_not_split() -> None:
    """A name with an encoded slash stays one part, so that it can be refused as a name."""
    assert _match("/api/models/a%2F..%2Fb/c").params["repo"] == "a/../b/c"


def test_methods() -> None:
    """A path that exists for other methods says so; one that does not exist is nobody's."""
    with pytest.raises(MethodError, match="POST"):
        TABLE.match("DELETE", "/api/models/a/b/branch/x")
    assert TABLE.match("GET", "/a/b/c/d") is None


def test_names_are_utf8() -> None:
    """Bytes that are no UTF-8 are refused."""
    with pytest.raises(InvalidNameError, match="UTF-8"):
        TABLE.match("GET", "/a/b/resolve/main/%ff")
