"""The last commit of a path is the one that changed it."""

from tensorhub import Store
from tensorhub.hub.last_commits import find_last_commits

from ...weights import put


def find(store: Store, **bounds: int) -> dict[str, str]:
    reference = store.snapshots.resolve("me/a")
    found = find_last_commits(store.snapshots, reference, **bounds)
    return {path: commit.commit_id for path, commit in found.items()}


def test_changes_additions_and_removals(store: Store) -> None:
    """A folder changes with anything in it, also by what left it."""
    base = {"x": b"1", "d/one": b"1", "d/e/two": b"2", "f/three": b"3"}
    first = put(store, "me/a", base).commit_id
    second = put(store, "me/a", {**base, "x": b"2"}).commit_id
    third = put(store, "me/a", {**base, "x": b"2", "d/e/new": b"4"}).commit_id
    fourth = put(store, "me/a", {"x": b"2", "d/e/two": b"2", "d/e/new": b"4", "f/three": b"3"}).commit_id
    assert find(store) == {
        "x": second,
        "d": fourth,
        "d/e": third,
        "d/e/two": first,
        "d/e/new": third,
        "f": first,
        "f/three": first,
    }


def test_a_change_that_was_taken_back(store: Store) -> None:
    """Who brought the present content counts, not who had it first."""
    put(store, "me/a", {"x": b"1", "y": b"1"})
    put(store, "me/a", {"x": b"2", "y": b"1"})
    third = put(store, "me/a", {"x": b"1", "y": b"1"}).commit_id
    assert find(store)["x"] == third


def test_bounds(store: Store) -> None:
    """Beyond the bounds every path has the oldest commit that was looked at."""
    commits = [put(store, "me/a", {"x": b"1", "n": b"%d" % number}).commit_id for number in range(5)]
    assert find(store)["x"] == commits[0]
    assert find(store, max_commits=2)["x"] == commits[2]
    assert find(store, max_entries=3)["x"] == commits[2]
    assert find(store, max_commits=0) == dict.fromkeys(("x", "n"), commits[4])
