"""What optimize remembers has one encoding."""

import pytest

from tensorhub.errors import InvalidRecordError
from tensorhub.schema.coding_fact import CodingFact, parse_coding_fact

FACT = CodingFact((1 << 64) - 2, 300, 6, 4)


def test_round_trip() -> None:
    """Parsing gives back what was written."""
    assert FACT.to_bytes() == bytes.fromhex("feffffffffffffff ac02 06 04")
    assert parse_coding_fact(FACT.to_bytes()) == FACT


@pytest.mark.parametrize("length", range(len(FACT.to_bytes())))
def test_truncated(length: int) -> None:
    """A shorter value is refused, and so is a longer one."""
    with pytest.raises(InvalidRecordError):
        parse_coding_fact(FACT.to_bytes()[:length])
    with pytest.raises(InvalidRecordError):
        parse_coding_fact(FACT.to_bytes() + b"\0")
