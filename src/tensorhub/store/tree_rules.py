"""Rules that a tree as a whole must keep.

Duty: refuse what no folder could hold. Not its duty: single paths (``tensorhub.schema.names``).
"""

from __future__ import annotations

from tensorhub.errors import (
    InvalidNameError,
)


def check_no_file_is_a_folder(paths: list[str]) -> None:
    """Refuse a tree in which one path is a folder of another.

    Raises
    ------
    InvalidNameError
        It names both.
    """
    present = set(paths)
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder in present:
                raise InvalidNameError(
                    f"path {path!r}",
                    expected=f"{folder!r} to be a folder",
                    found="a file of that name",
                    action="Delete the file first, or choose another path.",
                )
