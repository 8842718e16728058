"""The wire encoding: round trips, and refusal of everything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorhub.errors import InvalidRecordError
from tensorhub.schema.wire import RecordReader, RecordWriter


def reader(data: bytes) -> RecordReader:
    return RecordReader(data, "test record")


@given(st.lists(st.integers(0, (1 << 63) - 1)))
def test_integers(values: list[int]) -> None:
    """Integers come back in order, and nothing is left over."""
    writer = RecordWriter()
    for value in values:
        writer.varint(value)
    found = reader(writer.getvalue())
    assert [found.varint() for _ in values] == values
    found.finish()


@given(st.integers(0, (1 << 64) - 1), st.binary(), st.text())
def test_fields(number: int, data: bytes, text: str) -> None:
    """Fixed integers, sized bytes and text come back."""
    writer = RecordWriter()
    writer.u64(number)
    writer.sized(data)
    writer.text(text)
    writer.raw(data)
    found = reader(writer.getvalue())
    assert (found.u64(), found.sized(), found.text(), found.raw(len(data))) == (number, data, text, data)
    assert found.remaining == 0


@pytest.mark.parametrize("value", [-1, 1 << 63, 1 << 70])
def test_integers_that_do_not_fit(value: int) -> None:
    """What could not be read back is not written."""
    with pytest.raises(InvalidRecordError):
        RecordWriter().varint(value)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\xff" * 8, b"\xff" * 9, b"\xff" * 9 + b"\x01", b"\x80\x00", b"\x81\x80\x00"]
)
def test_bad_integers(data: bytes) -> None:
    """Cut off, too long, or padded: refused, so that equal values have equal bytes."""
    with pytest.raises(InvalidRecordError):
        reader(data).varint()


@given(st.binary(max_size=12))
def test_integers_have_one_spelling(data: bytes) -> None:
    """Whatever parses is what would be written."""
    found = reader(data)
    try:
        value = found.varint()
    except InvalidRecordError:
        return
    writer = RecordWriter()
    writer.varint(value)
    assert writer.getvalue() == data[: len(data) - found.remaining]


def test_lengths_are_not_trusted() -> None:
    """A length or a count past the end is refused before anything is allocated."""
    huge = b"\xff\xff\xff\xff\xff\xff\xff\x7f"
    for read in (
        lambda: reader(huge).sized(),
        lambda: reader(huge).text(),
        lambda: reader(huge).count(),
        lambda: reader(b"\x03abcdef").count(item_nbytes=3),
        lambda: reader(b"1234567").u64(),
        lambda: reader(b"").raw(1),
    ):
        with pytest.raises(InvalidRecordError) as caught:
            read()
        assert caught.value.thing == "test record"
    assert reader(b"\x02abcdef").count(item_nbytes=3) == 2


def test_leftovers_and_other_text() -> None:
    """Bytes left over, and text that is not UTF-8, are refused."""
    with pytest.raises(InvalidRecordError, match="1 more bytes"):
        reader(b"x").finish()
    with pytest.raises(InvalidRecordError, match="UTF-8"):
        reader(b"\x01\xff").text()
