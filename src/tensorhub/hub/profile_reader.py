"""Reading what a profile is made of: the card, ``config.json`` and the types of tensors of one commit.

Duty: bounded reads of a snapshot. Not its duty: what is made of them (``profile``).
Invariants: reads at most the first 64 KiB of a card and a configuration of at most 2 MiB; no tensor is decoded; a file
that is not what its name says counts as empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tensorhub.errors import FileEntryNotFoundError
from tensorhub.formats.front_matter import MAX_FRONT_MATTER_NBYTES, FrontMatter, parse_front_matter
from tensorhub.hub.profile import Profile, choose_weights, make_profile
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import FileMode, FileRecord
from tensorhub.store.files import follow_link, read_range
from tensorhub.store.read_plan import FileMap
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store

CARD_PATH = "README.md"
CONFIG_PATH = "config.json"
_MAX_CONFIG_NBYTES = 2 << 20  # a configuration with the names of 22,000 classes takes 1 MB


def read_profile(store: Store, snapshot: Snapshot) -> Profile:
    """Read the profile of a snapshot."""
    text = read_card_text(store, snapshot)
    paths = [entry.path for entry in snapshot.tree.entries]
    return make_profile(
        snapshot.repository.repo_type,
        parse_front_matter(text).data,
        read_config(store, snapshot),
        frozenset(paths),
        card_text=text,
        parameters=count_parameters(store, snapshot),
    )


def read_card(store: Store, snapshot: Snapshot) -> FrontMatter:
    """Read the front matter of the card; an empty one where there is no card."""
    return parse_front_matter(read_card_text(store, snapshot))


def read_card_text(store: Store, snapshot: Snapshot) -> str:
    """Read the first 64 KiB of the card; empty where there is none."""
    return _read_head(store, snapshot, CARD_PATH, MAX_FRONT_MATTER_NBYTES)


def read_config(store: Store, snapshot: Snapshot) -> Mapping[str, Any]:
    """Read ``config.json``; empty where there is none that can be parsed."""
    text = _read_head(store, snapshot, CONFIG_PATH, _MAX_CONFIG_NBYTES)
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def count_parameters(store: Store, snapshot: Snapshot) -> dict[str, int]:
    """Count the elements of the weights by element type, from their file records alone."""
    counts: dict[str, int] = {}
    seen: set[Digest] = set()
    for path in choose_weights(entry.path for entry in snapshot.tree.entries):
        record, file = _record(store, snapshot, path)
        if record is None or file in seen:
            continue
        seen.add(file)
        for segment in record.segments:
            if segment.tensor is not None:
                name = segment.tensor.dtype.name
                counts[name] = counts.get(name, 0) + segment.tensor.nelems
    return counts


def _record(store: Store, snapshot: Snapshot, path: str) -> tuple[FileRecord | None, Digest]:
    try:
        entry = snapshot.entry(path)
        if entry.mode is FileMode.SYMLINK:
            entry = follow_link(snapshot, entry, store.reader)
        return snapshot.record(entry), entry.file
    except FileEntryNotFoundError:
        return None, snapshot.commit.tree


def _read_head(store: Store, snapshot: Snapshot, path: str, limit: int) -> str:
    record, _ = _record(store, snapshot, path)
    if record is None or (path == CONFIG_PATH and record.nbytes > limit):
        return ""
    out = bytearray(min(record.nbytes, limit))
    read_range(FileMap(record.segments), store.reader, 0, memoryview(out))
    return out.decode("utf-8", "replace")
