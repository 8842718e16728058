"""Front matter is plain data, whatever a card holds."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.formats.front_matter import parse_front_matter


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("license: mit", {"license": "mit"}),
        ("language: no\nb: yes\nc: true\nd: False", {"language": "no", "b": "yes", "c": True, "d": False}),
        ("a: 12\nb: 012\nc: 0x10\nd: 1:30\ne: -3", {"a": 12, "b": 12, "c": 16, "d": "1:30", "e": -3}),
        ("a: 1.5\nb: .nan\nc: .inf\nd: '1'\ne: ~", {"a": 1.5, "b": ".nan", "c": ".inf", "d": "1", "e": None}),
        ("date: 2024-01-02", {"date": "2024-01-02"}),
        ("tags:\n- a\n- {b: [1]}", {"tags": ["a", {"b": [1]}]}),
        ("x: &a [1]\ny: *a", {"x": [1], "y": [1]}),
        ("a: 1\na: 2", {"a": 2}),
        ("? [1]\n: 3\n4: 5", {"4": 5}),
        ("a: !!python/object:os.system x", {"a": "x"}),
        ("", {}),
    ],
)
def test_values(body: str, expected: dict[str, Any]) -> None:
    """Scalars by the rules of YAML 1.2, containers as they stand."""
    found = parse_front_matter(f"---\n{body}\n---\n# Card")
    assert (found.data, found.is_present, found.error) == (expected, True, "")


@pytest.mark.parametrize("text", ["", "# Card", "text\n---\na: 1\n---\n", "---"])
def test_none(text: str) -> None:
    """A card without a block has no metadata, and nothing is wrong with it."""
    found = parse_front_matter(text)
    assert (found.data, found.is_present, found.error) == ({}, False, "")


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]" for i in range(9)
)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("- a\n- b", "mapping"),
        ("a: [", "expected"),
        ("a: 'x", "quoted"),
        ("a: *nobody", "alias"),
        ("a: &x [*x]", "nested"),
        (BOMB, "values"),
        ("a: " + "[" * 500 + "]" * 500, "nested"),
        ("a: \ud800", "YAML"),
    ],
)
def test_wrong(body: str, words: str) -> None:
    """What is wrong is said, and stands for nothing."""
    found = parse_front_matter(f"---\n{body}\n---\n")
    assert found.data == {}
    assert words in found.error


def test_without_end() -> None:
    """A block that does not end within the limit is none."""
    assert "end" in parse_front_matter("---\na: 1\n").error
    assert "end" in parse_front_matter("---\n" + "a: 1\n" * 20_000 + "---\n").error


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text(body: str) -> None:
    """Whatever comes, it ends, and can be written as JSON."""
    found = parse_front_matter(f"---\n{body}\n---\n")
    json.dumps(found.data, allow_nan=False)
