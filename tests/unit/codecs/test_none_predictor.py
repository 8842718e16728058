"""No source, no prediction."""

import pytest

from tensorhub.codecs.none_predictor import NonePredictor
from tensorhub.errors import CorruptPackError


def test_predicts_nothing():
    assert NonePredictor().predict([], 10, 1, b"") is None


def test_parameters_are_refused():
    with pytest.raises(CorruptPackError, match="parameters"):
        NonePredictor().predict([], 10, 1, b"x")
