"""Files as clients see them: LFS rules, git ids, ETags."""

from __future__ import annotations

import hashlib

import pytest

from tensorhub.hub.revision_view import LFS_NBYTES, FileView, LfsRules, git_blob_id, pointer_text
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import FileMode

RULES = LfsRules(
    "# comment\n*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt text\nsaved/**/* filter=lfs -text\n"
    "keep.bin -filter\n[ filter=lfs\n"
)


@pytest.mark.parametrize(
    ("path", "is_lfs"),
    [
        ("a.bin", True),
        ("x/y/a.bin", True),
        ("a.txt", False),
        ("saved/a/b", True),
        ("keep.bin", False),
        ("x/keep.bin", False),
        ("binary", False),
    ],
)
def test_rules(path: str, is_lfs: bool) -> None:
    """Patterns match as git's do, and later lines win."""
    assert RULES.is_lfs(path, 10) is is_lfs


def test_large_files_are_lfs() -> None:
    """Whatever their name."""
    assert LfsRules("").is_lfs("a.txt", LFS_NBYTES + 1)
    assert not LfsRules("").is_lfs("a.txt", LFS_NBYTES)


def test_git_ids() -> None:
    """As `git hash-object` gives them."""
    assert git_blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_blob_id(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_etags() -> None:
    """SHA-256 for LFS, git's id for regular files; the oid of an LFS file is that of its pointer."""
    sha256, sha1 = hashlib.sha256(b"hello\n").digest(), bytes.fromhex(git_blob_id(b"hello\n"))
    digest = Digest(b"\x01" * 32)
    regular = FileView("a", FileMode.FILE, 6, digest, sha256, sha1, False)
    assert (regular.etag, regular.oid) == (sha1.hex(), sha1.hex())
    lfs = FileView("a", FileMode.FILE, 6, digest, sha256, sha1, True)
    assert (lfs.etag, lfs.oid) == (sha256.hex(), git_blob_id(pointer_text(sha256, 6)))
    assert lfs.pointer.decode().splitlines()[1] == f"oid sha256:{sha256.hex()}"
