"""LFS files lie under their SHA-256 only when they have it."""

import hashlib

import pytest

from tensorhub.errors import InvalidRecordError, UploadNotFoundError
from tensorhub.hub import upload_space
from tensorhub.hub.lfs_files import LfsFiles
from tensorhub.hub.upload_space import UploadSpace

DATA = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(DATA).digest()


@pytest.fixture
def space(tmp_path, monkeypatch):
    """Count the space."""
    monkeypatch.setattr(upload_space, "_MIN_CHARGE", 0)
    return UploadSpace(tmp_path, 10**9, 10**9)


@pytest.fixture
def files(tmp_path, space):
    """Open the folder as a process does at its start."""
    return LfsFiles(tmp_path / "uploads", space)


def receive(files, data, sha256=SHA256, nbytes=None):
    """Send a file whole, in pieces."""
    writer = files.begin(len(data) if nbytes is None else nbytes, "ada")
    for at in range(0, len(data), 70_000):
        writer.write(data[at : at + 70_000])
    files.finish(writer, sha256)


def content(source):
    """Read a source to its end."""
    out = bytearray(source.nbytes)
    source.read_into(0, out)
    source.close()
    return bytes(out)


def test_a_whole_file_is_kept(files, space):
    """What was sent is there, charged once, and gone when it is removed."""
    receive(files, DATA)
    receive(files, DATA)
    assert content(files.open(SHA256)) == DATA
    assert space.nbytes == len(DATA)
    files.remove(SHA256)
    assert files.open(SHA256) is None
    assert space.nbytes == 0


@pytest.mark.parametrize(
    ("data", "nbytes"), [(DATA[:-1], None), (DATA[:-1], len(DATA)), (b"x" + DATA[1:], None)]
)
def test_another_file_is_refused_and_removed(files, space, tmp_path, data, nbytes):
    """A wrong digest, or fewer bytes than announced, leave nothing behind."""
    with pytest.raises(InvalidRecordError):
        receive(files, data, nbytes=nbytes)
    assert files.open(SHA256) is None
    assert space.nbytes == 0
    assert not [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()]


def test_more_than_announced_is_refused_at_once(files, space):
    """The byte that is too much is not written."""
    writer = files.begin(10, "ada")
    writer.write(b"123456789")
    with pytest.raises(InvalidRecordError, match="1 bytes more"):
        writer.write(b"ab")
    files.drop(writer)
    assert space.nbytes == 0


def test_parts_in_any_order(files, space):
    """Parts come in any order, also twice; together they are the file."""
    for offset in (200_000, 0, 100_000, 0):
        part = DATA[offset : offset + 100_000]
        writer = files.begin_part(SHA256, len(DATA), "ada", offset, len(part))
        writer.write(part)
        assert len(writer.close()) == 32
    files.join_parts(SHA256, len(DATA), "ada")
    assert content(files.open(SHA256)) == DATA
    assert space.nbytes == len(DATA)


def test_parts_belong_to_a_user(files):
    """Another user cannot join parts, and a file with a hole is refused."""
    writer = files.begin_part(SHA256, len(DATA), "ada", 0, 100_000)
    writer.write(DATA[:100_000])
    writer.close()
    with pytest.raises(UploadNotFoundError):
        files.join_parts(SHA256, len(DATA), "bob")
    with pytest.raises(InvalidRecordError, match="SHA-256"):
        files.join_parts(SHA256, len(DATA), "ada")
    with pytest.raises(UploadNotFoundError):
        files.join_parts(SHA256, len(DATA), "ada")


@pytest.mark.parametrize(("offset", "nbytes"), [(-1, 5), (0, len(DATA) + 1), (len(DATA), 1), (5, -1)])
def test_parts_outside_the_file_are_refused(files, offset, nbytes):
    """No part is written where the file does not reach."""
    with pytest.raises(InvalidRecordError, match="a range"):
        files.begin_part(SHA256, len(DATA), "ada", offset, nbytes)


def test_what_an_earlier_process_left_is_checked_again(files, tmp_path, space):
    """A file that lost bytes in a crash is not believed for its name."""
    receive(files, DATA)
    again = LfsFiles(tmp_path / "uploads", space)
    assert content(again.open(SHA256)) == DATA
    again.path(SHA256).write_bytes(bytes(len(DATA)))
    assert LfsFiles(tmp_path / "uploads", space).open(SHA256) is None
    assert not again.path(SHA256).exists()
