"""Refusals name the codec, what was expected and what was found."""

import pytest

from tensorhub.codecs import damage
from tensorhub.errors import CorruptPackError, ShapeMismatchError, UnsupportedVersionError


def test_messages():
    assert str(damage.corrupt_chunk("zstd", "a", "b")).startswith(
        "chunk coded with zstd: expected a, found b."
    )
    with pytest.raises(UnsupportedVersionError, match="version 2 of zstd"):
        damage.check_version("zstd", 1, 2)
    with pytest.raises(CorruptPackError, match="3 bytes of parameters"):
        damage.check_no_parameters("zstd", b"abc")
    with pytest.raises(ShapeMismatchError, match="no prediction"):
        damage.require_prediction("xor", None, 4)
    damage.check_version("zstd", 1, 1)
    damage.check_no_parameters("zstd", b"")
    with pytest.raises(ShapeMismatchError, match="3 bytes"):
        damage.require_prediction("xor", b"abc", 4)
    assert damage.require_prediction("xor", b"abcd", 4) == b"abcd"
