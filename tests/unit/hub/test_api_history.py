"""Refs and commits as clients list them."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.hub import api_history
from tensorhub.store.commit_facts import CommitFacts

from .served import ask, put_ready


def test_refs(store: Store) -> None:
    """Every kind has its list; pull requests only when asked."""
    head = put_ready(store, "ada/model", {"a": b"1"})
    for name in ("feat/x", "refs/tags/v1", "refs/pr/1", "refs/convert/parquet"):
        store.create_ref("ada/model", name)
    with ask(store) as client:
        found = client.get("/api/models/ada/model/refs").json()
        assert found == {
            "branches": [
                {"name": "feat/x", "ref": "refs/heads/feat/x", "targetCommit": head},
                {"name": "main", "ref": "refs/heads/main", "targetCommit": head},
            ],
            "tags": [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": head}],
            "converts": [{"name": "parquet", "ref": "refs/convert/parquet", "targetCommit": head}],
        }
        with_prs = client.get("/api/models/ada/model/refs?include_prs=1").json()
        assert with_prs["pullRequests"] == [{"name": "1", "ref": "refs/pr/1", "targetCommit": head}]
        missing = client.get("/api/models/ada/nothing/refs")
        assert (missing.status_code, missing.headers["x-error-code"]) == (404, "RepoNotFound")


def commit(store: Store, number: int, message: str, author: str | None = None) -> str:
    with store.begin_commit("ada/model") as transaction:
        transaction.put_file("a", b"%d" % number)
        return transaction.publish(facts=CommitFacts(message=message, author=author)).commit_id


def test_commits(store: Store) -> None:
    """Newest first, with authors and dates; formatted as harmless HTML when asked."""
    first = commit(store, 1, "first <b>\n\none & two\n\n<script>", "ada")
    second = commit(store, 2, "second", "bob")
    with ask(store) as client:
        found = client.get("/api/models/ada/model/commits/main").json()
        assert [item["id"] for item in found] == [second, first]
        assert [item["authors"] for item in found] == [[{"user": "bob"}], [{"user": "ada"}]]
        assert found[1]["title"] == "first <b>"
        assert found[0]["date"].endswith("Z")
        assert "formatted" not in found[0]
        formatted = client.get("/api/models/ada/model/commits/main?expand[]=formatted").json()[1]["formatted"]
        assert formatted["title"] == "first &lt;b&gt;"
        assert formatted["message"].endswith("<p>&lt;script&gt;</p>")
        only = client.get(f"/api/models/ada/model/commits/{first}").json()
        assert [item["id"] for item in only] == [first]
        for revision, status in (("nothing", 404), ("..%2f..", 404), ("%00", 404), ("%ff", 400)):
            assert client.get(f"/api/models/ada/model/commits/{revision}").status_code == status


def test_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page goes on in the history that it began in, whatever is committed meanwhile."""
    monkeypatch.setattr(api_history, "_PAGE", 2)
    ids = [commit(store, number, "x") for number in range(5)]
    with ask(store) as client:
        url, found = "http://localhost/api/models/ada/model/commits/main?expand[]=formatted", []
        while url:
            response = client.get(url)
            found += response.json()
            url = response.links.get("next", {}).get("url", "")
            commit(store, 100 + len(found), "later")
        assert [item["id"] for item in found] == ids[::-1]
        assert all("formatted" in item for item in found)
        for cursor in ("x", "WyJtYWluIiwtNV0", "WyJtYWluIiwieCJd"):
            assert client.get(f"/api/models/ada/model/commits/main?cursor={cursor}").status_code in (200, 400)
