"""Front matter: the YAML block at the head of a model, dataset or space card, as JSON values.

Duty: find the block, turn it into plain values, say what is wrong with it. Not its duty: what the fields mean.
Invariants: never raises for any content; reads at most 64 KiB; the result has a bounded number of values, since
aliases are counted each time they are used, builds no Python object from YAML tags, and can be written as JSON.
Plain scalars are read by the rules of YAML 1.2, as the Hugging Face hub does: ``no`` is a language, not a falsehood.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_FRONT_MATTER_NBYTES = 1 << 16  # the hub's largest cards carry some 50 KB of evaluation results
_MAX_VALUES = 20_000  # in 64 KiB of honest YAML; aliases could stand for any number
_MAX_DEPTH = 64
_BLOCK = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_OPEN = re.compile(r"\A\ufeff?\s*---[ \t]*\r?$", re.MULTILINE)
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a card's front matter says.

    Attributes
    ----------
    data
        Its fields; empty where there is none, or a wrong one.
    is_present
        Whether there is a block at all.
    error
        What is wrong with it, for people; empty for nothing.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    is_present: bool = False
    error: str = ""


class _TooMuchError(Exception):
    """The block stands for more than is taken."""


def parse_front_matter(text: str) -> FrontMatter:
    """Parse the front matter of a card.

    Parameters
    ----------
    text
        The card, or at least its first 64 KiB.
    """
    head = text[:MAX_FRONT_MATTER_NBYTES]
    found = _BLOCK.match(head)
    if found is None:
        if _OPEN.match(head) is not None and head.lstrip("\ufeff \t\r\n")[3:].strip():
            return FrontMatter(
                {}, True, "the block that begins with --- does not end, or is longer than 64 KiB"
            )
        return FrontMatter()
    try:
        root = yaml.compose(found[1], Loader=_LOADER)
        if root is None:
            return FrontMatter({}, True)
        if not isinstance(root, yaml.MappingNode):
            return FrontMatter({}, True, "the metadata is not a mapping of names to values")
        return FrontMatter(_Values().mapping(root, 0), True)
    except _TooMuchError as error:
        return FrontMatter({}, True, str(error))
    except yaml.YAMLError as error:
        return FrontMatter({}, True, " ".join(str(error).split()))
    except (ValueError, OverflowError, RecursionError) as error:
        # The parser lets bad escapes (chr out of range), lone surrogates and deep nesting escape as plain exceptions.
        return FrontMatter({}, True, f"not YAML: {type(error).__name__}")


class _Values:
    """Turns nodes into values, and counts them."""

    def __init__(self) -> None:
        self._count = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._count += 1
        if self._count > _MAX_VALUES:
            raise _TooMuchError(f"the metadata stands for more than {_MAX_VALUES} values")
        if depth > _MAX_DEPTH:
            raise _TooMuchError(f"the metadata is nested deeper than {_MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        return _scalar(node)

    def mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):  # others cannot be the name of a field
                values[str(key.value)] = self.value(value, depth + 1)
        return values


def _scalar(node: yaml.Node) -> Any:
    text = str(node.value)
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool":
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        if kind == "int":
            return int(text, 10) if not text.lower().lstrip("+-").startswith(("0x", "0o")) else int(text, 0)
        if kind == "float" and math.isfinite(number := float(text)):
            return number
    except ValueError:
        pass
    return text
