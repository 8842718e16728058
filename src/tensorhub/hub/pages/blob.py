"""One file of a snapshot, shown: its tensors, its text, or only its facts.

Duty: decide how a file is shown, and read as much as that takes. Not its duty: handing out its bytes (``resolve``).
Invariants: at most :data:`MAX_TEXT_NBYTES` are read; bytes that are not UTF-8 text are never shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorhub.hub.pages.reader import Reader
from tensorhub.hub.pages.tensors import TensorQuery, TensorTable, read_tensor_table
from tensorhub.schema.facts import FactKind
from tensorhub.schema.records import FileMode, FileRecord
from tensorhub.store.files import check_before_allocating, read_range
from tensorhub.store.read_plan import FileMap
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store
from tensorhub.store.stored_sizes import StoredSize, stored_size_by_file

MAX_TEXT_NBYTES = 1 << 19  # 512 KiB: larger texts make a browser slow, and are better downloaded
_CONTROL = frozenset(range(32)) - {9, 10, 12, 13, 27}  # of a text only tab, line ends, form feed and escape


@dataclass(frozen=True, slots=True)
class BlobView:
    """A file as shown.

    Attributes
    ----------
    path, mode, nbytes, format_name
        As the snapshot has it.
    stored
        What its content takes.
    sha256
        Hexadecimal, where known.
    tensors
        Its tensor table, if it has tensors.
    text
        Its text, if it is one and not too long.
    lines
        Number of lines of the text.
    reason
        Why nothing is shown; empty where something is.
    """

    path: str
    mode: str
    nbytes: int
    format_name: str
    stored: StoredSize
    sha256: str | None
    tensors: TensorTable | None
    text: str | None
    lines: int
    reason: str


def read_blob(store: Store, snapshot: Snapshot, path: str, query: TensorQuery, reader: Reader) -> BlobView:
    """Read what is shown of a file.

    Raises
    ------
    FileEntryNotFoundError
        There is none at this path.
    """
    entry = snapshot.entry(path)
    record = snapshot.record(entry)
    stored = stored_size_by_file(store.catalog, [entry.file]).get(entry.file, StoredSize())
    sha256 = store.catalog.fact_values(FactKind.FILE_SHA256, [entry.file]).get(entry.file)
    table, text, reason = None, None, ""
    if any(segment.tensor is not None for segment in record.segments):
        table = read_tensor_table(store, snapshot, [entry], query, reader)
    elif record.nbytes > MAX_TEXT_NBYTES:
        reason = "This file is too large to show here."
    else:
        text = to_text(read_content(store, record, MAX_TEXT_NBYTES))
        reason = "" if text is not None else "This file is not text."
    return BlobView(
        path,
        FileMode(entry.mode).name.lower(),
        record.nbytes,
        record.format_name,
        stored,
        sha256.hex() if sha256 else None,
        table,
        text,
        (text.count("\n") + (not text.endswith("\n"))) if text else 0,
        reason,
    )


def read_content(store: Store, record: FileRecord, most_nbytes: int) -> bytes:
    """Read a file from its beginning, at most so many bytes; of a symlink that is its target's path."""
    file_map = FileMap(record.segments)
    nbytes = min(file_map.nbytes, most_nbytes)
    check_before_allocating(file_map, store.reader, 0, nbytes)
    out = bytearray(nbytes)
    read_range(file_map, store.reader, 0, memoryview(out))
    return bytes(out)


def to_text(content: bytes) -> str | None:
    """Give content as text; None where it is something else."""
    if any(byte in _CONTROL for byte in content):
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None
