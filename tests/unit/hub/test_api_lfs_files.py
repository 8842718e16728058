"""The LFS files of a repository, over all refs."""

from __future__ import annotations

import hashlib

import pytest

from tensorhub import Store
from tensorhub.hub import api_lfs_files

from .served import add_users, ask, decide, put_ready

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


def test_taking_over(store: Store) -> None:
    """Who may read the source and write the target may; only files that the source has."""
    put_ready(store, "ada/model", {**RULES, "w.bin": b"weights"})
    put_ready(store, "bob/secret", {**RULES, "s.bin": b"secret"})
    store.create_repository("datasets/ada/data")
    url = "/api/models/ada/model/lfs-files/duplicate"
    here, elsewhere = (hashlib.sha256(text).hexdigest() for text in (b"weights", b"secret"))
    body = {
        "target": {"type": "dataset", "name": "ada/data"},
        "files": [{"sha256": here, "xetHash": "0" * 64}, {"sha256": elsewhere}, {"sha256": "x"}, 3],
    }
    with ask(store) as client:
        ada, bob = add_users(client)
        found = client.post(url, json=body, headers=ada).json()
        assert found["success"] == [{"sha256": here}]
        assert [item["sha256"] for item in found["failed"]] == [elsewhere, "x", ""]
        assert client.post(url, json=body, headers=bob).status_code == 404
        decide(client, "ada/model", "public")
        assert client.post(url, json=body, headers=bob).status_code == 404
        decide(client, "ada/data", "public", repo_type="dataset")
        assert client.post(url, json=body, headers=bob).status_code == 403
        for wrong in ({}, {"target": [], "files": []}, {"target": {}, "files": [0] * 1001}):
            assert client.post(url, json=wrong, headers=ada).status_code in (400, 404, 422)
