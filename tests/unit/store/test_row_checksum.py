"""A row gives its record back only if nothing in it changed."""

from tensorhub.schema.digest import Digest
from tensorhub.store.row_checksum import open_row, seal_row

BLOB, PACK, REFERENCES = Digest(bytes(32)), Digest(bytes([1]) * 32), bytes([2]) * 64


def test_round_trip() -> None:
    """What was sealed opens."""
    for record in (b"", b"record"):
        sealed = seal_row(record, BLOB, PACK, REFERENCES)
        assert open_row(sealed, BLOB, PACK.value, REFERENCES) == record


def test_every_changed_byte_is_seen() -> None:
    """In the record, the names, the references, and the checksum itself."""
    sealed = seal_row(b"record", BLOB, PACK, REFERENCES)
    fields = [sealed, BLOB.value, PACK.value, REFERENCES]
    for index, field in enumerate(fields):
        for position in range(len(field)):
            changed = list(fields)
            changed[index] = field[:position] + bytes([field[position] ^ 4]) + field[position + 1 :]
            assert open_row(changed[0], Digest(changed[1]), changed[2], changed[3]) is None


def test_values_of_other_types_and_lengths() -> None:
    """A damaged row may hold anything."""
    sealed = seal_row(b"record", BLOB, PACK, REFERENCES)
    for value in (None, 7, "text", b"", b"short"):
        assert open_row(value, BLOB, PACK.value, REFERENCES) is None
        assert open_row(sealed, BLOB, value, REFERENCES) is None
    assert open_row(sealed, BLOB, PACK.value, None) is None
