"""Patterns match as git matches them, and no pattern takes long."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorhub.hub.path_patterns import IgnoreRules, parse_pattern

CASES = [
    ("*.bin", ["a.bin", "x/a.bin"], ["a.bin.txt", "bin"]),
    ("/a", ["a", "a/b"], ["b/a"]),
    ("a/b", ["a/b", "a/b/c"], ["x/a/b"]),
    ("a/", ["a/x", "b/a/x"], ["a"]),
    ("**/b", ["b", "a/b", "a/c/b"], ["bb"]),
    ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a", "x/a/b"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
    ("a/*", ["a/b", "a/b/c"], ["a"]),
    ("a?c", ["abc"], ["ac", "a/c"]),
    ("[ab]x", ["ax", "bx"], ["cx"]),
    ("[!ab]x", ["cx"], ["ax"]),
    ("[a-c]x", ["bx"], ["dx"]),
    ("a[[:space:]]b", ["a b"], ["axb"]),
    ("\\#a", ["#a"], ["a"]),
    ("\\!a", ["!a"], ["a"]),
    ("a\\*", ["a*"], ["ab"]),
    ("*.log\n!keep.log", ["a.log"], ["keep.log"]),
    ("dir/\n!dir/keep", ["dir/keep"], ["keep"]),
    ("#comment\n\n  ", [], ["#comment", "a"]),
    ("a\\ ", ["a "], ["a"]),
    ("a  ", ["a"], ["a  "]),
    ("[", [], ["["]),
    ("a\\", [], ["a", "a\\"]),
]


@pytest.mark.parametrize(("text", "ignored", "kept"), CASES)
def test_cases(text: str, ignored: list[str], kept: list[str]) -> None:
    """What the pages of git say."""
    rules = IgnoreRules(text)
    assert [path for path in ignored if not rules.ignores(path)] == []
    assert [path for path in kept if rules.ignores(path)] == []


PIECES = st.text("ab*?", min_size=1, max_size=5) | st.sampled_from(["**", "[ab]", "[!a]b", "a.b", "\\a"])
PATTERNS = st.builds(
    lambda start, pieces, end: start + "/".join(pieces) + end,
    st.sampled_from(["", "/", "!"]),
    st.lists(PIECES, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
PATHS = [
    "/".join(parts) for depth in (1, 2, 3) for parts in product(("a", "b", "ab", "ba", "aab"), repeat=depth)
]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@settings(max_examples=40, deadline=None)
@given(rules=st.lists(PATTERNS, min_size=1, max_size=3))
def test_like_git(tmp_path_factory: pytest.TempPathFactory, rules: list[str]) -> None:
    """Git itself says the same."""
    folder = tmp_path_factory.mktemp("repository")
    text = "\n".join(rules) + "\n"
    _git(folder, "init", "-q")
    (folder / ".gitignore").write_text(text)
    found = _git(folder, "check-ignore", "--no-index", "-z", "--stdin", stdin="\0".join(PATHS))
    ours = IgnoreRules(text)
    assert [path for path in PATHS if ours.ignores(path)] == [path for path in found.split("\0") if path]


def _git(folder: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    return done.stdout


@pytest.mark.parametrize(
    "pattern", ["*a" * 200 + "b", "**/" * 100 + "b", "a/**/" * 90 + "b", "[a-z]*" * 80 + "B"]
)
def test_no_pattern_takes_long(pattern: str) -> None:
    """Patterns that stop engines of regular expressions for years; the time limit of every test is the bound."""
    for path in ("a" * 2000, "a/" * 1000 + "a"):
        assert IgnoreRules(pattern).ignores(path) is False


def test_limits() -> None:
    """Patterns that are too long, or too many, match nothing."""
    assert parse_pattern("a" * 513) is None
    assert parse_pattern("") is None
    assert IgnoreRules("x\n" * 1000 + "a").ignores("a") is False
