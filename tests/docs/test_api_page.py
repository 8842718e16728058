"""docs/api.md names everything public, and nothing else is public."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

import tensorhub

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_all_is_sorted() -> None:
    """The public surface is a sorted list."""
    assert list(tensorhub.__all__) == sorted(tensorhub.__all__, key=str.casefold) or list(
        tensorhub.__all__
    ) == sorted(tensorhub.__all__)


@pytest.mark.parametrize("name", sorted(tensorhub.__all__))
def test_public_name_is_documented(name: str) -> None:
    """Every public name exists and is on the page."""
    assert hasattr(tensorhub, name)
    assert re.search(rf"(`|^## ){name}\b", PAGE, re.M), f"docs/api.md does not name {name}"


@pytest.mark.parametrize("kind", ["Store", "CommitTransaction"])
def test_methods_are_documented(kind: str) -> None:
    """Every public method of the two classes with behaviour is on the page."""
    section = re.search(rf"^## {kind}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert section
    for name, member in vars(getattr(tensorhub, kind)).items():
        if not name.startswith("_") and (
            inspect.isroutine(member) or isinstance(member, property | classmethod)
        ):
            assert re.search(rf"`(Store\.)?{name}\b", section.group(1)), (
                f"docs/api.md does not name {kind}.{name}"
            )


def test_documented_calls_have_these_parameters() -> None:
    """The parameters that the page shows for a function are those that it has."""
    for name, shown in re.findall(r"^\| `(\w+)\((.*?)\)` \|", PAGE, re.M):
        function = getattr(tensorhub, name, None)
        function = function or getattr(tensorhub.Store, name, None)
        function = function or getattr(tensorhub.CommitTransaction, name, None)
        assert function, f"docs/api.md shows {name}, which does not exist"
        has = [parameter for parameter in inspect.signature(function).parameters if parameter != "self"]
        written = [part.split("=")[0].strip() for part in shown.split(", ") if part.strip() not in ("", "*")]
        assert written == has, f"{name}: the page says {written}, the code {has}"
