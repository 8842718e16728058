"""The store's place and a repository's name are understood the same everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorhub.cli.options import locate_store, read_repository
from tensorhub.errors import InvalidNameError, UsageError
from tensorhub.schema.names import RepoType


def test_store_is_where_it_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over the environment, the environment over the platform."""
    monkeypatch.setenv("TENSORHUB_STORE", "/from/environment")
    assert locate_store(Path("/given")) == Path("/given")
    assert locate_store(None) == Path("/from/environment")
    monkeypatch.setenv("TENSORHUB_STORE", "")
    assert locate_store(None).parts[-2:] == ("tensorhub", "store")
    monkeypatch.setenv("HOME", "/home/someone")
    assert locate_store(Path("~/hub")) == Path("/home/someone/hub")


@pytest.mark.parametrize(
    ("text", "repo_type", "expected"),
    [
        ("me/llama", None, "me/llama"),
        ("llama", None, "llama"),
        ("me/llama", RepoType.DATASET, "datasets/me/llama"),
        ("datasets/me/llama", None, "datasets/me/llama"),
        ("datasets/me/llama", RepoType.DATASET, "datasets/me/llama"),
        ("datasets/squad", None, "datasets/squad"),
        ("spaces/me/app", None, "spaces/me/app"),
        ("models/me/llama", None, "me/llama"),
        ("models/me/llama", RepoType.MODEL, "me/llama"),
    ],
)
def test_repository_is_read_as_shown(text: str, repo_type: RepoType | None, expected: str) -> None:
    """What ls shows can be given back to any command, with or without --type."""
    assert str(read_repository(text, repo_type)) == expected


def test_prefix_and_type_may_not_contradict() -> None:
    """A dataset is not a model."""
    with pytest.raises(UsageError):
        read_repository("datasets/me/llama", RepoType.MODEL)


@pytest.mark.parametrize("text", ["", "/", "a/b/c", "../x", "a//b", "me/-x", "me/x--y", "me/x.git"])
def test_bad_names_are_refused(text: str) -> None:
    """A name that no repository can have is refused at the border."""
    with pytest.raises(InvalidNameError):
        read_repository(text)
