"""What is missing is fetched when it is asked for, by whom it may be, and served while it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tensorhub import Store
from tensorhub.hub import arriving, download, fetching, mirror
from tensorhub.hub.access import Visibility
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.mirror import Mirror, concerns
from tensorhub.schema.names import parse_repository

from ...hub.other_hub import TOKEN, OtherHub
from ...hub.servers import run_hub
from ...weights import noise

pytestmark = pytest.mark.wide

MODEL = parse_repository("org/model")
FILES = {"config.json": b'{"a": 1}', "x.bin": noise(3_000_000, 2), "y.txt": b"text"}
FILE = "/org/model/resolve/main"


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "_BATCH_IDLE_S", 0.1)


@contextmanager
def _mirror(
    store: Store, other: OtherHub, token: str = "", config: HubConfig | None = None
) -> Iterator[tuple[httpx.Client, Hub]]:
    def use(hub: Hub) -> None:
        hub.mirror = Mirror(hub, other.upstream(token))

    with run_hub(store, config, prepare=use) as (url, hub), httpx.Client(base_url=url, timeout=20) as client:
        yield client, hub


def _wait(hub: Hub) -> None:
    for _ in range(1000):
        if hub.mirror is None or not hub.mirror.running():
            return
        time.sleep(0.01)
    raise TimeoutError


def _forget(hub: Hub) -> None:
    """Let the mirror ask again."""
    if hub.mirror is not None:
        hub.mirror._holds_until.clear()
        hub.mirror._retry_at_s.clear()
        hub.mirror._down_until_s = float("-inf")


def test_a_file_is_fetched_once(store: Store) -> None:
    """With the headers that it has at home; then it is here, and the other hub may go."""
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        for path in FILES:
            head = client.head(f"{FILE}/{path}")
            assert head.headers["x-repo-commit"] == other.commit_id
            assert int(head.headers["content-length"]) == len(FILES[path])
            found = client.get(f"{FILE}/{path}")
            assert found.content == FILES[path]
            assert found.headers["etag"] == head.headers["etag"]
        assert client.get(f"{FILE}/none.txt").headers["x-error-code"] == "EntryNotFound"
        _wait(hub)
        assert sorted(other.fetched()) == sorted(FILES)
        other.is_down = True
        _forget(hub)
        for path in FILES:
            assert client.get(f"{FILE}/{path}").content == FILES[path]
        assert client.get(f"{FILE}/none.txt").headers["x-error-code"] == "EntryNotFound"
        other_name = client.get("/org/unknown/resolve/main/x")
        assert other_name.status_code == 502  # not 404: nobody knows


def test_bytes_come_while_they_come(store: Store) -> None:
    """A client has the first half before the mirror has the second."""
    other = OtherHub(dict(FILES), held={"x.bin": threading.Event()})
    with _mirror(store, other) as (client, hub), client.stream("GET", f"{FILE}/x.bin") as response:
        pieces = response.iter_raw()
        got = b""
        while len(got) < 1_400_000:
            got += next(pieces)
        assert FILES["x.bin"].startswith(got)
        assert client.get(f"{FILE}/x.bin", headers={"Range": "bytes=10-19"}).content == FILES["x.bin"][10:20]
        other.held["x.bin"].set()
        assert got + b"".join(pieces) == FILES["x.bin"]
        _wait(hub)
    assert store.read(MODEL, "x.bin") == FILES["x.bin"]


def test_raw_text_while_it_comes(store: Store) -> None:
    """Small files are waited for; of large ones the pointer is known."""
    other = OtherHub(dict(FILES), held={"x.bin": threading.Event()})
    with _mirror(store, other) as (client, _):
        assert client.get("/org/model/raw/main/x.bin").text.endswith("size 3000000\n")
        assert client.get("/org/model/raw/main/config.json").content == FILES["config.json"]
        other.held["x.bin"].set()


def test_a_far_range_is_passed_through(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what comes before it."""
    monkeypatch.setattr(arriving, "_FAR_NBYTES", 1000)
    other = OtherHub(dict(FILES), held={"x.bin": threading.Event()})
    with _mirror(store, other) as (client, _):
        response = client.get(f"{FILE}/x.bin", headers={"Range": "bytes=2500000-2900000"})
        assert response.status_code == 206
        assert response.content == FILES["x.bin"][2500000:2900001]
        other.held["x.bin"].set()


def test_wrong_content_reaches_nobody_whole(store: Store) -> None:
    """The transfer is broken off before its last byte; asked again, it is an error."""
    other = OtherHub(dict(FILES), wrong={"x.bin"}, held={"x.bin": threading.Event()})
    with _mirror(store, other) as (client, hub):
        got = b""
        with (
            pytest.raises(httpx.RemoteProtocolError),
            client.stream("GET", f"{FILE}/x.bin") as response,
        ):
            other.held["x.bin"].set()
            for piece in response.iter_raw():
                got += piece
        assert len(got) < len(FILES["x.bin"])
        _wait(hub)
        assert client.get(f"{FILE}/x.bin").status_code == 422
        assert client.get(f"{FILE}/config.json").content == FILES["config.json"]
        assert client.head(f"{FILE}/x.bin").status_code == 200
        other.wrong.clear()
        _forget(hub)
        assert client.get(f"{FILE}/x.bin").content == FILES["x.bin"]


def test_a_hub_that_dies_midway(store: Store) -> None:
    """What came is served, what did not is an error and no absence; it goes on when the hub is back."""
    other = OtherHub(dict(FILES), held={"x.bin": threading.Event()})
    with _mirror(store, other) as (client, hub):
        assert client.get(f"{FILE}/config.json").status_code == 200
        other.is_down = True
        other.held["x.bin"].set()
        _wait(hub)
        assert hub.mirror is not None
        assert hub.mirror.failed_files == 1
        assert client.get(f"{FILE}/x.bin").status_code == 502
        _forget(hub)
        assert client.get(f"{FILE}/config.json").content == FILES["config.json"]
    with _mirror(store, other) as (client, hub):  # begun again, the other hub still gone
        assert client.get(f"{FILE}/config.json").content == FILES["config.json"]
        missing = client.get(f"{FILE}/x.bin")
        assert missing.status_code == 404
        assert "x-error-code" not in missing.headers
        other.is_down = False
        other.requests.clear()
        _forget(hub)
        assert client.get(f"{FILE}/x.bin").content == FILES["x.bin"]
        ranges = [item.headers.get("range") for item in other.requests if "/resolve/" in item.url.path]
        assert ranges == ["bytes=1500000-"]


def test_what_is_ours_stays_ours(store: Store) -> None:
    """The other hub is not asked about it."""
    with store.begin_commit("org/model") as transaction:
        transaction.put_file("mine.txt", b"mine")
        transaction.publish("put")
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        for _ in range(200):
            if client.get(f"{FILE}/mine.txt").content == b"mine":
                break
            hub.digests.wake()
            time.sleep(0.01)
        assert client.get(f"{FILE}/config.json").status_code == 404
        assert client.get("/org/model/resolve/dev/x").headers["x-error-code"] == "RevisionNotFound"
    assert other.requests == []


def test_absence_is_remembered(store: Store) -> None:
    """For a while; names of the other hub that do not exist cost it one request."""
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        client.get(f"{FILE}/config.json")
        for _ in range(3):
            assert client.get("/org/none/resolve/main/x").headers["x-error-code"] == "RepoNotFound"
            assert client.get("/org/model/resolve/none/x").headers["x-error-code"] == "RevisionNotFound"
        assert len([item for item in other.requests if "none" in item.url.path]) == 2
        assert hub.store.ref_store.find_repository(parse_repository("org/none")) is None


def test_branches_are_fresh(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, or when the client says no-cache; a commit id is never asked for again."""
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        client.get(f"{FILE}/config.json")
        _wait(hub)
        first = other.commit_id
        other.files["config.json"] = b'{"a": 2}'
        assert client.get(f"{FILE}/config.json").content == FILES["config.json"]
        monkeypatch.setattr(mirror, "_FORCED_S", 0.0)
        for _ in range(100):
            found = client.get(f"{FILE}/config.json", headers={"Cache-Control": "no-cache"})
            if found.content == b'{"a": 2}':
                break
            time.sleep(0.02)
        assert found.headers["x-repo-commit"] == other.commit_id
        other.requests.clear()
        _forget(hub)
        assert client.get(f"/org/model/resolve/{first}/config.json").content == FILES["config.json"]
        assert other.requests == []


def test_a_hub_that_hangs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is here is served after a moment, and then at once; what is not is told to come later."""
    other, hanging = OtherHub(dict(FILES)), threading.Event()
    with _mirror(store, other) as (client, hub):
        client.get(f"{FILE}/config.json")
        _wait(hub)
        monkeypatch.setattr(mirror, "_SHORT_PATIENCE_S", 0.1)
        monkeypatch.setattr(mirror, "_PATIENCE_S", 0.2)
        other.hanging = hanging
        _forget(hub)
        assert client.get(f"{FILE}/config.json").content == FILES["config.json"]
        asked = len(other.requests)
        assert client.get(f"{FILE}/x.bin").content == FILES["x.bin"]
        assert len(other.requests) == asked
        late = client.get("/org/another/resolve/main/x")
        assert late.status_code == 503
        assert "retry-after" in late.headers
        hanging.set()


def test_a_full_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that do not fit are not begun."""
    monkeypatch.setattr("tensorhub.hub.fetching.RESERVE_NBYTES", 1 << 60)
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        assert client.head(f"{FILE}/x.bin").status_code == 200
        _wait(hub)
        assert client.get(f"{FILE}/x.bin").status_code == 507
    assert other.fetched() == []


@pytest.mark.parametrize("hidden", ["private", "gated"])
def test_rights_of_the_token_go_to_nobody(store: Store, hidden: str) -> None:
    """What the other hub hides is fetched for those only who may read it here; nobody else learns of it."""
    other = OtherHub(dict(FILES), is_private=hidden == "private", gated=hidden == "gated" and "auto")
    with _mirror(store, other, TOKEN) as (client, hub):
        hub.accounts.create_user("root", is_admin=True)
        hub.accounts.create_user("eve")
        secrets = {name: hub.accounts.tokens.create(name, name="t").secret for name in ("root", "eve")}

        def ask(name: str) -> httpx.Response:
            return client.get(f"{FILE}/x.bin", headers={"Authorization": f"Bearer {secrets[name]}"})

        assert client.get(f"{FILE}/x.bin").status_code == 401
        assert ask("eve").status_code == 404
        assert hub.store.ref_store.find_repository(MODEL) is None
        assert other.fetched() == []
        assert ask("root").content == FILES["x.bin"]
        assert client.get(f"{FILE}/x.bin").status_code == 401
        assert ask("eve").status_code == 404


def test_public_content_is_public(store: Store) -> None:
    """And asked for as anybody; unless the server shows nothing to strangers."""
    other = OtherHub(dict(FILES))
    with _mirror(store, other, TOKEN, HubConfig(allows_anonymous_read=False)) as (client, hub):
        hub.accounts.create_user("root", is_admin=True)
        assert client.get(f"{FILE}/x.bin").status_code == 401
        assert other.requests == []
    with _mirror(store, other, TOKEN) as (client, hub):
        assert client.get(f"{FILE}/x.bin").content == FILES["x.bin"]
        row = hub.repositories.row(MODEL)
        assert row is not None
        assert row.visibility is Visibility.PUBLIC


def test_a_former_name(store: Store) -> None:
    """Leads to the repository, whose visibility and discussions stay what they are."""
    other = OtherHub(dict(FILES))
    for name in ("older", "old"):
        other.redirects[f"/api/models/org/{name}/revision/main"] = "/api/models/org/model/revision/main"
    with _mirror(store, other) as (client, hub):
        hub.accounts.create_user("root", is_admin=True)
        for name in ("older", "old"):
            found = client.get(f"/org/{name}/resolve/main/y.txt", follow_redirects=True)
            assert found.content == b"text"
            row = hub.repositories.row(MODEL)
            assert row is not None
            assert row.visibility is Visibility.PUBLIC
            hub.pulls.open(MODEL, title="t", description="", author="root")
        assert len(hub.pulls.all_of(MODEL)) == 2


def test_what_was_hidden_since_is_not_fetched(store: Store) -> None:
    """New commits of a repository that went private there do not come to a public one here."""
    other = OtherHub(dict(FILES))
    with _mirror(store, other, TOKEN) as (client, hub):
        client.get(f"{FILE}/config.json")
        _wait(hub)
        hub.accounts.create_user("root", is_admin=True)
        other.files["secret.txt"] = b"secret"
        other.is_private = True
        _forget(hub)
        assert client.get(f"{FILE}/secret.txt").headers["x-error-code"] == "EntryNotFound"
        assert client.get(f"{FILE}/config.json").content == FILES["config.json"]
    assert "secret.txt" not in other.fetched()


def test_digests_prove_nothing(store: Store) -> None:
    """The other hub cannot name a digest of what is private here, and have it shown."""
    with store.begin_commit("me/private") as transaction:
        transaction.put_file("p.bin", FILES["x.bin"])
        transaction.publish("put")
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        hub.accounts.create_user("root", is_admin=True)
        hub.digests.wake()
        time.sleep(0.3)
        assert client.get(f"{FILE}/x.bin").content == FILES["x.bin"]
        assert "x.bin" in other.fetched()


def test_metrics(store: Store) -> None:
    """Progress is told."""
    other = OtherHub(dict(FILES))
    with _mirror(store, other) as (client, hub):
        client.get(f"{FILE}/x.bin")
        _wait(hub)
        assert hub.mirror is not None
        assert hub.mirror.fetched_files == 3
        assert hub.mirror.fetched_nbytes == sum(map(len, FILES.values()))
        text = client.get("/metrics").text
        assert "tensorhub_mirror_fetched_files_total 3.0" in text
        assert "tensorhub_mirror_left_files 0.0" in text
        assert "tensorhub_mirror_upstream_up 1.0" in text


@pytest.mark.parametrize(
    ("method", "pattern", "expected"),
    [
        ("GET", "/api/{T}/{repo}/revision/{rev}", True),
        ("POST", "/api/{T}/{repo}/paths-info/{rev}", True),
        ("HEAD", "/{P}{repo}/resolve/{rev}/{path}", True),
        ("GET", "/{P}{repo}/raw/{rev}/{path}", True),
        ("POST", "/api/{T}/{repo}/commit/{rev}", False),
        ("GET", "/api/{T}/{repo}/xet-write-token/{rev}", False),
        ("GET", "/{P}{repo}", False),
        ("GET", "/api/{T}", False),
    ],
)
def test_what_is_fetched_for(method: str, pattern: str, expected: bool) -> None:
    """Programs that read; not writers, lists and pages."""
    assert concerns(method, pattern) is expected
