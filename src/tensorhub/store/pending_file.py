"""A file whose segments are on their way into the store.

Duty: collect the digests of a file's segments as they are delivered; after the last, make sure that the source
did not change, and close it if it was opened here. Not its duty: coding segments (``ingest``).
Invariants: a record is made only of a file whose every segment was delivered.
"""

from __future__ import annotations

from collections.abc import Callable

from tensorhub.errors import InvariantError
from tensorhub.formats.source import ByteSource, FileSource
from tensorhub.schema.digest import Digest
from tensorhub.schema.records import FileRecord
from tensorhub.schema.tensor import ParsedSegment, Segment


class PendingFile:
    """A file whose segments are on their way.

    Parameters
    ----------
    format_name, segments
        How the file was cut.
    source
        Where its bytes are.
    is_own
        The source was opened for this file, and is closed after the last segment.
    """

    def __init__(
        self, format_name: str, segments: tuple[ParsedSegment, ...], source: ByteSource, *, is_own: bool
    ) -> None:
        self.format_name = format_name
        self.parsed = segments
        self.source: ByteSource | None = source
        self.digests: list[Digest | None] = [None] * len(segments)
        self.missing = len(segments)
        self._is_own = is_own
        if not segments:
            self._finish()

    def deliver(self, ordinal: int, digest: Digest) -> None:
        """Take the digest of one segment."""
        self.digests[ordinal] = digest
        self.missing -= 1
        if not self.missing:
            self._finish()

    def deliverer(self, ordinal: int) -> Callable[[Digest], None]:
        """Give the function that takes the digest of one segment."""
        return lambda digest: self.deliver(ordinal, digest)

    def _finish(self) -> None:
        try:
            if isinstance(self.source, FileSource):
                self.source.check_unchanged()
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the source; close it if it is this file's own."""
        if self._is_own and isinstance(self.source, FileSource):
            self.source.close()
        self.source = None

    def record(self) -> FileRecord:
        """Make the file record.

        Raises
        ------
        InvariantError
            A segment was never delivered.
        """
        segments: list[Segment] = []
        for parsed, digest in zip(self.parsed, self.digests, strict=True):
            if digest is None:
                raise InvariantError(
                    "file on its way into the store",
                    expected="a digest for every segment",
                    found=f"{self.missing} missing",
                    action="Nothing was published; please report this with the command that led here.",
                )
            segments.append(Segment(parsed.nbytes, digest, parsed.tensor))
        return FileRecord(self.format_name, sum(item.nbytes for item in segments), tuple(segments))
