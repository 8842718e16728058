"""A tree is listed in order, and its folders have git's ids."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.hub.revision_view import FileView
from tensorhub.hub.tree_index import TreeIndex
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import FileMode


def view(path: str, content: bytes = b"x", mode: FileMode = FileMode.FILE) -> FileView:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).digest()
    return FileView(path, mode, len(content), Digest(bytes(32)), hashlib.sha256(content).digest(), git, False)


def index(*paths: str) -> TreeIndex:
    return TreeIndex({path: view(path) for path in paths})


def test_pages_of_a_folder() -> None:
    """Names that sort between a folder and what is in it do not confuse the order."""
    tree = index("a/b/c", "a/z", "a-b", "a.txt", "b")
    assert tree.page("", recursive=False, after="", limit=10) == (["a", "a-b", "a.txt", "b"], False)
    assert tree.page("", recursive=False, after="a", limit=2) == (["a-b", "a.txt"], True)
    assert tree.page("a", recursive=False, after="", limit=10) == (["a/b", "a/z"], False)
    assert tree.page("", recursive=True, after="a.txt", limit=10) == (["a/b", "a/b/c", "a/z", "b"], False)
    assert tree.page("", recursive=True, after="zzz", limit=10) == ([], False)
    assert len(tree) == 7


names = st.sampled_from(["a", "b", "a-", "a0", "é"])
paths = st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=10, unique=True)


@settings(max_examples=100, deadline=None)
@given(paths, st.integers(1, 3), st.booleans())
def test_pages_join(found: list[str], limit: int, recursive: bool) -> None:
    """Pages of any length join to the whole list, each path once."""
    files = [path for path in found if not any(other.startswith(path + "/") for other in found)]
    tree = index(*files)
    expected = set(files)
    for path in files:
        parts = path.split("/")
        expected.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
    if not recursive:
        expected = {path for path in expected if "/" not in path}
    joined: list[str] = []
    has_more = True
    while has_more:
        page, has_more = tree.page("", recursive=recursive, after=joined[-1] if joined else "", limit=limit)
        joined += page
    assert joined == sorted(expected, key=str.encode)


def test_empty() -> None:
    """The root is always there; its id is that of git's empty tree."""
    tree = index()
    assert tree.has_folder("")
    assert tree.folders[""] == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert tree.page("", recursive=True, after="", limit=1) == ([], False)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_as_git(tmp_path: Path) -> None:
    """Git gives the same ids to the same files."""
    files = {"a/b/c": b"1", "a.b": b"2", "a-b/x": b"3", "run": b"4"}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "run").chmod(0o755)

    def git(*arguments: str) -> str:
        run = subprocess.run(["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True)
        return run.stdout.strip()

    git("init", "-q")
    git("-c", "core.autocrlf=false", "add", ".")
    tree = TreeIndex(
        {
            path: view(path, content, FileMode.EXECUTABLE if path == "run" else FileMode.FILE)
            for path, content in files.items()
        }
    )
    assert tree.folders[""] == git("write-tree")
    assert tree.folders["a"] == git("write-tree", "--prefix=a/")
    assert tree.folders["a/b"] == git("write-tree", "--prefix=a/b/")
