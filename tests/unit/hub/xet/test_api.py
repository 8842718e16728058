"""The Xet endpoints over HTTP: honest uploads, and all kinds of others."""

import errno
import hashlib
import json
import time
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from tensorhub.errors import from_os_error
from tensorhub.hub.access import Role, Visibility
from tensorhub.hub.app import HubApp
from tensorhub.hub.config import HubConfig
from tensorhub.hub.hub import Hub
from tensorhub.hub.serve import ROUTES
from tensorhub.hub.tokens import Scope
from tensorhub.hub.xet import api
from tensorhub.hub.xet.hashes import to_text
from tensorhub.hub.xet.xorb import MAX_BODY_NBYTES
from tensorhub.schema.digest import Digest
from tensorhub.schema.facts import Fact, FactKind
from tensorhub.schema.names import parse_repository

from ....xet_bodies import make_shard, make_xorb, some_chunks

CHUNKS = some_chunks(12, 40_000)
DATA = b"".join(CHUNKS)
SHA256 = hashlib.sha256(DATA).digest()
NOTHING = Digest(bytes(32))


@pytest.fixture
def hub(store):
    """Serve a store with one file."""
    with store.begin_commit("org/model") as transaction:
        transaction.put_file("w.bin", DATA)
        transaction.claim("w.bin", Fact(FactKind.FILE_SHA256, NOTHING, SHA256))
        transaction.publish("first")
    return Hub(store, HubConfig())


@pytest.fixture
def client(hub):
    """Ask a hub."""
    with TestClient(HubApp(hub, ROUTES), base_url="http://localhost") as opened:
        yield opened


class Access:
    """An address and its token."""

    def __init__(self, client, kind="write"):
        answer = client.get(f"/api/models/org/model/xet-{kind}-token/main").json()
        self.client, self.path = client, urlsplit(answer["casUrl"]).path
        self.headers = {"Authorization": f"Bearer {answer['accessToken']}"}

    def send(self, path, body, **headers):
        """Post a body."""
        return self.client.post(self.path + path, content=body, headers={**self.headers, **headers})

    def xorb(self, chunks=CHUNKS, scheme="lz4"):
        """Post an honest xorb, and give its hash."""
        xorb, body = make_xorb(chunks, scheme)
        answer = self.send(f"/v1/xorbs/default/{to_text(xorb)}", body)
        assert (answer.status_code, answer.json()) == (200, {"was_inserted": True})
        return xorb

    def get(self, path, **headers):
        """Get a path below the address."""
        return self.client.get(self.path + path, headers={**self.headers, **headers})


@pytest.fixture
def access(client):
    """Give a token for uploads."""
    return Access(client)


def files_left(hub):
    """List what lies among the uploads."""
    return [path for path in hub.uploads.folder.rglob("*") if path.is_file()]


def test_upload(hub, access):
    """A xorb and its shard stage a file for the user; sending the xorb again changes nothing."""
    xorb = access.xorb()
    assert access.xorb() == xorb
    answer = access.send("/v1/shards", make_shard([(SHA256, [(xorb, 0, 12, len(DATA))])]))
    assert (answer.status_code, answer.json()) == (200, {"result": 1})
    source = hub.uploads.find(SHA256, "local")
    out = bytearray(source.nbytes)
    source.read_into(0, out)
    assert out == DATA


def frames_of(answer):
    """Read the lines of an answer with progress."""
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_upload_with_progress(hub, access, monkeypatch):
    """A proof that takes long tells how far it is; one that does not is answered at once."""
    xorb = access.xorb()
    shard = make_shard([(SHA256, [(xorb, 0, 12, len(DATA))])])
    assert frames_of(access.send("/v2/shards", shard)) == [{"type": "result"}]
    assert hub.uploads.find(SHA256, "local") is not None
    assert access.send("/v2/shards", shard[:-1]).status_code == 422
    stage = hub.uploads.stage

    def slowly(files, user, should_stop):
        time.sleep(0.3)
        stage(files, user, should_stop)

    monkeypatch.setattr(api, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(hub.uploads, "stage", slowly)
    first, *_, last = frames_of(access.send("/v2/shards", shard))
    assert (first, last) == ({"type": "validating", "verified": 0, "total": 1}, {"type": "result"})
    *_, last = frames_of(access.send("/v2/shards", make_shard([(bytes(32), [(xorb, 0, 12, len(DATA))])])))
    assert (last["type"], last["retryable"]) == ("error", False)
    assert "SHA-256" in last["message"]
    assert len(files_left(hub)) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chunks/default/" + "0" * 64),
        ("POST", "/v1/xorb-grants/default/" + "0" * 64),
        ("GET", "/v2/reconstructions/" + "0" * 64),
        ("GET", "/nonsense/../../etc"),
    ],
)
def test_what_is_not_offered(access, method, path):
    """Clients do without what is answered 404, with a token or without."""
    for headers in (access.headers, {}):
        assert access.client.request(method, access.path + path, headers=headers).status_code == 404


def test_telemetry_is_taken(client):
    """Reports of clients go nowhere, whatever token they carry."""
    assert (
        client.post("/v1/telemetry", json={"a": 1}, headers={"Authorization": "Bearer x"}).status_code == 200
    )


def test_tokens_are_asked_for(client, access):
    """Without a token nothing is taken or given; a token for downloads takes nothing; another store is told."""
    path = "/v1/xorbs/default/" + "0" * 64
    assert client.post(access.path + path, content=b"x").status_code == 401
    assert client.post(access.path + "/v1/shards", content=b"x").status_code == 401
    assert client.get(access.path + "/v1/reconstructions/" + "0" * 64).status_code == 401
    reader = Access(client, "read")
    assert reader.send(path, b"x").status_code == 403
    assert reader.send("/v1/shards", b"x").status_code == 403
    elsewhere = client.post("/cas/s-0123456789abcdef-0-0-0" + path, content=b"x", headers=access.headers)
    assert elsewhere.status_code == 404
    assert "another store" in elsewhere.json()["error"]


def test_tokens_end_with_what_they_were_given_for(hub, client):
    """An access token that is revoked, and a repository that is closed, end the tokens given out before, at once."""
    name = hub.store.snapshots.snapshot("org/model", None).entry("w.bin").file.hex
    local = Access(client)
    hub.accounts.create_user("ada", namespaces={"org": Role.WRITE})
    assert local.send("/v1/shards", b"").status_code == 401
    made = hub.accounts.tokens.create("ada", scope=Scope.WRITE)
    hub.repositories.put(parse_repository("org/model"), visibility=Visibility.PUBLIC)
    anonymous = Access(client, "read")
    client.headers["Authorization"] = f"Bearer {made.secret}"
    ada = Access(client)
    del client.headers["Authorization"]
    ada.xorb()
    [[fetch]] = anonymous.get(f"/v1/reconstructions/{name}").json()["fetch_info"].values()
    link = urlsplit(fetch["url"])
    assert client.get(f"{link.path}?{link.query}").status_code == 200
    hub.repositories.put(parse_repository("org/model"), visibility=Visibility.PRIVATE)
    assert anonymous.get(f"/v1/reconstructions/{name}").status_code in (401, 404)
    assert client.get(f"{link.path}?{link.query}").status_code == 403
    ada.xorb()
    hub.accounts.tokens.revoke(made.token.token_id)
    assert ada.send("/v1/shards", b"").status_code == 401


@pytest.mark.parametrize("repo", ["org/none", "none", "a/b/c"])
def test_tokens_are_for_what_exists(client, repo):
    """No token is given for a repository that is not there."""
    for kind in ("read", "write"):
        assert client.get(f"/api/models/{repo}/xet-{kind}-token/main").status_code == 404


def test_forged_xorbs_leave_nothing(hub, access):
    """A wrong hash, damage and a hash that is no hash are refused."""
    xorb, body = make_xorb(CHUNKS)
    path = f"/v1/xorbs/default/{to_text(xorb)}"
    assert access.send(path, body[:-1]).status_code == 422
    assert access.send(path, body[:100] + b"!" + body[101:]).status_code == 422
    assert access.send("/v1/xorbs/default/" + "1" * 64, body).status_code == 422
    assert access.send("/v1/xorbs/default/..%2F..%2Fevil", body).status_code == 422
    assert access.send(path, b"").status_code == 422
    assert files_left(hub) == []
    assert hub.uploads.space.nbytes == 0


def test_bodies_have_limits(hub, access):
    """A body that is announced too long, or is too long without being announced, is refused."""
    path = "/v1/xorbs/default/" + "0" * 64
    assert access.send(path, b"x", **{"content-length": str(MAX_BODY_NBYTES + 1)}).status_code in (413, 422)
    pieces = (bytes(1 << 20) for _ in range(MAX_BODY_NBYTES // (1 << 20) + 1))
    assert access.send(path, pieces).status_code in (413, 422)
    assert files_left(hub) == []
    assert hub.uploads.space.nbytes == 0


def test_a_full_disk_is_told(hub, access, monkeypatch):
    """No room for an upload is 507, and takes nothing."""
    monkeypatch.setattr(type(hub.uploads.space), "_free", lambda self: 0)
    assert access.send("/v1/xorbs/default/" + "0" * 64, b"x").status_code == 507
    assert files_left(hub) == []


def test_a_disk_that_fills_up_is_told(hub, access, monkeypatch):
    """A body that does not fit while it comes is 507, too, and leaves nothing."""

    def fail(file, piece):
        raise from_os_error(OSError(errno.ENOSPC, "full"), "receiving")

    monkeypatch.setattr(api, "write_body", fail)
    assert access.send("/v1/xorbs/default/" + "0" * 64, b"x").status_code == 507
    assert files_left(hub) == []
    assert hub.uploads.space.nbytes == 0


def test_forged_shards_are_refused(hub, access, client):
    """Lying lengths and digests are 422; chunks that are not there are 404, and the next address is another one."""
    xorb = access.xorb()
    run = (xorb, 0, 12, len(DATA))
    for shard in (
        b"",
        b"x" * 500,
        make_shard([(SHA256, [run])])[:-48],
        make_shard([(bytes(32), [run])]),
        make_shard([(SHA256, [(xorb, 0, 12, len(DATA) - 1)])]),
    ):
        assert access.send("/v1/shards", shard).status_code == 422
    assert Access(client).path == access.path
    answer = access.send("/v1/shards", make_shard([(SHA256, [(b"n" * 32, 0, 1, 100)])]))
    assert answer.status_code == 404
    assert "Upload again" in answer.json()["error"]
    assert Access(client).path != access.path
    assert hub.uploads.find(SHA256, "local") is None


def read_terms(access, body):
    """Follow the links of a reconstruction, and give the decoded bytes."""
    out = b""
    for term in body["terms"]:
        (fetch,) = body["fetch_info"][term["hash"]]
        asked = "bytes={start}-{end}".format(**fetch["url_range"])
        answer = access.client.get(fetch["url"], headers={"Range": asked})
        assert answer.status_code == 206
        data, at = answer.content, 0
        assert len(data) == fetch["url_range"]["end"] - fetch["url_range"]["start"] + 1
        while at < len(data):
            nbytes = int.from_bytes(data[at + 5 : at + 8], "little")
            out += data[at + 8 : at + 8 + nbytes]
            at += 8 + nbytes
    return out[body["offset_into_first_range"] :]


@pytest.mark.parametrize(
    "asked", [None, "bytes=0-99", "bytes=131072-131073", "bytes=200000-", "bytes=5-9999999"]
)
def test_reconstruction(hub, client, asked):
    """A file, or a range of it, comes back from the chunks that are named."""
    reader = Access(client, "read")
    name = hub.store.snapshots.snapshot("org/model", None).entry("w.bin").file.hex
    headers = {} if asked is None else {"Range": asked}
    answer = reader.get(f"/v1/reconstructions/{name}", **headers)
    assert answer.status_code == 200
    first, last = (asked or "bytes=0-").removeprefix("bytes=").split("-")
    wanted = DATA[int(first) : int(last) + 1 if last else None]
    assert read_terms(reader, answer.json()).startswith(wanted)


@pytest.mark.parametrize("path", ["/reconstructions/", "/reconstruction/"])
def test_older_clients_read(hub, client, path):
    """Paths without a version are those of older clients."""
    reader = Access(client, "read")
    name = hub.store.snapshots.snapshot("org/model", None).entry("w.bin").file.hex
    assert read_terms(reader, reader.get(path + name).json()) == DATA


def test_older_clients_write(hub, access):
    """Paths without a version are those of older clients."""
    xorb, body = make_xorb(CHUNKS)
    assert access.send(f"/xorbs/default/{to_text(xorb)}", body).status_code == 200
    assert access.send("/shards", make_shard([(SHA256, [(xorb, 0, 12, len(DATA))])])).status_code == 200
    assert hub.uploads.find(SHA256, "local") is not None


def test_only_files_of_the_revision_are_given(hub, client):
    """A token reads the files of its revision; a link reads its chunks."""
    reader = Access(client, "read")
    name = hub.store.snapshots.snapshot("org/model", None).entry("w.bin").file.hex
    assert reader.get("/v1/reconstructions/" + "0" * 64).status_code == 404
    assert reader.get(f"/v1/reconstructions/{name}", Range="bytes=99999999-").status_code == 416
    body = reader.get(f"/v1/reconstructions/{name}").json()
    (fetch,) = next(iter(body["fetch_info"].values()))
    path = fetch["url"]
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"Range": "bytes=0-10"}).status_code == 416
    assert client.get(path[:-1]).status_code == 403
    assert client.get(path.partition("?")[0]).status_code == 403
    with hub.store.begin_commit("org/other") as transaction:
        transaction.put_file("secret.bin", b"secret" * 9999)
        transaction.publish("other")
    secret = hub.store.snapshots.snapshot("org/other", None).entry("secret.bin").file.hex
    assert reader.get(f"/v1/reconstructions/{secret}").status_code == 404


def test_another_users_xorb_is_as_good_as_none(hub, client):
    """Naming what somebody else sent is answered as naming what nobody sent; sending it is answered as anything new."""
    hub.accounts.create_user("ada", namespaces={"org": Role.WRITE})
    hub.accounts.create_user("bob", namespaces={"org": Role.WRITE})
    access = {}
    for user in ("ada", "bob"):
        client.headers["Authorization"] = (
            f"Bearer {hub.accounts.tokens.create(user, scope=Scope.WRITE).secret}"
        )
        access[user] = Access(client)
    del client.headers["Authorization"]
    assert access["ada"].path != access["bob"].path
    xorb = access["ada"].xorb()
    shard = make_shard([(SHA256, [(xorb, 0, 12, len(DATA))])])
    foreign = access["bob"].send("/v1/shards", shard)
    nobodys = access["bob"].send("/v1/shards", make_shard([(SHA256, [(b"n" * 32, 0, 12, len(DATA))])]))
    assert foreign.status_code == nobodys.status_code == 404
    assert foreign.json()["error"].replace(to_text(xorb), "") == nobodys.json()["error"].replace(
        to_text(b"n" * 32), ""
    )
    access["bob"].xorb()
    assert access["bob"].send("/v1/shards", shard).status_code == 200
    assert hub.uploads.find(SHA256, "bob") is not None
    assert hub.uploads.find(SHA256, "ada") is None
