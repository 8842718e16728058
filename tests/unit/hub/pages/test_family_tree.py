"""Families are laid out without overlap, whatever leans on whom."""

from __future__ import annotations

import itertools
import random

import pytest

from tensorhub.hub.pages.family_tree import (
    Families,
    Lean,
    Member,
    TreeDrawing,
    plan_families,
    shorten,
    split_label,
)


def plan(leans: list[tuple[str, str, int]], *alone: str) -> Families:
    keys = dict.fromkeys([key for lean in leans for key in lean[:2]] + list(alone))
    return plan_families(
        [Member(key, key, f"/{key}") for key in keys],
        [Lean(child, parent, 0, size) for child, parent, size in leans],
    )


def check(tree: TreeDrawing) -> None:
    """No two boxes overlap, all lie inside the drawing, and links end at boxes of different members."""
    for one, other in itertools.combinations(tree.boxes, 2):
        if one.x == other.x:
            assert abs(one.y - other.y) >= tree.box_height, (one.member.label, other.member.label)
    for box in tree.boxes:
        assert 0 <= box.x <= tree.width - tree.box_width
        assert 0 <= box.y <= tree.height - tree.box_height
    places = {box.member.key: box for box in tree.boxes}
    for link in tree.links:
        assert link.path.startswith("M")
        if link.is_main:
            assert places[link.lean.child].generation == places[link.lean.parent].generation + 1


def test_a_family() -> None:
    """A base, its children, and a grandchild; who stands alone is listed."""
    families = plan([("child", "base", 9), ("other", "base", 5), ("grandchild", "child", 7)], "stranger")
    (tree,) = families.trees
    check(tree)
    assert {box.member.label: box.generation for box in tree.boxes} == {
        "base": 0, "child": 1, "other": 1, "grandchild": 2,
    }  # fmt: skip
    assert tree.root.label == "base"
    assert [member.label for member in families.alone] == ["stranger"]
    widths = {link.lean.child: link.width for link in tree.links}
    assert widths["child"] > widths["grandchild"] > widths["other"]


def test_main_parent_is_the_heaviest() -> None:
    """Other leans are drawn beside, thinner."""
    (tree,) = plan([("c", "a", 5), ("c", "b", 9), ("b", "a", 3)]).trees
    check(tree)
    assert {(link.child, link.parent): link.is_main for link in tree.links} == {
        ("c", "a"): False, ("c", "b"): True, ("b", "a"): True,
    }  # fmt: skip


def test_circles() -> None:
    """Repositories that lean on each other in a circle still become a tree."""
    for size in (2, 3, 50):
        leans = [(str(number), str((number + 1) % size), 10 + number) for number in range(size)]
        (tree,) = plan(leans).trees
        check(tree)
        assert len(tree.boxes) == size
        assert sum(link.is_main for link in tree.links) == size - 1


def test_a_long_chain() -> None:
    """A thousand fine-tunes of each other are no problem; the tree is cut at its far end."""
    (tree,) = plan([(str(number + 1), str(number), 5) for number in range(1500)]).trees
    assert max(box.generation for box in tree.boxes) == len(tree.boxes) - 1
    assert len(tree.boxes) + tree.members_left_out == 1501
    assert tree.root.label == "0"


@pytest.mark.parametrize("seed", range(5))
def test_any_family(seed: int) -> None:
    """Random leans: everybody is drawn once, nothing overlaps, the same input gives the same drawing."""
    chance = random.Random(seed)
    keys = [f"m{number}" for number in range(chance.randrange(2, 90))]
    leans = [
        (chance.choice(keys), chance.choice(keys), chance.randrange(4))
        for _ in range(chance.randrange(3 * len(keys)))
    ]
    families = plan(leans, *keys)
    drawn = [box.member.label for tree in families.trees for box in tree.boxes]
    assert sorted(drawn + [member.label for member in families.alone]) == sorted(keys)
    for tree in families.trees:
        check(tree)
    assert families == plan(leans, *keys)
    assert [len(tree.boxes) for tree in families.trees] == sorted(
        (len(tree.boxes) for tree in families.trees), reverse=True
    )


def test_many_children() -> None:
    """Hundreds are drawn with a line each, and the parent stands near the first."""
    (tree,) = plan([(f"child-{number:03}", "base", number + 1) for number in range(400)]).trees
    check(tree)
    assert tree.is_dense
    assert tree.boxes[0].y < 400
    base = next(box for box in tree.boxes if box.member.label == "base")
    assert base.y < 10 * tree.box_height


def test_many_links_beside() -> None:
    """Of a cloud of links the heaviest are drawn, and the others counted."""
    keys = [f"m{number}" for number in range(40)]
    leans = [(child, parent, 1 + at) for at, (child, parent) in enumerate(itertools.permutations(keys, 2))]
    (tree,) = plan(leans).trees
    assert len(tree.links) + tree.links_left_out == len(leans)
    assert tree.links_left_out > 0


def test_a_crowd() -> None:
    """Of a family of thousands the heaviest are drawn, their ancestors with them; of many families the largest."""
    leans = [(f"child-{number}", f"base-{number % 7}", number + 1) for number in range(3000)]
    leans += [(f"base-{number}", "root", 1) for number in range(7)]
    families = plan(leans)
    (tree,) = families.trees
    check(tree)
    labels = {box.member.label for box in tree.boxes}
    assert {"root", "child-2999", "base-0"} <= labels
    assert "child-0" not in labels
    assert len(labels) + tree.members_left_out == 3008
    many = plan([(f"child-{number}", f"base-{number}", 1) for number in range(200)])
    assert len(many.trees) + many.trees_left_out == 200


def test_labels() -> None:
    """Long ones are cut in the middle."""
    assert shorten("short", 10) == "short"
    assert shorten("a-very-long-name-indeed", 11) == "a-ver…ndeed"
    assert split_label("ada/model") == ("ada/", "model")
    assert split_label("organisation/a-model-of-some-kind") == ("", "a-model-of-some-kind")
    assert split_label("o/" + "x" * 40 + "-end")[1].endswith("x-end")
    (tree,) = plan([("x" * 100, "base", 1)]).trees
    assert [box.is_cut for box in tree.boxes if box.member.label != "base"] == [True]
