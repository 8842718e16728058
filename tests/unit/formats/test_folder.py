"""A folder is listed by the rules, the same way every time."""

import os
import socket
import sys
from pathlib import Path

import pytest

from tensorhub.errors import (
    BackendPermissionError,
    InvalidNameError,
    LimitExceededError,
    NotFoundError,
    UsageError,
)
from tensorhub.formats import folder as folder_module
from tensorhub.formats.folder import FolderEntry, FolderListing, scan_folder
from tensorhub.schema.records import FileMode


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def paths(listing: FolderListing) -> list[str]:
    return [entry.path_in_repo for entry in listing.entries]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_files(root: Path) -> None:
    """Nested files come out sorted by bytes, with size, source and mode."""
    for name in ("b", "a/z", "a.b", "é", "Z", "a/b/c"):
        write(root / name, name)
    (root / "b").chmod(0o755)
    (root / "Z").chmod(0o610)
    listing = scan_folder(root)
    assert paths(listing) == ["Z", "a.b", "a/b/c", "a/z", "b", "é"]
    assert listing.entries[0].mode is FileMode.EXECUTABLE
    assert listing.entries[1] == FolderEntry("a.b", FileMode.FILE, root / "a.b", None, 3)
    assert listing.entries[4].mode is FileMode.EXECUTABLE
    assert listing.notices == ()
    assert scan_folder(root) == listing


def test_empty(root: Path) -> None:
    """An empty folder is an empty listing; empty folders inside are counted."""
    assert scan_folder(root) == FolderListing((), ())
    (root / "a/b").mkdir(parents=True)
    write(root / "c/d/e")
    (notice,) = scan_folder(root).notices
    assert notice == "empty folders, not kept (2): a, a/b"


def test_left_out(root: Path) -> None:
    """Git's folder and download bookkeeping are left out at any depth; their neighbours are not."""
    for name in (".git/config", "sub/.git/x", ".cache/huggingface/download/x", "sub/.cache/huggingface/y"):
        write(root / name)
    for name in (".cache/other", ".gitattributes", "huggingface/z"):
        write(root / name)
    listing = scan_folder(root)
    assert paths(listing) == [".cache/other", ".gitattributes", "huggingface/z"]
    assert "left out" in listing.notices[0]
    assert "(4)" in listing.notices[0]


def test_links_inside(root: Path) -> None:
    """Relative links to files, folders and other links inside stay links, verbatim."""
    write(root / "a/file")
    targets = {"l1": "a/file", "a/l2": "./../a//file", "l3": "a", "a/l4": "..", "l5": "l1"}
    for name, target in targets.items():
        (root / name).symlink_to(target)
    listing = scan_folder(root)
    links = {entry.path_in_repo: entry for entry in listing.entries if entry.mode is FileMode.SYMLINK}
    assert {name: entry.link_target for name, entry in links.items()} == targets
    assert all(e.source_path is None and e.nbytes == len(targets[name]) for name, e in links.items())
    assert listing.notices == ()


def test_links_outside(root: Path) -> None:
    """Links that leave the folder, by text or in truth, are replaced by what they lead to."""
    outside = write(root.parent / "outside/file", "12345")
    write(root.parent / "outside/sub/deep")
    write(root / "inside")
    (root / "absolute").symlink_to(outside)
    (root / "relative").symlink_to("../outside/file")
    (root / "around").symlink_to("../root/inside")
    (root / "absolute_inside").symlink_to(root / "inside")
    (root / "chain").symlink_to("absolute")
    (root / "dir").symlink_to("../outside")
    listing = scan_folder(root)
    assert paths(listing) == [
        "absolute", "absolute_inside", "around", "chain", "dir/file", "dir/sub/deep", "inside", "relative",
    ]  # fmt: skip
    assert all(entry.mode is FileMode.FILE and entry.source_path for entry in listing.entries)
    assert listing.entries[0].nbytes == 5
    assert "replaced" in listing.notices[0]
    assert "(6)" in listing.notices[0]


def test_links_through_a_link(root: Path) -> None:
    """A link whose text stays inside, but which another link leads outside, is no link of ours."""
    write(root.parent / "secret")
    (root / "here").symlink_to(".")
    (root / "sly").symlink_to("here/../secret")
    listing = scan_folder(root)
    assert [(e.path_in_repo, e.mode) for e in listing.entries] == [
        ("here", FileMode.SYMLINK), ("sly", FileMode.FILE),
    ]  # fmt: skip


def test_link_to_what_is_left_out(root: Path) -> None:
    """A link into a folder that is left out is followed, or it would dangle."""
    write(root / ".git/description")
    (root / "d").symlink_to(".git/description")
    assert scan_folder(root).entries[0].mode is FileMode.FILE


def test_cycles(root: Path) -> None:
    """Links to a folder above are not followed for ever."""
    write(root / "a/file")
    (root / "a/up").symlink_to(root)
    (root / "loop").symlink_to("loop")
    listing = scan_folder(root)
    assert paths(listing) == ["a/file", "loop"]
    assert any("above" in notice for notice in listing.notices)
    assert any("nowhere" in notice for notice in listing.notices)


def test_dangling_links(root: Path) -> None:
    """Kept if they stay inside; an error that names them if not."""
    (root / "kept").symlink_to("missing/file")
    listing = scan_folder(root)
    assert listing.entries == (FolderEntry("kept", FileMode.SYMLINK, None, "missing/file", 12),)
    assert "nowhere" in listing.notices[0]
    for target in ("/does/not/exist", "../does-not-exist"):
        (root / "bad").symlink_to(target)
        with pytest.raises(NotFoundError, match="bad"):
            scan_folder(root)
        (root / "bad").unlink()


def test_special_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pipes and sockets are skipped with a notice, and never opened."""
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        listing = scan_folder(root)
    assert listing.entries == ()
    assert listing.notices == ("sockets, pipes and devices, skipped (2): pipe, socket",)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names itself")
def test_names_not_utf8(root: Path) -> None:
    """All bad names are gathered; nothing is listed."""
    for index in range(5):
        (root / os.fsdecode(b"bad\xff%d" % index)).write_text("x")
    write(root / "good")
    with pytest.raises(InvalidNameError) as caught:
        scan_folder(root)
    assert "5 others" in str(caught.value)
    assert "2 more" in str(caught.value)
    str(caught.value).encode("utf-8")


def test_link_target_not_utf8(root: Path) -> None:
    """A link's text has to be UTF-8 too."""
    (root / "link").symlink_to(os.fsdecode(b"x\xff"))
    with pytest.raises(InvalidNameError):
        scan_folder(root)


def test_collisions(root: Path) -> None:
    """Names that differ by case or Unicode form only are refused."""
    write(root / "README")
    write(root / "readme")
    if len(list(root.iterdir())) == 1:
        pytest.skip("this file system ignores case itself")
    with pytest.raises(InvalidNameError, match="README and readme"):
        scan_folder(root)


def test_unreadable(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or folder that may not be read stops the listing by name."""
    write(root / "closed")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(BackendPermissionError, match="closed"):
            scan_folder(root)

    def refuse(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(BackendPermissionError):
        scan_folder(root)


def test_not_a_folder(root: Path) -> None:
    """A missing folder and a file in its place are told apart."""
    with pytest.raises(NotFoundError):
        scan_folder(root / "missing")
    with pytest.raises(UsageError):
        scan_folder(write(root / "file"))


def test_link_to_the_folder(root: Path) -> None:
    """The folder given may itself be a link."""
    write(root / "a")
    (root / "l").symlink_to("a")
    (root.parent / "alias").symlink_to(root)
    assert [e.mode for e in scan_folder(root.parent / "alias").entries] == [FileMode.FILE, FileMode.SYMLINK]


def test_limit(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that unfold without end are stopped."""
    monkeypatch.setattr(folder_module, "_MAX_ENTRIES", 50)
    for level in range(10):
        (root.parent / f"d{level}").mkdir()
        for side in "ab":
            (root.parent / f"d{level}" / side).symlink_to(root.parent / f"d{level + 1}")
    write(root.parent / "d10/file")
    (root / "start").symlink_to(root.parent / "d0")
    with pytest.raises(LimitExceededError):
        scan_folder(root)
