"""Fixtures that several folders of tests use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorhub import Store
from tensorhub.store import coding

from .modes import encode_by_mode


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make modes differ in size: fast leaves chunks raw, balanced has only zstd, max has everything."""
    monkeypatch.setattr(coding, "encode_smallest", encode_by_mode)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Make an empty store."""
    with Store.create(tmp_path / "hub") as made:
        yield made
