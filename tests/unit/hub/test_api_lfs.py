"""LFS: batch, one body, parts, verify, download; and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from tensorhub.hub.access import Role, Visibility
from tensorhub.hub.hub import Hub
from tensorhub.hub.lfs_links import PARTS, UPLOAD, UploadLink, plan_part_nbytes
from tensorhub.hub.tokens import Scope
from tensorhub.schema.names import parse_repository

BATCH = "/local/m.git/info/lfs/objects/batch"
VERIFY = "/local/m.git/info/lfs/objects/verify"
DATA = bytes(range(256)) * 5000
NBYTES = len(DATA)
OID = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def made(client: TestClient) -> Iterator[TestClient]:
    client.post("/api/repos/create", json={"name": "m"})
    yield client


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut what is larger than 100 kB into parts of 300 kB."""
    monkeypatch.setattr("tensorhub.hub.lfs_links.MULTIPART_NBYTES", 100_000)
    monkeypatch.setattr(
        "tensorhub.hub.api_lfs.plan_part_nbytes",
        lambda nbytes, *, takes_parts: 300_000 if takes_parts and nbytes > 100_000 else 0,
    )


def ask(client: TestClient, oid: str = OID, nbytes: Any = NBYTES, **more: Any) -> Any:
    body = {
        "operation": "upload",
        "transfers": ["basic", "multipart"],
        "objects": [{"oid": oid, "size": nbytes}],
        "hash_algo": "sha256",
        **more.pop("body", {}),
    }
    answer = client.post(BATCH, json=body, **more)
    return answer.json()["objects"][0] if answer.status_code == 200 else answer


def upload_path(item: Any) -> str:
    return relative(item["actions"]["upload"]["href"])


def relative(url: str) -> str:
    """Give path and query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def commit(client: TestClient, url: str = "/api/models/local/m/commit/main", **more: Any) -> Any:
    lines = [
        {"key": "header", "value": {"summary": "s"}},
        {"key": "lfsFile", "value": {"path": "w.bin", "algo": "sha256", "oid": OID, "size": len(DATA)}},
    ]
    return client.post(url, content=b"".join(json.dumps(line).encode() + b"\n" for line in lines), **more)


def test_one_body(made: TestClient, hub: Hub) -> None:
    """Uploaded, verified, committed, downloaded; nothing stays among the uploads."""
    item = ask(made)
    path = upload_path(item)
    assert made.put(path, content=DATA).status_code == 200
    assert made.post(VERIFY, json={"oid": OID, "size": len(DATA)}).status_code == 200
    assert "actions" not in ask(made)
    assert commit(made).status_code == 200
    file = hub.view(parse_repository("local/m"), "main").file("w.bin")
    assert (file.is_lfs, file.sha256.hex(), file.git_sha1) == (True, OID, None)
    assert made.get("/local/m/resolve/main/w.bin").content == DATA
    assert "actions" not in ask(made)
    assert hub.uploads.space.nbytes == 0
    assert list((hub.uploads.folder / "lfs").iterdir()) == []
    down = ask(made, body={"operation": "download"})
    href = relative(down["actions"]["download"]["href"])
    assert made.get(href).content == DATA
    part = made.get(href, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        DATA[5:10],
        f"bytes 5-9/{len(DATA)}",
    )
    missing = ask(made, oid="0" * 64, body={"operation": "download"})
    assert missing["error"]["code"] == 404
    assert commit(made).json()["commitOid"] == hub.store.resolve("local/m")


def test_damage_before_the_commit(made: TestClient, hub: Hub) -> None:
    """Is told to who still has the file, who uploads it again: nothing wrong gets into the store."""
    assert made.put(upload_path(ask(made)), content=DATA).status_code == 200
    path = hub.uploads.folder / "lfs" / OID
    path.write_bytes(DATA[:1000] + b"!" + DATA[1001:])
    refused = commit(made)
    assert refused.status_code == 400
    assert "damaged" in refused.json()["error"]
    assert made.put(upload_path(ask(made)), content=DATA).status_code == 200
    assert commit(made).status_code == 200
    assert made.get("/local/m/resolve/main/w.bin").content == DATA


@pytest.mark.usefixtures("in_parts")
def test_parts(made: TestClient, hub: Hub) -> None:
    """Parts in any order, one sent twice; joined once they are all there."""
    item = ask(made)
    header = item["actions"]["upload"]["header"]
    size = int(header.pop("chunk_size"))
    assert sorted(header) == ["00001", "00002", "00003", "00004", "00005"]
    assert "chunk_size" not in ask(made, body={"transfers": ["basic"]})["actions"]["upload"].get("header", {})
    etags = {}
    for number in (5, 3, 1, 3, 4):
        path = relative(header[f"{number:05d}"])
        wrong = made.put(path, content=b"\0" + DATA)
        assert wrong.status_code == 400
        sent = made.put(path, content=DATA[(number - 1) * size : number * size])
        etags[number] = sent.headers["etag"]
    parts = [{"partNumber": number, "etag": etag} for number, etag in etags.items()]
    complete = upload_path(item)
    assert made.post(complete, json={"oid": OID, "parts": parts}).status_code == 400
    made.put(relative(header["00002"]), content=DATA[size : 2 * size])
    parts.append({"partNumber": 2, "etag": "x"})
    assert made.post(complete, json={"oid": "0" * 64, "parts": parts}).status_code == 400
    for _ in range(2):
        assert made.post(complete, json={"oid": OID, "parts": parts}).status_code == 200
    assert commit(made).status_code == 200
    assert hub.store.read("local/m", "w.bin") == DATA
    assert hub.uploads.space.nbytes == 0


@pytest.mark.usefixtures("in_parts")
def test_wrong_parts(made: TestClient, hub: Hub) -> None:
    """Parts that are not those of the file are removed; numbers that are none are refused."""
    item = ask(made)
    header = item["actions"]["upload"]["header"]
    size = int(header.pop("chunk_size"))
    complete = upload_path(item)
    parts = [{"partNumber": number + 1, "etag": "x"} for number in range(5)]
    assert made.post(complete, json={"oid": OID, "parts": parts}).status_code == 404
    for number, url in enumerate(header.values()):
        part = DATA[number * size : (number + 1) * size]
        made.put(relative(url), content=bytes(len(part)))
    assert made.post(complete, json={"oid": OID, "parts": parts}).status_code == 422
    assert list((hub.uploads.folder / "parts").iterdir()) == []
    proof = urlsplit(header["00001"]).query
    for number in ("0", "6", "-1", "x", "99999999"):
        assert made.put(f"/lfs/parts/{number}?{proof}", content=b"").status_code == 400
    assert commit(made).status_code == 400


def test_wrong_content(made: TestClient, hub: Hub) -> None:
    """Another content or length is refused, and leaves nothing."""
    path = upload_path(ask(made))
    assert made.put(path, content=DATA[:-1]).status_code == 400
    assert made.put(path, content=DATA[:-1] + b"x").status_code == 422
    assert made.put(path, content=iter([DATA])).status_code == 411
    assert made.put(path, content=b"", headers={"Content-Length": "-1"}).status_code == 411
    assert made.post(VERIFY, json={"oid": OID, "size": len(DATA)}).status_code == 404
    assert commit(made).status_code == 400
    assert hub.uploads.space.nbytes == 0
    assert not [path for path in hub.uploads.folder.rglob("*") if path.is_file()]


def test_links(made: TestClient, hub: Hub) -> None:
    """A link that was not signed here, for another purpose, or by hand, is refused."""
    path = upload_path(ask(made))
    text = path.split("=", 1)[1]
    head, _, tail = text.partition(".")
    parts = UploadLink(bytes.fromhex(OID), len(DATA), "local", 300_000).sign(hub)
    for forged in (head, f"{head}.{tail[:-2]}AA", f"{head[:-2]}AA.{tail}", parts, ".", "%2e%2e", "x" * 9000):
        assert made.put(f"/lfs/content?link={forged}", content=DATA).status_code in (400, 401, 404, 414)
        assert made.get(f"/lfs/content?link={forged}").status_code in (400, 401, 404, 414)
    assert made.put(f"/lfs/parts/1?link={text}", content=DATA).status_code == 401
    assert made.post(f"/lfs/complete?link={text}", json={}).status_code == 401
    hub.accounts.create_user("ada")
    assert made.put(path, content=DATA).status_code == 401  # of the time before there were users


def test_users(made: TestClient, hub: Hub) -> None:
    """Nobody gets at another one's upload, or at what is hidden from him, by knowing its digest."""
    users = {}
    for name in ("ada", "bob"):
        hub.accounts.create_user(name)
        secret = hub.accounts.tokens.create(name, scope=Scope.WRITE).secret
        users[name] = {"Authorization": f"Bearer {secret}"}
        made.post("/api/repos/create", json={"name": "own", "visibility": "private"}, headers=users[name])
    assert made.put(upload_path(ask(made, headers=users["ada"])), content=DATA).status_code == 200
    assert "actions" in ask(made, headers=users["bob"])
    assert commit(made, "/api/models/bob/own/commit/main", headers=users["bob"]).status_code == 400
    assert commit(made, "/api/models/ada/own/commit/main", headers=users["ada"]).status_code == 200
    assert "actions" in ask(made, headers=users["bob"])
    assert commit(made, "/api/models/bob/own/commit/main", headers=users["bob"]).status_code == 400
    hub.repositories.put(parse_repository("ada/own"), visibility=Visibility.PUBLIC)
    assert "actions" not in ask(made, headers=users["bob"])
    assert commit(made, "/api/models/bob/own/commit/main", headers=users["bob"]).status_code == 200
    assert ask(made).status_code == 401
    reader = hub.accounts.tokens.create("bob").secret
    assert ask(made, headers={"Authorization": f"Bearer {reader}"}).status_code == 403
    path = upload_path(ask(made, oid="0" * 64, headers=users["bob"]))
    hub.accounts.change_user("bob", is_disabled=True)
    assert made.put(path, content=DATA).status_code == 401


def test_links_end_with_their_tokens(made: TestClient, hub: Hub) -> None:
    """And with the right to read: a link of hours is no way around what was taken away."""
    headers, tokens = {}, {}
    for name, role in (("ada", Role.ADMIN), ("bob", Role.READ)):
        hub.accounts.create_user(name, namespaces={"team": role})
        for use in ("first", "second"):
            new = hub.accounts.tokens.create(name, scope=Scope.WRITE)
            headers[name, use] = {"Authorization": f"Bearer {new.secret}"}
            tokens[name, use] = new.token.token_id
    batch = "/team/m.git/info/lfs/objects/batch"
    made.post(
        "/api/repos/create", json={"name": "team/m", "visibility": "private"}, headers=headers["ada", "first"]
    )
    body = {"operation": "upload", "objects": [{"oid": OID, "size": NBYTES}]}

    def link(who: tuple[str, str], **more: Any) -> str:
        item = made.post(batch, json={**body, **more}, headers=headers[who]).json()["objects"][0]
        return relative(next(iter(item["actions"].values()))["href"])

    revoked = link(("ada", "first"))
    hub.accounts.tokens.revoke(tokens["ada", "first"])
    assert made.put(revoked, content=DATA).status_code == 401
    assert made.put(link(("ada", "second")), content=DATA).status_code == 200
    assert commit(made, "/api/models/team/m/commit/main", headers=headers["ada", "second"]).status_code == 200
    first, second = (link(("bob", use), operation="download") for use in ("first", "second"))
    answer = made.get(first)
    assert (answer.content, answer.headers["x-content-type-options"]) == (DATA, "nosniff")
    hub.accounts.tokens.revoke(tokens["bob", "first"])
    assert made.get(first).status_code == 401
    assert made.get(second).content == DATA
    hub.accounts.change_user("bob", namespaces={"team": None})
    assert made.get(second).status_code in (401, 404)
    hub.accounts.change_user("bob", namespaces={"team": Role.READ})
    assert made.get(second).content == DATA
    made.request("DELETE", "/api/repos/delete", json={"name": "team/m"}, headers=headers["ada", "second"])
    assert made.get(second).status_code in (401, 404)


def test_a_name_taken_again_has_no_uploads(made: TestClient, hub: Hub) -> None:
    """Of the user who had it before."""
    for _ in range(2):
        hub.accounts.create_user("ada")
        secret = hub.accounts.tokens.create("ada", scope=Scope.WRITE).secret
        headers = {"Authorization": f"Bearer {secret}"}
        made.post("/api/repos/create", json={"name": "own"}, headers=headers)
        item = ask(made, headers=headers)
        assert "actions" in item
        assert made.put(upload_path(item), content=DATA).status_code == 200
        assert "actions" not in ask(made, headers=headers)
        hub.accounts.remove_user("ada")


@pytest.mark.usefixtures("in_parts")
def test_parts_of_two_lengths_are_charged(made: TestClient, hub: Hub) -> None:
    """Links of one content with a small and a large size do not fill the disk at the price of the small one."""
    for nbytes in (NBYTES, 3 * NBYTES):
        item = ask(made, nbytes=nbytes)
        made.put(relative(item["actions"]["upload"]["header"]["00001"]), content=DATA[:300_000])
        assert hub.uploads.space.nbytes == nbytes


@pytest.mark.parametrize(
    ("oid", "nbytes"),
    [("xyz", 5), ("0" * 63, 5), ("0" * 64, -1), ("0" * 64, "5"), ("0" * 64, 1 << 60), (None, 5)],
)
def test_wrong_objects(made: TestClient, oid: Any, nbytes: Any) -> None:
    """An object that is none is told as such, beside the others."""
    assert ask(made, oid, nbytes)["error"]["code"] == 422


@pytest.mark.parametrize(
    "body",
    [
        {"operation": "delete"},
        {"operation": None},
        {"hash_algo": "md5"},
        {"objects": 5},
        {"objects": [{}] * 2000},
    ],
)
def test_wrong_batches(made: TestClient, body: dict[str, Any]) -> None:
    """A request that has no meaning is refused as a whole."""
    assert ask(made, body=body).status_code == 400


def test_full_disk(made: TestClient, hub: Hub) -> None:
    """No room is told as such, before anything is sent."""
    path = upload_path(ask(made, nbytes=1 << 49, body={"transfers": ["basic"]}))
    link = UploadLink(bytes.fromhex(OID), 1 << 49, "local")
    assert made.put(path, headers={"Content-Length": str(1 << 49)}, content=b"").status_code == 507
    assert (link.parts, link.part(1)) == (1, None)


def test_plan_parts() -> None:
    """Few parts, of whole MiB, that cover the file."""
    assert plan_part_nbytes(1 << 20, takes_parts=True) == 0
    assert plan_part_nbytes(1 << 40, takes_parts=False) == 0
    for nbytes in ((1 << 30) + 1, 1 << 40, (1 << 45) + 12345):
        link = UploadLink(bytes(32), nbytes, "u", plan_part_nbytes(nbytes, takes_parts=True))
        assert link.parts <= 1000 and link.part_nbytes % (1 << 20) == 0
        sizes = [part for number in range(1, link.parts + 1) if (part := link.part(number))]
        assert sum(size for _, size in sizes) == nbytes
    assert UPLOAD != PARTS
