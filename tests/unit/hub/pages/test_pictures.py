"""Pictures that a card shows."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.errors import FileEntryNotFoundError, LimitExceededError
from tensorhub.hub.pages import pictures
from tensorhub.hub.pages.pictures import read_picture

from .models import fill


def test_pictures(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their type; nothing else, and nothing large."""
    fill(store)
    snapshot = store.snapshots.snapshot("ada/base")
    content, media_type = read_picture(store, snapshot, "img/logo.png")
    assert (content[:4], media_type) == (b"\x89PNG", "image/png")
    for path in ("README.md", "img/none.png", "model.safetensors"):
        with pytest.raises(FileEntryNotFoundError):
            read_picture(store, snapshot, path)
    monkeypatch.setattr(pictures, "MAX_PICTURE_NBYTES", 5)
    with pytest.raises(LimitExceededError):
        read_picture(store, snapshot, "img/logo.png")
