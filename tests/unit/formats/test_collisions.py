"""Paths that some systems take for one another are found, and no others."""

from tensorhub.formats.collisions import find_collisions, fold_path


def test_fold() -> None:
    """Case and Unicode form do not count."""
    assert fold_path("Straße/É") == fold_path("STRASSE/e\u0301")
    assert fold_path("a") != fold_path("b")


def test_collisions() -> None:
    """Files, folders, and a file against a folder."""
    assert find_collisions(["a", "b", "c/d", "c/e"]) == []
    assert find_collisions(["a", "A"]) == [("A", "a")]
    assert find_collisions(["x/a", "X/b"]) == [("X", "x")]
    assert find_collisions(["A/x", "a"]) == [("A", "a")]
    assert find_collisions(["d/é", "d/e\u0301"]) == [("d/e\u0301", "d/é")]
    assert find_collisions(["A/x/1", "A/x/2", "a/x/3"]) == [("A", "a"), ("A/x", "a/x")]
