"""Revisions come in under their own ids, whole or marked as partial, and nothing is fetched twice."""

from __future__ import annotations

import threading
import time

import pytest

from tensorhub import Store
from tensorhub.errors import BackendUnavailableError, WrongContentError
from tensorhub.hub import download as downloads
from tensorhub.hub import fetching
from tensorhub.hub.fetch_plan import plan_fetch
from tensorhub.hub.fetching import Fetch
from tensorhub.schema.names import RepositoryId, parse_repository
from tensorhub.store.file_facts import file_facts

from ...hub.other_hub import URL, OtherHub
from ...weights import noise, safetensors, weights

MODEL = parse_repository("org/model")
FILES = {
    "README.md": b"# A model\n",
    "config.json": b'{"a": 1}',
    "empty.txt": b"",
    "sub folder/m.safetensors": safetensors({"w": weights((64, 320), 1)}),
    "x.bin": noise(3_000_000, 2),
}


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "_BATCH_IDLE_S", 0.1)


def _fetch(store: Store, other: OtherHub, revision: str = "main", **options: object) -> Fetch:
    upstream = other.upstream()
    found = upstream.revision(MODEL, revision)
    plan = plan_fetch(upstream, found, revision, **options)  # type: ignore[arg-type]
    fetch = Fetch(store, upstream, store.create_repository(found.repository), plan)
    fetch.begin()
    if not fetch.is_complete:
        fetch.run()
    return fetch


def _read(store: Store, revision: str | None = None) -> dict[str, bytes]:
    return {
        file.path: store.read(MODEL, file.path, revision=revision) for file in store.files(MODEL, revision)
    }


def _is_partial(store: Store, revision: str | None = None) -> bool:
    return store.snapshots.snapshot(MODEL, revision).commit.is_partial


def test_a_revision_comes_whole(store: Store) -> None:
    """Every byte, under the other hub's commit id, with what the commit says of itself."""
    other = OtherHub(dict(FILES))
    fetch = _fetch(store, other)
    assert _read(store) == FILES
    commit = store.snapshots.snapshot(MODEL, None)
    assert commit.reference.commit_id == other.commit_id
    assert (commit.commit.title, commit.commit.message, commit.commit.author) == ("A title", "More", "ada")
    assert commit.commit.date_ms == 1767323045000
    assert (commit.commit.origin, commit.commit.is_partial) == (URL, False)
    assert fetch.counts.fetched_files == 5
    assert not list((store.layout.uploads / "mirror").iterdir())


def test_digests_are_known_at_once(store: Store) -> None:
    """What was computed on the way is kept as computed here."""
    _fetch(store, OtherHub(dict(FILES)))
    files = {file.path: file.digest for file in store.files(MODEL)}
    facts = file_facts(store, files.values())
    assert all(facts[digest].sha256 is not None for digest in files.values())
    assert facts[files["config.json"]].git_sha1 is not None
    assert facts[files["x.bin"]].git_sha1 is None


def test_a_cut_connection_goes_on(store: Store) -> None:
    """From where it broke off."""
    other = OtherHub(dict(FILES), cut_at={"x.bin": 2_000_000})
    _fetch(store, other)
    assert _read(store) == FILES
    ranges = [item.headers.get("range") for item in other.requests if item.url.path.endswith("x.bin")]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert 0 < int(ranges[1].removeprefix("bytes=").rstrip("-")) <= 2_000_000


def test_a_hub_without_ranges(store: Store) -> None:
    """What came already is skipped."""
    other = OtherHub(dict(FILES), cut_at={"x.bin": 2_000_000}, has_ranges=False)
    _fetch(store, other)
    assert _read(store) == FILES


def test_wrong_content_is_refused(store: Store) -> None:
    """Of regular files and LFS files; the rest is kept, and what is missing is not absent."""
    other = OtherHub(dict(FILES), wrong={"x.bin", "config.json"})
    fetch = _fetch(store, other)
    assert {path: type(error) for path, error in fetch.failures.items()} == {
        "x.bin": WrongContentError,
        "config.json": WrongContentError,
    }
    assert set(_read(store)) == set(FILES) - {"x.bin", "config.json"}
    assert _is_partial(store)
    assert not list((store.layout.uploads / "mirror").iterdir())
    other.wrong.clear()
    other.requests.clear()
    _fetch(store, other)
    assert set(other.fetched()) == {"x.bin", "config.json"}
    assert _read(store) == FILES
    assert not _is_partial(store)


def test_a_hub_that_dies(store: Store) -> None:
    """What came stays, on disk too, and the next time goes on from there."""
    other = OtherHub(dict(FILES), held={"x.bin": threading.Event()})
    upstream = other.upstream()
    plan = plan_fetch(upstream, upstream.revision(MODEL, "main"), "main")
    fetch = Fetch(store, upstream, store.create_repository(MODEL), plan)
    fetch.begin()
    thread = threading.Thread(target=fetch.run)
    thread.start()
    others = [item for path, item in fetch.downloads.items() if path != "x.bin"]
    download = fetch.downloads["x.bin"]
    while download.received_nbytes < 1_000_000 or not all(item.is_complete for item in others):
        time.sleep(0.01)
    other.is_down = True
    other.cut_at["x.bin"] = 0
    fetch.stop()
    other.held["x.bin"].set()
    thread.join()
    assert set(_read(store)) == set(FILES) - {"x.bin"}
    assert _is_partial(store)
    other.is_down = False
    other.cut_at.clear()
    other.held.clear()
    other.requests.clear()
    _fetch(store, other)
    assert _read(store) == FILES
    assert [
        item.headers.get("range") is not None for item in other.requests if "/resolve/" in item.url.path
    ] == [True]


def test_a_hub_that_is_gone_from_the_start(store: Store) -> None:
    """Nothing is made up."""
    with pytest.raises(BackendUnavailableError):
        _fetch(store, OtherHub(dict(FILES), is_down=True))


def test_a_branch_moves_when_all_is_here(store: Store) -> None:
    """Until then it leads to what is whole; what it led to stays readable by its id."""
    other = OtherHub(dict(FILES))
    _fetch(store, other)
    first = other.commit_id
    other.files["config.json"] = b'{"a": 2}'
    other.files["new.bin"] = noise(100_000, 3)
    other.wrong = {"new.bin"}
    other.requests.clear()
    _fetch(store, other)
    assert store.resolve(MODEL) == first
    assert _is_partial(store, other.commit_id)
    assert set(other.fetched()) == {"config.json", "new.bin"}
    other.wrong.clear()
    _fetch(store, other)
    assert store.resolve(MODEL) == other.commit_id
    assert _read(store) == other.files
    assert _read(store, first) == FILES
    assert [item.name for item in store.refs(MODEL)] == ["refs/heads/main", f"refs/convert/commit-{first}"]


def test_content_that_is_here_is_linked(store: Store) -> None:
    """A commit of known files costs no bytes, from whatever repository they are, if that may be looked at."""
    _fetch(store, OtherHub(dict(FILES)))
    other = OtherHub({"y.bin": FILES["x.bin"], "z.txt": b"new"}, repo_id="org/other")
    upstream = other.upstream()
    for may_link, fetched in ((True, ["z.txt"]), (False, ["z.txt", "y.bin"])):
        repository = RepositoryId(MODEL.repo_type, f"org/linked-{may_link}")
        plan = plan_fetch(upstream, upstream.revision(parse_repository("org/other"), "main"), "main")
        other.requests.clear()
        fetch = Fetch(store, upstream, repository, plan, may_link=lambda _, answer=may_link: answer)  # type: ignore[misc]
        fetch.begin()
        fetch.run()
        assert sorted(other.fetched()) == sorted(fetched)
        assert store.read(repository, "y.bin") == FILES["x.bin"]


def test_some_files(store: Store) -> None:
    """What was not wanted is missing, not absent; later it is completed."""
    other = OtherHub(dict(FILES))
    fetch = _fetch(store, other, select=lambda path: path.endswith(".json"))
    assert set(_read(store)) == {"config.json"}
    assert not fetch.is_complete
    other.requests.clear()
    _fetch(store, other)
    assert "config.json" not in other.fetched()
    assert _read(store) == FILES
    assert not _is_partial(store)


def test_a_commit_by_its_id(store: Store) -> None:
    """It gets a ref that keeps it."""
    other = OtherHub(dict(FILES))
    _fetch(store, other, other.commit_id)
    assert [item.name for item in store.refs(MODEL)] == [f"refs/convert/commit-{other.commit_id}"]
    assert _read(store, other.commit_id) == FILES


def test_other_branches(store: Store) -> None:
    """The other hub says whether a name is a branch or a tag."""
    other = OtherHub(dict(FILES), branches=["main", "dev/x"])
    _fetch(store, other, "dev/x")
    assert [item.name for item in store.refs(MODEL)] == ["refs/heads/dev/x"]


def test_many_files(store: Store) -> None:
    """Lists have pages; small files come in a few batches."""
    files = {f"data/{number:04}.txt": str(number).encode() for number in range(230)}
    other = OtherHub(files, page=50)
    _fetch(store, other)
    assert _read(store) == files
