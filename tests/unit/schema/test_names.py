"""Names from outside are checked once, at the border."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.errors import InvalidNameError
from tensorhub.schema.names import (
    RefKind,
    RepoType,
    is_commit_id,
    make_repository_id,
    parse_path,
    parse_ref,
    parse_repository,
)


@pytest.mark.parametrize("name", ["gpt2", "a/b", "A-1_x.y/B.c-d", "x" * 96, "a/" + "y" * 96])
def test_ids(name: str) -> None:
    """One or two parts of what the hub allows are kept as written."""
    assert parse_repository(name).repo_id == name
    assert str(parse_repository(name)) == name
    assert str(parse_repository(name, "space")) == f"spaces/{name}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "a/",
        "/a",
        "a/b/c",
        "a b",
        "a--b",
        "a..b",
        "-a",
        "a-",
        ".a",
        "a.",
        "a.git",
        "x" * 97,
        "ä",
        "a\n",
        "a\0",
        "..",
        "a/..",
    ],
)
def test_bad_ids(name: str) -> None:
    """Everything else is refused, by name."""
    with pytest.raises(InvalidNameError) as caught:
        parse_repository(name)
    assert caught.value.found == name


def test_types_and_case() -> None:
    """Two spellings are one repository; two types are two."""
    assert parse_repository("A/B").key == parse_repository("a/b").key
    assert parse_repository("A/B") != parse_repository("a/b")
    assert parse_repository("a/b", "dataset").key != parse_repository("a/b").key
    assert parse_repository("a/b", "dataset").repo_type is RepoType.DATASET
    with pytest.raises(InvalidNameError):
        parse_repository("a/b", "kernel")


@given(st.text(max_size=120))
def test_any_folder_name_makes_an_id(name: str) -> None:
    """Whatever a folder is called, the id made of it is valid."""
    made = make_repository_id(name)
    assert parse_repository(made).repo_id == made
    assert made.startswith("local/")


def test_good_folder_names_stay() -> None:
    """A valid name is kept; what is forbidden gives way."""
    assert make_repository_id("My-Model_v1.0") == "local/My-Model_v1.0"
    assert make_repository_id("my model (2)") == "local/my-model-2"
    assert make_repository_id("???") == "local/unnamed"
    assert make_repository_id("x.git") == "local/x"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("main", RefKind.HEADS, "main"),
        ("refs/heads/a/b", RefKind.HEADS, "a/b"),
        ("refs/tags/v1", RefKind.TAGS, "v1"),
        ("refs/pr/3", RefKind.PR, "3"),
        ("refs/convert/parquet", RefKind.CONVERT, "parquet"),
        ("ünï", RefKind.HEADS, "ünï"),
    ],
)
def test_refs(text: str, kind: RefKind, name: str) -> None:
    """A bare name is a branch; the four kinds are told by their prefix, and printed with it."""
    found = parse_ref(text)
    assert (found.kind, found.name) == (kind, name)
    assert parse_ref(str(found)) == found


@pytest.mark.parametrize(
    "name",
    [
        "",
        "refs/",
        "refs/heads/",
        "refs/other/x",
        "a b",
        "a\tb",
        "a..b",
        "a//b",
        "/a",
        "a/",
        "-a",
        ".a",
        "a.",
        "a.lock",
        "a~b",
        "a^b",
        "a:b",
        "a?b",
        "a*b",
        "a[b",
        "a\\b",
        "a@{b",
        "a\x7fb",
        "\ud800",
        "f" * 40,
        "x" * 256,
    ],
)
def test_bad_refs(name: str) -> None:
    """What git refuses, and what reads as a commit id, is refused."""
    with pytest.raises(InvalidNameError):
        parse_ref(name)


def test_commit_ids() -> None:
    """A commit id is 40 lower-case hexadecimal digits."""
    assert is_commit_id("0a" * 20)
    assert not any(map(is_commit_id, ("0A" * 20, "0a" * 19, "0a" * 21, "0g" * 20, "0a" * 20 + "\n", "")))


@pytest.mark.parametrize(
    "path", ["a", "a/b/c.txt", ".hidden", "..a", "a b\nc", "ünï/文", "a\\b", "-", "x" * 4096]
)
def test_paths(path: str) -> None:
    """A relative path is kept verbatim."""
    assert parse_path(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", ".", "..", "a/./b", "a/../b", "../a", "a\0", "\udcff", "x" * 4097, "ü" * 2049],
)
def test_bad_paths(path: str) -> None:
    """A path that leaves, has empty or dot parts, is too long or not UTF-8 is refused."""
    with pytest.raises(InvalidNameError):
        parse_path(path)
