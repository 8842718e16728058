"""Tree listings of a Hugging Face cache: all files of a commit, as the hub told a client.

Duty: read ``trees/<commit>.json`` (format version 1 of ``huggingface_hub``).
Not its duty: comparing it with what lies in the cache.
Invariants: a listing that is odd in any way is no listing, since it serves as a proof.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tensorhub.errors import TensorHubError
from tensorhub.formats.source import FileSource
from tensorhub.schema.names import parse_path

_FORMAT_VERSION = 1
_MAX_NBYTES = 64 << 20  # some 300,000 files, more than the hub recommends for a repository (100,000)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """What a tree listing says about a file.

    Attributes
    ----------
    nbytes
        Size.
    sha256
        Digest of a large file; None for others.
    git_sha1
        Git blob digest of a small file; None for large ones, whose id is that of their pointer.
    """

    nbytes: int
    sha256: str | None
    git_sha1: str | None


def read_tree(path: Path) -> dict[str, TreeFile] | None:
    """Read a tree listing.

    Parameters
    ----------
    path
        The listing's file.

    Returns
    -------
    dict or None
        Path to what is said about it; None where there is no listing, or one that cannot be relied on.
    """
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with FileSource(path) as source:
            if source.nbytes > _MAX_NBYTES:
                return None
            text = bytearray(source.nbytes)
            source.read_into(0, text)
        document = json.loads(text)
        if document["format_version"] != _FORMAT_VERSION:
            return None
        return {parse_path(name): _parse_file(fields) for name, fields in document["files"].items()}
    except (TensorHubError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _parse_file(fields: dict[str, object]) -> TreeFile:
    blob_id, sha256 = fields["blob_id"], fields.get("lfs_sha256")
    nbytes = fields["size"] if sha256 is None else fields["lfs_size"]
    if type(nbytes) is not int or nbytes < 0 or not isinstance(blob_id, str):
        raise ValueError("not a tree entry")
    if sha256 is None:
        return TreeFile(nbytes, None, blob_id if _SHA1.fullmatch(blob_id) else None)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError("not a SHA-256")
    return TreeFile(nbytes, sha256, None)
