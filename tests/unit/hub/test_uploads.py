"""Uploads: found by who sent them, taken up by commits, moved into the store, swept when nobody wants them."""

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tensorhub import Store
from tensorhub.errors import InvalidRecordError, StoreLockedError, UploadNotFoundError
from tensorhub.hub.uploads import Uploads
from tensorhub.hub.xet.shard import parse_shard
from tensorhub.store.gc import collect_garbage
from tensorhub.store.uploads import UPLOAD_AGE_S

from ...xet_bodies import make_shard, make_xorb, some_chunks

DATA = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(DATA).digest()
CHUNKS = some_chunks(20, 9001)


@pytest.fixture
def uploads(store):
    """Open the uploads of a store."""
    return Uploads(store, store.state, max_nbytes=10**9, max_user_nbytes=10**9)


def send_lfs(uploads, user, data=DATA):
    """Send a file through LFS."""
    writer = uploads.lfs_writer(len(data), user)
    writer.write(data)
    uploads.lfs_finish(writer, hashlib.sha256(data).digest(), len(data), user)


def send_xorb(uploads, user, chunks, scheme="plain"):
    """Send a xorb."""
    xorb, body = make_xorb(chunks, scheme)
    path = uploads.begin_body(len(body), user)
    path.write_bytes(body)
    uploads.finish_xorb(path, xorb, user)
    return xorb


def stage(uploads, user, runs, data):
    """Send a shard with one file."""
    digest = hashlib.sha256(data).digest()
    uploads.stage(parse_shard(make_shard([(digest, runs)])), user, lambda: False)
    return digest


def content(source):
    """Read a source to its end."""
    out = bytearray(source.nbytes)
    source.read_into(0, out)
    source.close()
    return bytes(out)


def commit(store, uploads, user, sha256, path="a.bin"):
    """Commit an upload as the hub does; gives the digest of the file record."""
    source = uploads.find(sha256, user)
    with store.begin_commit("org/model") as transaction:
        transaction.put_file(path, source)
        transaction.publish("a commit")
    source.close()
    file = store.snapshots.snapshot("org/model", None).entry(path).file
    uploads.committed([(sha256, file)], user)
    return file


def length(chunks):
    """Sum the lengths of chunks."""
    return sum(map(len, chunks))


def test_lfs_uploads_are_found_by_their_user_only(uploads):
    """Knowing a digest gives nobody the content; case of user names does not count."""
    send_lfs(uploads, "Ada")
    assert content(uploads.find(SHA256, "ada", len(DATA))) == DATA
    assert uploads.find(SHA256, "bob") is None
    assert uploads.find(SHA256, "ada", len(DATA) + 1) is None


def test_lfs_uploads_leave_no_copy(store, uploads):
    """After the commit the file is gone, unless another user uploaded the same one."""
    send_lfs(uploads, "ada")
    send_lfs(uploads, "bob")
    commit(store, uploads, "ada", SHA256)
    assert uploads.find(SHA256, "ada") is None
    assert content(uploads.find(SHA256, "bob")) == DATA
    commit(store, uploads, "bob", SHA256)
    assert uploads.space.nbytes == 0
    assert not [path for path in uploads.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("scheme", ["plain", "lz4", "grouped"])
def test_xet_uploads_become_files(store, uploads, scheme):
    """A file of runs of several xorbs is proven, committed, and leaves no copy; the store has its bytes."""
    first = send_xorb(uploads, "ada", CHUNKS[:12], scheme)
    second = send_xorb(uploads, "ada", CHUNKS[12:], scheme)
    data = b"".join(CHUNKS)
    runs = [(first, 0, 12, length(CHUNKS[:12])), (second, 0, 8, length(CHUNKS[12:]))]
    sha256 = stage(uploads, "ada", runs, data)
    source = uploads.find(sha256, "ada", len(data))
    for start in (0, 1, 9000, 9001, 100_000, len(data) - 1, len(data)):  # reads that begin and end anywhere
        part = bytearray(min(30_000, len(data) - start))
        source.read_into(start, part)
        assert part == data[start : start + 30_000]
    assert uploads.find(sha256, "bob") is None
    commit(store, uploads, "ada", sha256)
    assert store.read("org/model", "a.bin") == data
    assert not uploads.xorbs.has(first)
    assert not uploads.xorbs.has(second)
    assert uploads.space.nbytes == 0


def test_a_xorb_that_is_damaged_later(uploads):
    """Is found once it is doubted, and then is as good as none, so that it can be sent again."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    runs, data = [(xorb, 0, 20, length(CHUNKS))], b"".join(CHUNKS)
    sha256 = stage(uploads, "ada", runs, data)
    path = uploads.xorbs.path(xorb)
    body = path.read_bytes()
    path.write_bytes(body[:5000] + b"!!" + body[5002:])
    uploads.doubt(sha256, "ada")
    assert uploads.find(sha256, "ada") is None
    with pytest.raises(UploadNotFoundError):
        stage(uploads, "ada", runs, data)
    send_xorb(uploads, "ada", CHUNKS)
    assert content(uploads.find(stage(uploads, "ada", runs, data), "ada")) == data


def test_xorbs_can_be_named_after_they_were_taken_apart(store, uploads):
    """A later file may use chunks of xorbs whose files were committed, in another order, with new ones between."""
    old = send_xorb(uploads, "ada", CHUNKS[:12])
    sha256 = stage(uploads, "ada", [(old, 0, 12, length(CHUNKS[:12]))], b"".join(CHUNKS[:12]))
    commit(store, uploads, "ada", sha256)
    new = send_xorb(uploads, "ada", CHUNKS[12:14])
    parts = [(old, 5, 12), (new, 1, 2), (old, 0, 6)]
    known = {old: CHUNKS[:12], new: CHUNKS[12:14]}
    data = b"".join(b"".join(known[xorb][first:stop]) for xorb, first, stop in parts)
    runs = [(xorb, first, stop, length(known[xorb][first:stop])) for xorb, first, stop in parts]
    changed = stage(uploads, "ada", runs, data)
    assert content(uploads.find(changed, "ada")) == data
    commit(store, uploads, "ada", changed, "b.bin")
    assert store.read("org/model", "b.bin") == data
    assert uploads.xorbs.has(new)  # a chunk of it was in no file
    with pytest.raises(UploadNotFoundError, match="one that this user uploaded"):
        stage(uploads, "bob", runs, data)


def test_a_staged_file_is_readable_while_another_commit_takes_its_xorb(store, uploads):
    """Readers follow chunks from the xorb into the store."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    data = b"".join(CHUNKS)
    whole = stage(uploads, "ada", [(xorb, 0, 20, length(CHUNKS))], data)
    tail = stage(uploads, "ada", [(xorb, 10, 20, length(CHUNKS[10:]))], b"".join(CHUNKS[10:]))
    before, fresh = uploads.find(tail, "ada"), uploads.find(tail, "ada")
    begun = bytearray(10)
    before.read_into(0, begun)
    commit(store, uploads, "ada", whole)
    assert not uploads.xorbs.has(xorb)
    assert content(before) == content(fresh) == b"".join(CHUNKS[10:])


def test_chunks_outlive_the_deletion_of_their_repository(store, uploads):
    """Gc keeps what clients may still name; `gc --now` does not, and then it is said that chunks are missing."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    data, runs = b"".join(CHUNKS), [(xorb, 0, 20, length(CHUNKS))]
    commit(store, uploads, "ada", stage(uploads, "ada", runs, data))
    store.delete_repository("org/model")
    collect_garbage(store, grace_s=0)
    assert content(uploads.find(stage(uploads, "ada", runs, data), "ada")) == data
    collect_garbage(store, grace_s=0, drops_retained=True)
    with pytest.raises(UploadNotFoundError):
        stage(uploads, "ada", runs, data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run[0], 0, 20, run[3] + 1), "as the shard says"),
        (lambda run: (run[0], 0, 21, run[3]), "fewer chunks"),
        (lambda run: (run[0], 0, 19, run[3]), "as the shard says"),
        (lambda run: (run[0], 1, 20, run[3] - len(CHUNKS[0])), "SHA-256"),
    ],
    ids=["more bytes", "more chunks", "fewer chunks", "another start"],
)
def test_shards_that_lie_are_refused(store, uploads, change, message):
    """Lengths, chunks and digests are compared, with xorbs that were received and with those taken apart."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    data, run = b"".join(CHUNKS), (xorb, 0, 20, length(CHUNKS))
    with pytest.raises((InvalidRecordError, UploadNotFoundError), match=message):
        stage(uploads, "ada", [change(run)], data)
    commit(store, uploads, "ada", stage(uploads, "ada", [run], data))
    with pytest.raises((InvalidRecordError, UploadNotFoundError)):
        stage(uploads, "ada", [change(run)], data)


def test_a_shard_without_a_digest_is_staged_under_the_right_one(uploads):
    """The SHA-256 is computed here in any case."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    shard = make_shard([(None, [(xorb, 0, 20, length(CHUNKS))])])
    uploads.stage(parse_shard(shard), "ada", lambda: False)
    assert uploads.find(hashlib.sha256(b"".join(CHUNKS)).digest(), "ada") is not None


def test_proof_stops_when_nobody_waits(uploads):
    """A client that left costs no more work."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    shard = make_shard([(None, [(xorb, 0, 20, length(CHUNKS))])])
    with pytest.raises(InvalidRecordError, match="a client that waits"):
        uploads.stage(parse_shard(shard), "ada", lambda: True)


def test_many_at_a_time(store, uploads):
    """Users who send the same xorbs, commit and sweep at the same time all get their files."""
    datas = [b"".join(CHUNKS[start:]) for start in range(4)]

    def work(number):
        user = f"user{number % 3}"
        for start in range(4):
            xorb = send_xorb(uploads, user, CHUNKS, ("plain", "lz4", "grouped")[number % 3])
            sha256 = stage(uploads, user, [(xorb, start, 20, len(datas[start]))], datas[start])
            source = uploads.find(sha256, user)
            if source is None:  # the same user's other upload was committed meanwhile
                continue
            with store.begin_commit(f"org/model{number}") as transaction:
                transaction.put_file(f"{start}.bin", source)
                transaction.publish("a commit")
            file = store.snapshots.snapshot(f"org/model{number}", None).entry(f"{start}.bin").file
            uploads.committed([(sha256, file)], user)
            assert store.read(f"org/model{number}", f"{start}.bin") == datas[start]
            uploads.sweep()

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, number) for number in range(6)]:
            done.result()
    assert uploads.space.nbytes == 0
    assert not [path for path in uploads.folder.rglob("*") if path.is_file()]


def test_a_failure_after_a_commit_is_logged(store, uploads, monkeypatch, caplog):
    """A commit that was published is not told as failed; what it took up is found again, and swept later."""
    send_lfs(uploads, "ada")

    def fail(files):
        raise StoreLockedError("state", expected="a free one", found="a writer")

    monkeypatch.setattr(uploads.map, "commit", fail)
    commit(store, uploads, "ada", SHA256)
    assert "giving back uploads" in caplog.text
    assert content(uploads.find(SHA256, "ada")) == DATA


def test_old_uploads_go(store, uploads):
    """What no commit took up is swept after a day; what somebody still uploads to is not."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    stage(uploads, "ada", [(xorb, 0, 20, length(CHUNKS))], b"".join(CHUNKS))
    send_lfs(uploads, "ada")
    part = uploads.lfs_part_writer(SHA256, len(DATA), "ada", offset=0, part_nbytes=5)
    part.abandon()
    uploads.sweep()
    assert uploads.xorbs.has(xorb)
    assert uploads.find(SHA256, "ada") is not None
    uploads.sweep(time.time() + UPLOAD_AGE_S + 60)
    assert uploads.find(SHA256, "ada") is None
    assert not [path for path in uploads.folder.rglob("*") if path.is_file()]
    assert uploads.space.nbytes == 0
    with pytest.raises(UploadNotFoundError):
        stage(uploads, "ada", [(xorb, 0, 20, length(CHUNKS))], b"".join(CHUNKS))


def test_equal_chunks_of_one_xorb(store, uploads):
    """Chunks that no file names go, too, where equal ones of their xorb were committed; they can be named later."""
    copies = [*CHUNKS[:8], *CHUNKS[:4], CHUNKS[8], *CHUNKS[2:8]]
    xorb = send_xorb(uploads, "ada", copies, "grouped")
    data = b"".join(CHUNKS[:8])
    commit(store, uploads, "ada", stage(uploads, "ada", [(xorb, 0, 8, len(data))], data))
    assert uploads.xorbs.has(xorb)  # one chunk is in no file
    tail = stage(uploads, "ada", [(xorb, 12, 13, len(CHUNKS[8]))], CHUNKS[8])
    commit(store, uploads, "ada", tail, "b.bin")
    assert not uploads.xorbs.has(xorb)
    later = b"".join(copies[9:17])
    sha256 = stage(uploads, "ada", [(xorb, 9, 17, len(later))], later)
    assert content(uploads.find(sha256, "ada")) == later


def test_a_long_upload_is_one_upload(store, uploads):
    """A xorb of yesterday stays, also for gc, as long as its user goes on uploading."""
    xorb = send_xorb(uploads, "ada", CHUNKS[:10])
    old = time.time() - 2 * UPLOAD_AGE_S
    os.utime(uploads.xorbs.path(xorb), (old, old))
    send_xorb(uploads, "ada", CHUNKS[10:])
    uploads.sweep()
    assert uploads.xorbs.has(xorb)
    collect_garbage(store)
    assert uploads.xorbs.has(xorb)


def test_a_restart_keeps_uploads(store, uploads):
    """Another process finds what was staged, charges it, and later removes half-received bodies."""
    xorb = send_xorb(uploads, "ada", CHUNKS, "grouped")
    data = b"".join(CHUNKS)
    sha256 = stage(uploads, "ada", [(xorb, 0, 20, length(CHUNKS))], data)
    send_lfs(uploads, "bob")
    left = uploads.begin_body(100, "ada")
    left.write_bytes(b"half")
    with Store.open(store.path) as again:
        second = Uploads(again, again.state)
        second.start()
        assert second.space.of_user("bob") == len(DATA)
        assert second.space.of_user("ada") == uploads.xorbs.path(xorb).stat().st_size
        assert content(second.find(sha256, "ada")) == data
        second.sweep(time.time() + UPLOAD_AGE_S + 60)
    assert not left.exists()


def test_a_xorb_that_a_crash_damaged_is_gone(store, uploads):
    """Another process does not believe a xorb for its name."""
    xorb = send_xorb(uploads, "ada", CHUNKS)
    path = uploads.xorbs.path(xorb)
    path.write_bytes(bytes(path.stat().st_size))
    again = Uploads(store, store.state)
    with pytest.raises(UploadNotFoundError):
        stage(again, "ada", [(xorb, 0, 20, length(CHUNKS))], b"".join(CHUNKS))
    assert not path.exists()
