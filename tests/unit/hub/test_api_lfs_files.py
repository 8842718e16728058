"""The LFS files of a repository, over all refs."""

from __future__ import annotations

import hashlib

import pytest

from tensorhub import Store
from tensorhub.hub import api_lfs_files

from .served import ask, put_ready

RULES = {".gitattributes": b"*.bin filter=lfs\n"}


def test_all_refs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each content once: under main where main has it, with its newest name and its first date."""
    put_ready(store, "ada/model", {**RULES, "old.bin": b"one", "a.txt": b"text"})
    put_ready(store, "ada/model", {**RULES, "new.bin": b"one", "two.bin": b"two"})
    store.create_ref("ada/model", "side")
    put_ready(store, "ada/model", {**RULES, "new.bin": b"one", "three.bin": b"three"}, revision="side")
    url = "/api/models/ada/model/lfs-files"
    with ask(store) as client:
        found = client.get(url).json()
        assert {(item["filename"], item["ref"], item["size"]) for item in found} == {
            *(("new.bin", "main", 3), ("two.bin", "main", 3), ("three.bin", "side", 5)),
        }
        assert {item["oid"] for item in found} >= {hashlib.sha256(b"one").hexdigest()}
        assert all(item["pushedAt"].endswith("Z") and item["fileOid"] == item["oid"] for item in found)
        monkeypatch.setattr(api_lfs_files, "_PAGE", 2)
        first = client.get(url)
        second = client.get(first.links["next"]["url"])
        assert first.json() + second.json() == found
        assert "next" not in second.links
