"""Cards are checked before they are committed."""

from __future__ import annotations

from typing import Any

import pytest

from tensorhub import Store
from tensorhub.hub.api_card import check_card

from .served import ask


@pytest.mark.parametrize(
    ("body", "errors", "warnings"),
    [
        ("license: mit\nlanguage: [en, no]", 0, 0),
        ("", 0, 1),
        ("a: [", 1, 0),
        ("license: 3\nlibrary_name: [x]\npipeline_tag: text", 2, 0),
        ("model-index: x", 1, 0),
        ("model-index:\n- name: a\n  results: []", 0, 0),
    ],
)
def test_checks(body: str, errors: int, warnings: int) -> None:
    """Wrong metadata forbids a card; none at all only deserves a word."""
    found = check_card(f"---\n{body}\n---\n# Card")
    assert tuple(map(len, found)) == (errors, warnings)


def test_no_metadata() -> None:
    """A card without a block is fine, with a word."""
    assert check_card("# Card") == ([], ["empty or missing yaml metadata in repo card"])


def test_text(store: Store) -> None:
    """Who shows the answer to a person gets lines to show."""
    with ask(store) as client:
        body = {"content": "---\nlicense: 3\n---\n"}
        response = client.post("/api/validate-yaml", json=body, headers={"Accept": "text/plain"})
    assert (response.status_code, response.text) == (
        400,
        '- Error: "license" must be a string or an array of strings',
    )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"content": "---\nlicense: mit\n---\n", "repoType": "model"}, 200),
        ({"content": "# Card"}, 200),
        ({"content": "---\nlicense: [\n---\n", "repoType": "dataset"}, 400),
        ({"content": 3}, 400),
        ({"content": "", "repoType": "bucket"}, 400),
        ({}, 400),
    ],
)
def test_answers(store: Store, body: dict[str, Any], status: int) -> None:
    """Always JSON; the lists are there where a card was looked at."""
    with ask(store) as client:
        response = client.post("/api/validate-yaml", json=body)
    assert response.status_code == status
    found = response.json()
    if isinstance(body.get("content"), str) and body.get("repoType") != "bucket":
        assert {"errors", "warnings"} <= set(found)
        assert bool(found["errors"]) is (status == 400)
        assert all(item["message"] for item in found["errors"] + found["warnings"])
