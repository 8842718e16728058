"""Model cards: what a README says about where a model comes from.

Duty: read ``base_model`` from the YAML front matter of a model card.
Not its duty: believing it; the answer is a hint for finding bases.
Invariants: never raises for any content; reads at most the first 64 KiB; builds no Python object from YAML
tags, and expands no alias, since only the node graph is looked at.
"""

from __future__ import annotations

import re

import yaml

from tensorhub.errors import InvalidNameError
from tensorhub.formats.source import ByteSource
from tensorhub.schema.names import parse_repository

_MAX_FRONT_MATTER_NBYTES = 1 << 16  # the hub's largest cards carry some 50 KB of evaluation results
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_STRING_TAG = "tag:yaml.org,2002:str"


def read_base_models(source: ByteSource) -> tuple[str, ...]:
    """Read which repositories a model card names as its base.

    Parameters
    ----------
    source
        The model card (``README.md``); borrowed.

    Returns
    -------
    tuple of str
        Valid repository ids in the order of the card, each once; empty where the card names none, has no
        front matter within its first 64 KiB, or cannot be parsed.

    Raises
    ------
    SourceChangedError
        The source shrank while it was read.
    """
    text = bytearray(min(source.nbytes, _MAX_FRONT_MATTER_NBYTES))
    source.read_into(0, text)
    match = _FRONT_MATTER.match(text.decode("utf-8", "replace"))
    if match is None:
        return ()
    try:
        root = yaml.compose(match[1], Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # The parser lets bad escapes (chr out of range) and deep nesting escape as plain exceptions.
        return ()
    names = _find_names(root)
    return tuple(dict.fromkeys(name for name in names if _is_repository(name)))


def _find_names(root: yaml.Node | None) -> list[str]:
    if not isinstance(root, yaml.MappingNode):
        return []
    names: list[str] = []
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode) or key.value != "base_model":
            continue
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        # The last of equal keys wins, as in any YAML loader.
        names = [
            item.value for item in items if isinstance(item, yaml.ScalarNode) and item.tag == _STRING_TAG
        ]
    return names


def _is_repository(name: str) -> bool:
    try:
        parse_repository(name)
    except InvalidNameError:
        return False
    return True
