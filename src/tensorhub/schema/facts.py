"""Facts: what is derived from content and costly to derive again.

Duty: the frozen value and its wire form. Not its duty: deriving them.
Invariants: as for records; a fact of an unknown kind is skipped. Specified in ``docs/format.md``, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tensorhub.errors import InvalidRecordError
from tensorhub.schema.digest import DIGEST_NBYTES, Digest
from tensorhub.schema.wire import RecordReader, RecordWriter


class FactKind(IntEnum):
    """What a fact says about its subject."""

    FILE_SHA256 = 1  # subject: file record; value: 32 bytes
    FILE_GIT_SHA1 = 2  # subject: file record; value: 20 bytes, git's blob id
    SKETCH = 3  # subject: blob; value: docs/format.md, section 11
    CODING = 4  # subject: blob; value: ``coding_fact``


_FACT_NBYTES: dict[int, int] = {FactKind.FILE_SHA256: 32, FactKind.FILE_GIT_SHA1: 20}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something derived from content, costly to derive again.

    Attributes
    ----------
    kind
        What is said.
    subject
        Digest of the file record or blob it is said about.
    value
        The fact itself.
    is_claimed
        Taken from where the content came from; not yet computed here.
    """

    kind: FactKind
    subject: Digest
    value: bytes
    is_claimed: bool = False

    def to_bytes(self) -> bytes:
        """Serialise the record."""
        writer = RecordWriter()
        writer.varint(self.kind)
        writer.varint(1 if self.is_claimed else 0)
        writer.raw(self.subject.value)
        writer.sized(self.value)
        return writer.getvalue()


def parse_fact(data: bytes | memoryview) -> Fact | None:
    """Parse a fact; one of an unknown kind gives None, because facts can be derived again.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout.
    """
    reader = RecordReader(data, "fact")
    kind, flags = reader.varint(), reader.varint()
    subject, value = Digest(reader.raw(DIGEST_NBYTES)), reader.sized()
    reader.finish()
    if flags > 1:
        raise _reject("flags of this format version", flags)
    if kind not in tuple(FactKind):
        return None
    if (nbytes := _FACT_NBYTES.get(kind)) is not None and len(value) != nbytes:
        raise _reject(f"a value of {nbytes} bytes", len(value))
    return Fact(FactKind(kind), subject, value, bool(flags))


def _reject(expected: str, found: object) -> InvalidRecordError:
    return InvalidRecordError(
        "fact", expected=expected, found=str(found), action="The bytes are damaged; run `tensorhub verify`."
    )
