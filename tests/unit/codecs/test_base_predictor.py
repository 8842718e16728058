"""The base's bytes are the prediction."""

import pytest

from tensorhub.codecs.base_predictor import BasePredictor
from tensorhub.errors import CorruptPackError

predictor = BasePredictor()


def test_equal_length_is_the_source_itself():
    source = memoryview(b"abcd")
    assert predictor.predict([source], 4, 1, b"") is source


def test_shorter_source_is_padded_with_zeros():
    assert bytes(predictor.predict([memoryview(b"ab")], 4, 1, b"")) == b"ab\0\0"
    assert bytes(predictor.predict([b""], 2, 1, b"")) == b"\0\0"


def test_longer_source_is_damage():
    with pytest.raises(CorruptPackError, match="at most 3 bytes"):
        predictor.predict([b"abcd"], 3, 1, b"")


def test_parameters_are_refused():
    with pytest.raises(CorruptPackError, match="parameters"):
        predictor.predict([b"abcd"], 4, 1, b"x")
