"""The wire encoding of records: bounded little-endian fields.

Duty: turn integers, bytes and text into record bytes and back, with every read checked.
Not its duty: what the fields mean (``tensorhub.schema.records``).
Invariants: a reader never reads past its end, never trusts a length or a count, and refuses varints that
are not minimal, so that equal values have equal bytes. Specified in ``docs/format.md``, section 3.
"""

from __future__ import annotations

import struct

from tensorhub.errors import InvalidRecordError

_MAX_VARINT_NBYTES = 9  # 63 bits: every size fits, and a value never overflows a signed SQL integer
_U64 = struct.Struct("<Q")


class RecordWriter:
    """Collects the fields of one record."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def varint(self, value: int) -> None:
        """Append an unsigned LEB128 integer below 2**63."""
        if not 0 <= value < 1 << 63:
            raise InvalidRecordError("record field", expected="0 <= value < 2**63", found=str(value))
        parts = self._parts
        while value > 0x7F:
            parts.append(value & 0x7F | 0x80)
            value >>= 7
        parts.append(value)

    def u64(self, value: int) -> None:
        """Append a fixed 8-byte little-endian integer (checksums)."""
        self._parts += _U64.pack(value)

    def raw(self, value: bytes) -> None:
        """Append bytes whose length the reader knows."""
        self._parts += value

    def sized(self, value: bytes) -> None:
        """Append bytes with their length before them."""
        self.varint(len(value))
        self._parts += value

    def text(self, value: str) -> None:
        """Append UTF-8 text with its byte length before it."""
        self.sized(value.encode("utf-8"))

    def getvalue(self) -> bytes:
        """Give the record's bytes."""
        return bytes(self._parts)


class RecordReader:
    """Reads the fields of one record, in order.

    Parameters
    ----------
    data
        The record's bytes; borrowed.
    thing
        What the record is, for error messages.
    """

    def __init__(self, data: bytes | memoryview, thing: str) -> None:
        self._data = memoryview(data)
        self._offset = 0
        self._thing = thing

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return len(self._data) - self._offset

    def _fail(self, expected: str, found: str) -> InvalidRecordError:
        return InvalidRecordError(
            self._thing,
            expected=expected,
            found=found,
            offset=self._offset,
            action="The bytes are damaged; run `tensorhub verify`.",
        )

    def varint(self) -> int:
        """Read an unsigned LEB128 integer below 2**63."""
        value = 0
        data, offset = self._data, self._offset
        for position in range(_MAX_VARINT_NBYTES):
            if offset + position >= len(data):
                raise self._fail("a whole integer", "the end of the record")
            byte = data[offset + position]
            value |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                if byte == 0 and position:
                    raise self._fail("a minimal integer", "a padded one")
                self._offset = offset + position + 1
                return value
        raise self._fail("an integer below 2**63", "a longer one")

    def count(self, *, item_nbytes: int = 1) -> int:
        """Read a number of items and check that so many can still follow.

        Parameters
        ----------
        item_nbytes
            Smallest number of bytes that one item takes.
        """
        value = self.varint()
        if value * item_nbytes > self.remaining:
            raise self._fail(f"at most {self.remaining // item_nbytes} items", f"{value}")
        return value

    def u64(self) -> int:
        """Read a fixed 8-byte integer."""
        value: int = _U64.unpack(self.raw(8))[0]
        return value

    def raw(self, nbytes: int) -> bytes:
        """Read exactly ``nbytes`` bytes; a copy."""
        end = self._offset + nbytes
        if end > len(self._data):
            raise self._fail(f"{nbytes} more bytes", f"{self.remaining}")
        value = bytes(self._data[self._offset : end])
        self._offset = end
        return value

    def sized(self) -> bytes:
        """Read bytes with their length before them."""
        return self.raw(self.varint())

    def text(self) -> str:
        """Read UTF-8 text with its byte length before it."""
        try:
            return self.sized().decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._fail("UTF-8 text", str(error)) from error

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.remaining:
            raise self._fail("the end of the record", f"{self.remaining} more bytes")
