"""How one file is shown."""

from __future__ import annotations

import pytest

from tensorhub import Store
from tensorhub.errors import FileEntryNotFoundError
from tensorhub.hub.pages.blob import MAX_TEXT_NBYTES, BlobView, read_blob, to_text
from tensorhub.hub.pages.reader import OWNER
from tensorhub.hub.pages.tensors import TensorQuery

from ....weights import put
from .models import fill


def read(store: Store, name: str, path: str) -> BlobView:
    return read_blob(store, store.snapshots.snapshot(name), path, TensorQuery(), OWNER)


def test_kinds(store: Store) -> None:
    """Tensors as a table, text as text, pictures not at all."""
    fill(store)
    model = read(store, "bob/child", "model.safetensors")
    assert model.tensors is not None
    assert model.tensors.all == 2
    assert model.text is None
    text = read(store, "bob/child", "config.json")
    assert (text.text, text.lines, text.reason) == ('{"a": 1}\n', 1, "")
    picture = read(store, "ada/base", "img/logo.png")
    assert picture.text is None
    assert picture.reason == "This file is not text."
    with pytest.raises(FileEntryNotFoundError):
        read(store, "ada/base", "nothing")


def test_large_text(store: Store) -> None:
    """It is not read."""
    put(store, "a/b", {"large.txt": b"x" * (MAX_TEXT_NBYTES + 1), "fits.txt": b"y\n" * 10, "empty": b""})
    assert read(store, "a/b", "large.txt").reason == "This file is too large to show here."
    assert read(store, "a/b", "fits.txt").lines == 10
    empty = read(store, "a/b", "empty")
    assert (empty.text, empty.lines, empty.nbytes) == ("", 0, 0)


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"a\tb\r\n", "a\tb\r\n"), ("ü".encode(), "ü"), (b"\xff", None), (b"a\0b", None), (b"", "")],
)
def test_what_is_text(content: bytes, text: str | None) -> None:
    """UTF-8 without control characters."""
    assert to_text(content) == text
