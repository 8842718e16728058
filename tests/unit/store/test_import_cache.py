"""Importing a Hugging Face cache: every repository, revision and ref under its own ids."""

import hashlib
import json
from pathlib import Path

import pytest

from tensorhub import Store, add_hf_cache, collect_garbage, rebuild_catalog, verify
from tensorhub.errors import FileEntryNotFoundError, NotFoundError, UsageError
from tensorhub.schema.facts import FactKind

from ...weights import assert_sound, noise, read_all, safetensors, tuned, weights

FIRST, SECOND = "a" * 40, "b" * 40
BASE = weights((128, 320), 1)
MODEL = safetensors({"w": BASE})
TUNED = safetensors({"w": tuned(BASE, 2)})


def cache(root: Path, name: str, commits: dict[str, dict[str, bytes]], refs: dict[str, str]) -> Path:
    """Lay a repository out as the client does."""
    repo = root / name
    (repo / "blobs").mkdir(parents=True, exist_ok=True)
    for commit, files in commits.items():
        for path, content in files.items():
            etag = hashlib.sha256(content).hexdigest()
            (repo / "blobs" / etag).write_bytes(content)
            place = repo / "snapshots" / commit / path
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.is_symlink():
                place.symlink_to("../" * (path.count("/") + 2) + f"blobs/{etag}")
    for ref, commit in refs.items():
        place = repo / "refs" / ref
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(commit)
    return repo


def tree(repo: Path, commit: str, files: dict[str, bytes]) -> None:
    """Write the listing that proves a revision complete."""
    listing = {
        path: {
            "size": len(content),
            "blob_id": "2" * 40,
            "lfs_sha256": hashlib.sha256(content).hexdigest(),
            "lfs_size": len(content),
        }
        for path, content in files.items()
    }
    (repo / "trees").mkdir(exist_ok=True)
    (repo / "trees" / f"{commit}.json").write_text(json.dumps({"format_version": 1, "files": listing}))


def test_everything_under_its_own_ids(store: Store, tmp_path: Path) -> None:
    """Types, ids, commits and refs are the cache's; content is shared and coded across repositories."""
    cache(
        tmp_path / "c",
        "models--org--base",
        {FIRST: {"m.safetensors": MODEL}, SECOND: {"m.safetensors": TUNED, "sub/x": b"x"}},
        {"main": SECOND, "refs/pr/1": FIRST},
    )
    cache(tmp_path / "c", "datasets--org--data", {FIRST: {"d.bin": noise(4000, 1)}}, {"main": FIRST})
    cache(tmp_path / "c", "models--gpt2", {SECOND: {"m.safetensors": MODEL}}, {})
    results = add_hf_cache(store, tmp_path / "c")
    assert len(results) == 4
    assert {str(result.repository) for result in results} == {"org/base", "datasets/org/data", "gpt2"}
    assert read_all(store, "org/base") == {"m.safetensors": TUNED, "sub/x": b"x"}
    assert read_all(store, "org/base", "refs/pr/1") == {"m.safetensors": MODEL}
    assert store.resolve("org/base") == SECOND
    assert store.read("gpt2", "m.safetensors", revision=SECOND) == MODEL
    assert store.resolve("datasets/org/data", "main") == FIRST
    assert all(info.origin and info.is_partial for info in store.commits("org/base"))
    assert_sound(store)
    again = add_hf_cache(store, tmp_path / "c")
    assert not any(result.is_new_commit for result in again)


def test_a_partial_cache_is_filled_later(store: Store, tmp_path: Path) -> None:
    """A partial snapshot is marked; a fuller cache completes it, a poorer one takes nothing."""
    files = {"m.safetensors": MODEL, "config.json": b"{}", "x": b"x"}
    part = cache(
        tmp_path / "part", "models--a--b", {FIRST: {"config.json": b"{}", "x": b"x"}}, {"main": FIRST}
    )
    tree(part, FIRST, files)
    add_hf_cache(store, tmp_path / "part")
    assert store.commits("a/b")[0].is_partial
    with pytest.raises(FileEntryNotFoundError, match="partial"):
        store.read("a/b", "m.safetensors")
    poorer = cache(tmp_path / "poorer", "models--a--b", {FIRST: {"m.safetensors": MODEL}}, {"main": FIRST})
    del poorer
    add_hf_cache(store, tmp_path / "poorer")
    assert read_all(store, "a/b") == files
    assert store.resolve("a/b") == FIRST
    whole = cache(tmp_path / "whole", "models--a--b", {FIRST: files}, {"main": FIRST})
    tree(whole, FIRST, files)
    add_hf_cache(store, tmp_path / "whole")
    assert not store.commits("a/b")[0].is_partial
    add_hf_cache(store, tmp_path / "part")
    assert not store.commits("a/b")[0].is_partial
    assert read_all(store, "a/b", FIRST[:9]) == files
    assert_sound(store)


def test_claims_are_kept_and_checked(store: Store, tmp_path: Path) -> None:
    """The digests that the cache claims are facts; verify compares them, and names content that differs."""
    repo = cache(
        tmp_path / "c", "models--a--b", {FIRST: {"good": noise(5000, 1), "bad": b"right"}}, {"main": FIRST}
    )
    (repo / "blobs" / hashlib.sha256(b"right").hexdigest()).write_bytes(b"wrong")
    add_hf_cache(store, tmp_path / "c")
    facts = {info.path: store.catalog.facts(info.digest) for info in store.files("a/b")}
    assert [(fact.kind, fact.is_claimed) for fact in facts["good"]] == [(FactKind.FILE_SHA256, True)]
    assert facts["good"][0].value == hashlib.sha256(noise(5000, 1)).digest()
    report = verify(store)
    assert report.sha256_checked == 2
    (damage,) = report.damages
    assert damage.kind == "file"
    assert damage.affected == (f"a/b@{FIRST[:12]}:bad",)
    store.close()
    rebuild_catalog(store.path)
    with Store.open(store.path) as again:
        assert len(again.catalog.facts(again.files("a/b")[0].digest)) == 1


def test_moved_refs(store: Store, tmp_path: Path) -> None:
    """When upstream moved on, main follows; the old revision stays as long as the cache has it."""
    cache(tmp_path / "c", "models--a--b", {FIRST: {"x": b"1"}}, {"main": FIRST})
    add_hf_cache(store, tmp_path / "c")
    cache(tmp_path / "c", "models--a--b", {SECOND: {"x": b"2"}}, {"main": SECOND, "v1": SECOND})
    add_hf_cache(store, tmp_path / "c")
    assert store.read("a/b", "x") == b"2"
    assert store.read("a/b", "x", revision="v1") == b"2"
    assert store.read("a/b", "x", revision=FIRST) == b"1"
    assert_sound(store)


def test_no_cache(store: Store, tmp_path: Path) -> None:
    """A folder that is not there is told; an empty one brings nothing."""
    with pytest.raises(NotFoundError):
        add_hf_cache(store, tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    assert add_hf_cache(store, tmp_path / "empty") == []


def pruned(root: Path, commit: str, content: bytes) -> Path:
    """Lay a cache out that holds one revision only, as after a prune."""
    place = root / commit[:4]
    cache(place, "models--o--n", {commit: {"w": content}}, {"main": commit, "refs/pr/1": commit})
    return place


def test_a_moved_main_keeps_the_earlier_commit(store: Store, tmp_path: Path) -> None:
    """Upstream moves all its refs and the cache is pruned: what was imported stays reachable, and gc leaves it."""
    old, new = noise(9000, 1), noise(9000, 2)
    add_hf_cache(store, pruned(tmp_path, FIRST, old))
    add_hf_cache(store, pruned(tmp_path, SECOND, new))
    refs = {info.name: info.commit_id for info in store.refs("o/n")}
    assert FIRST in refs.values()
    assert len(refs) == 3
    assert store.resolve("o/n", f"refs/convert/commit-{FIRST}") == FIRST
    collect_garbage(store, grace_s=0)
    assert store.read("o/n", "w", revision=FIRST) == old
    assert store.read("o/n", "w") == new
    add_hf_cache(store, tmp_path / FIRST[:4])  # and back: nothing is doubled, nothing lost
    add_hf_cache(store, tmp_path / SECOND[:4])
    assert store.read("o/n", "w", revision=FIRST) == old
    assert store.resolve("o/n") == SECOND
    assert_sound(store)


def test_a_local_commit_on_top_is_kept(store: Store, tmp_path: Path) -> None:
    """The same cache again after a local commit: main is upstream's, the local commit keeps a ref."""
    place = pruned(tmp_path, FIRST, noise(9000, 1))
    add_hf_cache(store, place)
    with store.begin_commit("o/n") as transaction:
        transaction.put_file("mine.txt", b"my notes")
        mine = transaction.publish().commit_id
    add_hf_cache(store, place)
    assert store.resolve("o/n") == FIRST
    collect_garbage(store, grace_s=0)
    assert store.read("o/n", "mine.txt", revision=f"refs/convert/commit-{mine}") == b"my notes"
    assert len(store.refs("o/n")) == 3
    assert_sound(store)


def test_another_import_of_the_same_commit_is_kept(store: Store, tmp_path: Path) -> None:
    """Two partial imports of one commit under two refs: moving the second ref loses none of its files."""
    cache(tmp_path / "a", "models--o--n", {FIRST: {"x": b"x"}}, {"refs/pr/1": FIRST})
    add_hf_cache(store, tmp_path / "a")
    cache(tmp_path / "b", "models--o--n", {FIRST: {"y": b"y"}}, {"main": FIRST, "refs/pr/1": FIRST})
    add_hf_cache(store, tmp_path / "b")
    names = [str(ref) for ref in store.ref_store.list(store.snapshots.repository("o/n"))]
    assert any("x" in read_all(store, "o/n", name) for name in names)
    assert_sound(store)


@pytest.mark.usefixtures("modes")
def test_mode(store: Store, tmp_path: Path) -> None:
    """A cache is taken in the mode that is asked for."""
    cache(tmp_path / "c", "models--org--base", {FIRST: {"m.safetensors": MODEL}}, {"main": FIRST})
    (result,) = add_hf_cache(store, tmp_path / "c", mode="fast")
    assert result.stored_nbytes >= BASE.nbytes
    with pytest.raises(UsageError):
        add_hf_cache(store, tmp_path / "c", mode="slow")
