"""The digest as a value."""

import pytest

from tensorhub.errors import InvalidRecordError
from tensorhub.schema.digest import Digest


def test_text_round_trip() -> None:
    """A digest is printed with its algorithm and parsed with or without it."""
    digest = Digest(bytes(range(32)))
    assert str(digest) == "blake3:" + bytes(range(32)).hex()
    assert Digest.parse(str(digest)) == Digest.parse(digest.hex) == digest
    assert Digest(bytes(32)) < digest


@pytest.mark.parametrize(
    "text", ["", "blake3:", "00", "zz" * 32, "sha256:" + "00" * 32, "00" * 33, "blake3:blake3:" + "00" * 32]
)
def test_what_is_no_digest(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(InvalidRecordError):
        Digest.parse(text)
    with pytest.raises(InvalidRecordError):
        Digest(text.encode()[:31])
