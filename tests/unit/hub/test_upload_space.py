"""Uploads take no more of the disk than they may."""

import pytest

from tensorhub.errors import OutOfSpaceError
from tensorhub.hub import upload_space
from tensorhub.hub.upload_space import UploadSpace, make_folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let small files count as what they are."""
    monkeypatch.setattr(upload_space, "_MIN_CHARGE", 0)


def test_limits_hold_in_all_and_for_each_user(tmp_path):
    """A user at the limit is refused while others go on, until the sum is reached."""
    space = UploadSpace(tmp_path, 100, 60)
    space.charge("a", "ada", 50)
    with pytest.raises(OutOfSpaceError, match="uploads of ada"):
        space.charge("b", "ada", 20)
    space.charge("b", "bob", 40)
    with pytest.raises(OutOfSpaceError, match="uploads of this hub"):
        space.charge("c", "eve", 11)
    space.release("a")
    space.charge("c", "eve", 11)
    assert (space.nbytes, space.of_user("ada"), space.of_user("eve")) == (51, 0, 11)


def test_a_file_is_charged_once(tmp_path):
    """Charging again, and giving back what is not there, change nothing; a move keeps the charge."""
    space = UploadSpace(tmp_path, 100, 60)
    space.charge("a", "ada", 50)
    space.charge("a", "ada", 50)
    space.note("a", "ada", 50)
    space.note("kept", "ada", 5)
    space.move("a", "kept")
    space.release("a")
    assert (space.nbytes, space.of_user("ada")) == (50, 50)
    space.release("kept")
    assert space.nbytes == 0


def test_the_disk_is_never_filled(tmp_path, monkeypatch):
    """Without limits, a reserve stays free, and one user gets half of the rest."""
    monkeypatch.setattr(UploadSpace, "_free", lambda self: upload_space.RESERVE_NBYTES + 1000)
    space = UploadSpace(tmp_path)
    with pytest.raises(OutOfSpaceError, match="uploads of ada"):
        space.charge("a", "ada", 501)
    with pytest.raises(OutOfSpaceError, match="uploads of this hub"):
        space.charge("a", "ada", 1001)
    space.charge("a", "ada", 500)


def test_folders_are_made_again(tmp_path):
    """A folder that gc removed is no error."""
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_small_files_are_not_free(tmp_path, monkeypatch):
    """A file costs something however small, and what somebody removed costs nothing any more."""
    monkeypatch.setattr(upload_space, "_MIN_CHARGE", 40)
    space = UploadSpace(tmp_path, 100, 100)
    for name in ("a", "b"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x")
        space.charge(str(tmp_path / "in" / name), "ada", 1)
    with pytest.raises(OutOfSpaceError):
        space.charge("c", "ada", 1)
    (tmp_path / "in" / "a").unlink()
    space.forget_missing(tmp_path / "in")
    assert space.nbytes == 40
