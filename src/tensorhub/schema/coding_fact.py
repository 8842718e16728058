"""Coding facts: what optimize found out about how a blob is coded, so that it need not find out again.

Duty: the frozen value and its wire form. Not its duty: which bit stands for which mode (``optimize``).
Invariants: as for records; only a help, so that whoever cannot read one does the work again. Specified in
``docs/format.md``, section 8.
"""

from __future__ import annotations

from dataclasses import dataclass

from tensorhub.schema.wire import RecordReader, RecordWriter


@dataclass(frozen=True, slots=True)
class CodingFact:
    """What is known of one coding of a blob; means nothing for another coding, or another planner.

    Attributes
    ----------
    planner
        Which planner found it out, below 2**64.
    stored_nbytes
        Coded bytes of the blob in the coding that is meant.
    tried
        One bit for each mode in which no chunk came out smaller.
    exact
        One bit for each mode in which every chunk came out as it is.
    """

    planner: int
    stored_nbytes: int
    tried: int
    exact: int

    def to_bytes(self) -> bytes:
        """Serialise the value of a fact."""
        writer = RecordWriter()
        writer.u64(self.planner)
        for value in (self.stored_nbytes, self.tried, self.exact):
            writer.varint(value)
        return writer.getvalue()


def parse_coding_fact(data: bytes | memoryview) -> CodingFact:
    """Parse the value of a fact.

    Raises
    ------
    InvalidRecordError
        The bytes break the layout.
    """
    reader = RecordReader(data, "coding fact")
    fact = CodingFact(reader.u64(), reader.varint(), reader.varint(), reader.varint())
    reader.finish()
    return fact
