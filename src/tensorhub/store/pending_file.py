"""A file whose segments are on their way into the store.

Duty: collect the digests of a file's segments as they are delivered; close its source after the last.
Not its duty: coding them (``ingest``).
"""

from __future__ import annotations

from collections.abc import Callable

from tensorhub.formats.source import ByteSource, FileSource
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import (
    FileRecord,
)
from tensorhub.schema.tensor import ParsedSegment, Segment


class PendingFile:
    """A file whose segments are on their way."""

    def __init__(self, format_name: str, segments: tuple[ParsedSegment, ...], source: ByteSource) -> None:
        self.format_name = format_name
        self.parsed = segments
        self.source: ByteSource | None = source
        self.digests: list[Digest | None] = [None] * len(segments)
        self.missing = len(segments)

    def deliver(self, ordinal: int, digest: Digest) -> None:
        """Take the digest of one segment; the last one gives the source back."""
        self.digests[ordinal] = digest
        self.missing -= 1
        if not self.missing:
            self.release()

    def deliverer(self, ordinal: int) -> Callable[[Digest], None]:
        """Give the function that takes the digest of one segment."""
        return lambda digest: self.deliver(ordinal, digest)

    def release(self) -> None:
        """Close a source that we opened."""
        if isinstance(self.source, FileSource):
            self.source.close()
        self.source = None

    def record(self) -> FileRecord:
        """Make the file record; every segment must have its digest."""
        segments = tuple(
            Segment(parsed.nbytes, digest, parsed.tensor)
            for parsed, digest in zip(self.parsed, self.digests, strict=True)
            if digest is not None
        )
        return FileRecord(self.format_name, sum(item.nbytes for item in segments), segments)
