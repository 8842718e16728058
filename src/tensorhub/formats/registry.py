"""The formats TensorHub knows, and the one function that cuts any file.

Duty: try the formats in order; what none explains is bytes.
Not its duty: parsing.
Invariants: the answer always covers the file exactly, whatever a format said; the same file gives the same
answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorhub.formats.base import BYTES_FORMAT_NAME, Format, ParsedFile, as_bytes, find_cover_fault
from tensorhub.formats.safetensors import SafetensorsFormat
from tensorhub.formats.source import ByteSource

BUILT_IN_FORMATS: tuple[Format, ...] = (SafetensorsFormat(),)


def parse_file(
    path_in_repo: str, source: ByteSource, formats: Sequence[Format] = BUILT_IN_FORMATS
) -> ParsedFile:
    """Cut a file into segments.

    Parameters
    ----------
    path_in_repo
        Path of the file; a hint for the formats.
    source
        The content; borrowed.
    formats
        Formats to try, in order.

    Returns
    -------
    ParsedFile
        The first format's answer that explains the file; else one bytes segment (none for an empty file),
        with the notices of the formats that recognised and refused it.

    Raises
    ------
    SourceChangedError
        The source shrank while it was read.
    """
    notices: list[str] = []
    for candidate in formats:
        parsed = candidate.parse(path_in_repo, source)
        if parsed is None:
            continue
        if parsed.format_name == BYTES_FORMAT_NAME:
            notices += parsed.notices
            continue
        fault = find_cover_fault(parsed.segments, source.nbytes)
        if fault is None:
            return parsed
        notices.append(
            f"{path_in_repo}: kept as bytes, because format {candidate.name} cut it wrongly: {fault}"
        )
    return as_bytes(source.nbytes, *notices)
