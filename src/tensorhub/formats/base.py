"""What a format is, and what it says about a file.

Duty: the value that a parse gives back and the small interface that every format implements.
Not its duty: choosing a format (``registry``), or reading any particular one.
Invariants: the segments of a :class:`ParsedFile` cover ``[0, nbytes)`` in order, without gap or overlap; an
empty file has no segment that holds bytes. Damaged or unknown content is never an error: it is bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from tensorhub.formats.source import ByteSource
from tensorhub.schema.tensor import ParsedSegment

BYTES_FORMAT_NAME = "bytes"


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """How a file is cut.

    Attributes
    ----------
    format_name
        Name of the format that explained the file, or ``"bytes"``.
    segments
        Runs that cover the file, in order.
    notices
        What a person should know: why a file that looked like a format, or a part of it, was kept as bytes.
    """

    format_name: str
    segments: tuple[ParsedSegment, ...]
    notices: tuple[str, ...] = ()


class Format(ABC):
    """A file format that can say where the tensors of a file lie.

    An implementation keeps no state between calls and is safe to call from many threads. It reads only
    what it needs of the source, within a memory bound that it states.

    Attributes
    ----------
    name
        Short name, as shown to people; unique among formats.
    """

    name: ClassVar[str]

    @abstractmethod
    def parse(self, path_in_repo: str, source: ByteSource) -> ParsedFile | None:
        """Cut a file into segments.

        Parameters
        ----------
        path_in_repo
            Path of the file; a hint only, since files are misnamed.
        source
            The content; borrowed.

        Returns
        -------
        ParsedFile or None
            None where the file is not of this format. For a file that claims to be of the format and
            breaks its rules: :func:`as_bytes` with a notice that says why.

        Raises
        ------
        SourceChangedError
            The source has less than it had when it was opened. Nothing else is raised for any content.
        """


def as_bytes(nbytes: int, *notices: str) -> ParsedFile:
    """Keep a whole file as bytes: one segment, or none where it is empty.

    Parameters
    ----------
    nbytes
        Size of the file.
    notices
        Why, where the file looked like something else.
    """
    segments = (ParsedSegment(0, nbytes),) if nbytes else ()
    return ParsedFile(BYTES_FORMAT_NAME, segments, notices)


def fill_gaps(tensors: Iterable[ParsedSegment], start: int, nbytes: int) -> tuple[ParsedSegment, ...]:
    """Join tensor segments with bytes segments, so that the whole file is covered.

    Parameters
    ----------
    tensors
        Segments in order of offset, without overlap, each within ``[start, nbytes)``.
    start
        Length of the file's head, which becomes one bytes segment; 0 for none.
    nbytes
        Size of the file.

    Returns
    -------
    tuple of ParsedSegment
        Head, tensors, and what lies between and behind them.
    """
    segments = [ParsedSegment(0, start)] if start else []
    position = start
    for tensor in tensors:
        if tensor.start > position:
            segments.append(ParsedSegment(position, tensor.start - position))
        segments.append(tensor)
        position = tensor.start + tensor.nbytes
    if position < nbytes:
        segments.append(ParsedSegment(position, nbytes - position))
    return tuple(segments)


def find_cover_fault(segments: Iterable[ParsedSegment], nbytes: int) -> str | None:
    """Say where segments fail to cover a file.

    Returns
    -------
    str or None
        The first fault in words; None where the file is covered and each tensor has its size.
    """
    position = 0
    for segment in segments:
        if segment.start != position:
            return f"a segment starts at {segment.start} where {position} is next"
        if segment.nbytes < 0 or (segment.nbytes == 0 and segment.tensor is None):
            return f"a segment at {position} has {segment.nbytes} bytes"
        if segment.tensor is not None and segment.tensor.nbytes != segment.nbytes:
            return f"a tensor of {segment.tensor.nbytes} bytes lies in a segment of {segment.nbytes}"
        position += segment.nbytes
    return None if position == nbytes else f"the segments end at {position}, the file at {nbytes}"
