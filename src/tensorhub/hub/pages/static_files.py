"""Style sheet, scripts and pictures of the page.

Duty: the files of ``static/``, under names that hold their content's digest, so that browsers may keep them for good.
Not its duty: any view.
Invariants: the set of files is fixed when the package is built; no path is ever made from a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from blake3 import blake3

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_DIGEST_DIGITS = 12  # 48 bits tell the few versions of one file apart


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A static file: its versioned name, type and content."""

    versioned_name: str
    media_type: str
    content: bytes


@lru_cache(maxsize=1)
def load_static_files() -> Mapping[str, StaticFile]:
    """Read every static file, by its plain name."""
    found: dict[str, StaticFile] = {}
    for item in files("tensorhub.hub").joinpath("static").iterdir():
        stem, _, suffix = item.name.rpartition(".")
        if suffix in _TYPES:
            content = item.read_bytes()
            digest = blake3(content).hexdigest()[:_DIGEST_DIGITS]
            found[item.name] = StaticFile(f"{stem}.{digest}.{suffix}", _TYPES[suffix], content)
    return found


def find_static_file(versioned_name: str) -> StaticFile | None:
    """Find a static file by its versioned name; None where this version has none of that name."""
    return next(
        (item for item in load_static_files().values() if item.versioned_name == versioned_name), None
    )
