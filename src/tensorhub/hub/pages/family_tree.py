"""Families drawn as trees: which repository leans on which.

Duty: from repositories and what they lean on to the geometry of one drawing for each family. Not its duty: finding
who leans on whom (``family``), or SVG (``templates/family_tree.html``).
Invariants: every repository is drawn once; no two boxes overlap; a box stands to the right of the one that it leans on
most, whatever circles the links make; the same input gives the same drawing. Time is linear in the links, but for
sorting them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

_COLUMN = 330  # from one generation to the next, in units of the drawing (pixels on a desk)
_BOX_WIDTH, _BOX_HEIGHT, _ROW = 240, 38, 50
_DENSE_HEIGHT, _DENSE_ROW = 24, 29  # one line of text
_DENSE_FROM = 60  # members from which a family is drawn with one line each: 60 rows of 50 are three screens
_MARGIN = 8
_LOWEST_PARENT = 6  # rows below its first child where a parent stands at most, so that both fit on one screen
_THIN, _THICK = 1.25, 9.0  # widths of the links with the fewest and the most bytes
_SIDE_THICK = 3.0  # of those beside the tree's own
_MAX_SIDE_LINKS = 300  # of those beside the tree's own; more are a grey cloud
_MAX_MEMBERS = (
    400  # of one drawing: 12,000 units high; of a larger family those with the most bytes are drawn
)
_MAX_TREES = 30  # drawings on one page; the smaller families beyond are counted
_LABEL = 26  # characters of a name that fit into a box, in a wide font


@dataclass(frozen=True, slots=True)
class Member:
    """A repository of a family.

    Attributes
    ----------
    key
        What links name it by.
    label
        What is written.
    href
        Where its box leads; empty where the reader may not go there.
    nbytes, stored_nbytes
        Its size, as a user sees it and as stored; None where not known.
    """

    key: Hashable
    label: str
    href: str = ""
    nbytes: int | None = None
    stored_nbytes: int | None = None


@dataclass(frozen=True, slots=True)
class Lean:
    """One repository leans on another: it has tensors of it, or deltas against them.

    Attributes
    ----------
    child, parent
        Keys of members.
    identical_nbytes, delta_nbytes
        Decoded bytes that both have, and that are coded against the parent.
    """

    child: Hashable
    parent: Hashable
    identical_nbytes: int
    delta_nbytes: int

    @property
    def nbytes(self) -> int:
        """How much the child leans on the parent."""
        return self.identical_nbytes + self.delta_nbytes


@dataclass(frozen=True, slots=True)
class Box:
    """A member as drawn; ``owner`` and ``text`` are its label, cut to fit: first the owner goes, then the middle."""

    member: Member
    x: float
    y: float
    owner: str
    text: str
    generation: int

    @property
    def is_cut(self) -> bool:
        """Whether the text is not the whole label."""
        return self.owner + self.text != self.member.label


@dataclass(frozen=True, slots=True)
class Link:
    """A lean as drawn: labels of both ends, an SVG path, its width, and whether it is the child's main one."""

    child: str
    parent: str
    lean: Lean
    path: str
    width: float
    is_main: bool


@dataclass(frozen=True, slots=True)
class TreeDrawing:
    """One family as drawn; ``root`` is the most leaned on, ``is_dense`` says that boxes have one line of text."""

    root: Member
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    width: float
    height: float
    box_width: float
    box_height: float
    is_dense: bool
    links_left_out: int
    members_left_out: int


@dataclass(frozen=True, slots=True)
class Families:
    """All families, largest first, and the members that lean on nothing and carry nothing.

    ``trees_left_out`` counts the smallest families, which are not drawn.
    """

    trees: tuple[TreeDrawing, ...]
    alone: tuple[Member, ...]
    trees_left_out: int = 0


def plan_families(members: Iterable[Member], leans: Iterable[Lean]) -> Families:
    """Lay all families out.

    Parameters
    ----------
    members
        All repositories; each key once.
    leans
        Who leans on whom; those that name no member, lean on themselves, or on nothing, are left out.

    Returns
    -------
    Families
        Each member in exactly one place.
    """
    by_key = {member.key: member for member in members}
    given = [
        lean
        for lean in leans
        if lean.child in by_key and lean.parent in by_key and lean.child != lean.parent and lean.nbytes > 0
    ]
    ordered = sorted(given, key=lambda lean: (-lean.nbytes, str(lean.child), str(lean.parent)))
    groups = _group(by_key, ordered)
    families = sorted((keys for keys in groups if len(keys) > 1), key=len, reverse=True)
    trees_left_out = max(0, len(families) - _MAX_TREES)
    families = families[:_MAX_TREES]
    home = {key: number for number, keys in enumerate(families) for key in keys}
    inside: list[list[Lean]] = [[] for _ in families]
    for lean in ordered:
        if lean.child in home:
            inside[home[lean.child]].append(lean)
    trees = [_draw([by_key[key] for key in keys], own) for keys, own in zip(families, inside, strict=True)]
    trees.sort(key=lambda tree: (-len(tree.boxes), tree.root.label))
    alone = sorted((by_key[keys[0]] for keys in groups if len(keys) == 1), key=lambda member: member.label)
    return Families(tuple(trees), tuple(alone), trees_left_out)


def _group(keys: Iterable[Hashable], leans: Sequence[Lean]) -> list[list[Hashable]]:
    """Split members into those that are linked, in the order in which they are given."""
    root_of: dict[Hashable, Hashable] = {key: key for key in keys}
    for lean in leans:
        root_of[_find(root_of, lean.child)] = _find(root_of, lean.parent)
    groups: dict[Hashable, list[Hashable]] = {}
    for key in list(root_of):
        groups.setdefault(_find(root_of, key), []).append(key)
    return list(groups.values())


def _find(root_of: dict[Hashable, Hashable], key: Hashable) -> Hashable:
    while root_of[key] != key:
        root_of[key] = root_of[root_of[key]]
        key = root_of[key]
    return key


def _choose_parents(leans: Sequence[Lean]) -> dict[Hashable, Lean]:
    """Give each child the heaviest lean that closes no circle; ``leans`` come heaviest first."""
    chosen: dict[Hashable, Lean] = {}
    root_of: dict[Hashable, Hashable] = {}
    for lean in leans:
        root_of.setdefault(lean.child, lean.child)
        root_of.setdefault(lean.parent, lean.parent)
        if lean.child in chosen or _find(root_of, lean.parent) == lean.child:
            continue
        chosen[lean.child] = lean
        root_of[lean.child] = lean.parent  # a child without a parent is its own root
    return chosen


def _prune(
    members: Sequence[Member], parents: dict[Hashable, Lean], most: int
) -> tuple[list[Member], dict[Hashable, Lean]]:
    """Take leaves off, those with the fewest bytes first, until no more members than that are left."""
    kept = {member.key: member for member in members}
    children = dict.fromkeys(kept, 0)
    for lean in parents.values():
        children[lean.parent] += 1
    while len(kept) > most:
        leaves = sorted(
            (key for key in kept if not children[key] and key in parents), key=lambda key: parents[key].nbytes
        )
        if not leaves:
            break  # only roots are left, which have lost their children
        for key in leaves[: len(kept) - most]:
            del kept[key]
            children[parents[key].parent] -= 1
    return list(kept.values()), {key: lean for key, lean in parents.items() if key in kept}


def _draw(everybody: Sequence[Member], all_leans: Sequence[Lean]) -> TreeDrawing:
    members, parents = _prune(everybody, _choose_parents(all_leans), _MAX_MEMBERS)
    drawn = {member.key for member in members}
    leans = [lean for lean in all_leans if lean.child in drawn and lean.parent in drawn]
    is_dense = len(members) >= _DENSE_FROM
    row = _DENSE_ROW if is_dense else _ROW
    box_height = _DENSE_HEIGHT if is_dense else _BOX_HEIGHT
    places = _place(members, parents)
    boxes: dict[Hashable, Box] = {}
    for member in sorted(members, key=lambda member: (places[member.key][1], places[member.key][0])):
        generation, at = places[member.key]
        boxes[member.key] = Box(
            member,
            _MARGIN + generation * _COLUMN,
            round(_MARGIN + at * row, 1),
            *split_label(member.label),
            generation,
        )
    weights = _count_below(boxes, parents)
    heaviest = max((lean.nbytes for lean in leans), default=1)
    side = [lean for lean in leans if parents.get(lean.child) is not lean]
    shown = [*side[:_MAX_SIDE_LINKS], *parents.values()]  # the tree's own come last, on top
    links = tuple(
        Link(
            boxes[lean.child].member.label,
            boxes[lean.parent].member.label,
            lean,
            _curve(boxes[lean.parent], boxes[lean.child], box_height),
            _thickness(lean.nbytes, heaviest, _THICK if parents.get(lean.child) is lean else _SIDE_THICK),
            parents.get(lean.child) is lean,
        )
        for lean in shown
    )
    root = max((key for key in boxes if key not in parents), key=lambda key: weights[key])
    return TreeDrawing(
        boxes[root].member,
        tuple(boxes.values()),
        links,
        2 * _MARGIN + _BOX_WIDTH + _COLUMN * max(box.generation for box in boxes.values()),
        round(2 * _MARGIN + box_height + row * max(at for _, at in places.values()), 1),
        _BOX_WIDTH,
        box_height,
        is_dense,
        max(0, len(side) - _MAX_SIDE_LINKS),
        len(everybody) - len(members),
    )


def _place(members: Sequence[Member], parents: dict[Hashable, Lean]) -> dict[Hashable, tuple[int, float]]:
    """Give each member its generation and its row; leaves take whole rows, in order."""
    children: dict[Hashable, list[Member]] = {member.key: [] for member in members}
    for member in sorted(members, key=lambda member: member.label):
        if member.key in parents:
            children[parents[member.key].parent].append(member)
    places: dict[Hashable, tuple[int, float]] = {}
    next_row = 0.0
    roots = [member for member in members if member.key not in parents]
    for root in sorted(roots, key=lambda member: (-len(children[member.key]), member.label)):
        waiting: list[tuple[Member, int, bool]] = [(root, 0, False)]
        while waiting:  # not by recursion: a chain of a thousand fine-tunes is a chain of a thousand calls
            member, generation, is_back = waiting.pop()
            own = children[member.key]
            if is_back:
                rows = [places[child.key][1] for child in own]
                at = min((rows[0] + rows[-1]) / 2, rows[0] + _LOWEST_PARENT)
                places[member.key] = (generation, at)
            elif own:
                waiting.append((member, generation, True))
                waiting.extend((child, generation + 1, False) for child in reversed(own))
            else:
                places[member.key] = (generation, next_row)
                next_row += 1
    return places


def _curve(parent: Box, child: Box, box_height: float) -> str:
    """Draw from the right edge of the parent to the left edge of the child."""
    x1, y1 = parent.x + _BOX_WIDTH, parent.y + box_height / 2
    x2, y2 = child.x, child.y + box_height / 2
    if child.x > parent.x:
        bend = (_COLUMN - _BOX_WIDTH) / 2 + 12 * (child.generation - parent.generation)
        return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    # Beside or to the left of the one that it leans on: from right edge to right edge, around.
    x2 = child.x + _BOX_WIDTH
    bend = max(x1, x2) + 36
    return f"M{x1:g} {y1:g}C{bend:g} {y1:g} {bend:g} {y2:g} {x2:g} {y2:g}"


def _thickness(nbytes: int, heaviest: int, thick: float) -> float:
    return round(_THIN + (thick - _THIN) * math.sqrt(nbytes / heaviest), 2)


def _count_below(boxes: Mapping[Hashable, Box], parents: Mapping[Hashable, Lean]) -> dict[Hashable, int]:
    """Count what stands below each member, itself included."""
    counts = dict.fromkeys(boxes, 1)
    for key in sorted(boxes, key=lambda key: -boxes[key].generation):
        if key in parents:
            counts[parents[key].parent] += counts[key]
    return counts


def split_label(label: str) -> tuple[str, str]:
    """Split a label into the owner with its slash, and the name, as far as they fit into a box."""
    owner, slash, name = label.rpartition("/")
    return (owner + slash, name) if len(label) <= _LABEL else ("", shorten(name, _LABEL))


def shorten(text: str, length: int) -> str:
    """Cut a text in the middle, so that both what it begins and ends with can be read."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"
