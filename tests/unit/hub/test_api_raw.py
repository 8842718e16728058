"""Files as git would give them."""

from __future__ import annotations

import hashlib

import pytest

from tensorhub import Store

from .served import ask, put_ready


def test_pointers_and_texts(store: Store) -> None:
    """An LFS file is its pointer, another its content; both with git's id."""
    put_ready(
        store,
        "datasets/ada/data",
        {".gitattributes": b"*.bin filter=lfs\n", "w.bin": b"weights", "a b.html": b"<script>", "empty": b""},
    )
    with ask(store) as client:
        pointer = client.get("/datasets/ada/data/raw/main/w.bin")
        digest = hashlib.sha256(b"weights").hexdigest()
        assert pointer.text == f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 7\n"
        assert "x-linked-size" not in pointer.headers
        page = client.get("/datasets/ada/data/raw/main/a%20b.html")
        assert page.content == b"<script>"
        assert page.headers["content-type"].startswith("text/plain")
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["etag"] == f'"{hashlib.sha1(b"blob 8" + bytes(1) + b"<script>").hexdigest()}"'
        assert client.get("/datasets/ada/data/raw/main/empty").content == b""
        assert client.head("/datasets/ada/data/raw/main/w.bin").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"), [("nothing", 404), ("a%2F..%2F..%2Fetc", 400), ("%00", 400), ("%ff", 400)]
)
def test_missing(store: Store, path: str, status: int) -> None:
    """Paths that lead nowhere."""
    put_ready(store, "ada/model", {"a": b"1"})
    with ask(store) as client:
        response = client.get(f"/ada/model/raw/main/{path}")
    assert response.status_code == status
    assert (response.headers.get("x-error-code") == "EntryNotFound") is (status == 404)
