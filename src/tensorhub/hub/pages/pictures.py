"""Pictures in a repository, so that a card can show them.

Duty: read one, and say its type. Not its duty: any other file; those are downloaded.
Invariants: only types that a browser shows as pictures; at most :data:`MAX_PICTURE_NBYTES` are read.
"""

from __future__ import annotations

from tensorhub.errors import FileEntryNotFoundError, LimitExceededError
from tensorhub.hub.pages.blob import read_content
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store

MAX_PICTURE_NBYTES = 8_000_000  # of a card; larger ones are downloads, and would stay in memory as a whole
_TYPES = {
    "avif": "image/avif",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webp": "image/webp",
}


def read_picture(store: Store, snapshot: Snapshot, path: str) -> tuple[bytes, str]:
    """Read a picture; gives its content and media type.

    Raises
    ------
    FileEntryNotFoundError
        There is no picture at this path.
    LimitExceededError
        It is too large to be shown.
    """
    media_type = _TYPES.get(path.rpartition(".")[2].lower())
    if media_type is None:
        raise FileEntryNotFoundError(
            f"picture {path!r}", expected="a picture", found="another kind of file", path=path
        )
    record = snapshot.record(snapshot.entry(path))
    if record.nbytes > MAX_PICTURE_NBYTES:
        raise LimitExceededError(
            f"picture {path!r}",
            expected=f"at most {MAX_PICTURE_NBYTES} bytes",
            found=f"{record.nbytes} bytes",
            path=path,
            action="Download the file instead.",
        )
    return read_content(store, record, MAX_PICTURE_NBYTES), media_type
