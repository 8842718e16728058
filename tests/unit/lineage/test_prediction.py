"""Predicted sizes against sizes that were really coded."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from numpy.typing import NDArray

from tensorhub.lineage.index import SketchIndex
from tensorhub.lineage.prediction import predict_bits_per_byte, predict_delta_ratio, predict_standalone_ratio
from tensorhub.lineage.sketch import Sketch

from .weights import bf16, normal, sketch_bf16, tuned


def coded_ratio(words: NDArray[np.uint16]) -> float:
    planes = words.reshape(-1).view(np.uint8).reshape(-1, 2).T
    stored = sum(min(len(zstandard.compress(plane.tobytes(), 1)), plane.size) for plane in planes)
    return words.nbytes / stored


def test_standalone_ratio():
    weights = normal((512, 512), 0)
    assert predict_standalone_ratio(sketch_bf16(weights)) == pytest.approx(
        coded_ratio(bf16(weights)), rel=0.1
    )


@pytest.mark.parametrize("change", [0.0005, 0.003, 0.02, 0.2])
def test_delta_ratio(change):
    root = normal((512, 512), 0)
    child = tuned(root, change, 1)
    index = SketchIndex()
    index.add(0, sketch_bf16(root))
    predicted = index.query(sketch_bf16(child))[0].predicted_ratio
    assert 1 / predicted == pytest.approx(1 / coded_ratio(bf16(child) ^ bf16(root)), abs=0.04)


def test_equal_tensors_are_predicted_finite():
    sketch = sketch_bf16(normal((512, 64), 0))
    index = SketchIndex()
    index.add(0, sketch)
    assert 50 < index.query(sketch)[0].predicted_ratio < 10_000


def test_rows_that_the_base_lacks_cost_what_they_cost_alone():
    bits = np.array([0.8])
    assert predict_delta_ratio(bits, 1.0, 1.25)[0] == pytest.approx(10)
    assert predict_delta_ratio(bits, 0.0, 1.25)[0] == pytest.approx(1.25)
    assert predict_delta_ratio(bits, 0.5, 1.25)[0] == pytest.approx(1 / (0.05 + 0.4))


def test_predictions_stay_between_their_bounds():
    extremes = np.array([[[0, 8, 8]], [[1, 0, 0]], [[0, 0, 0]]], np.float32)
    bits = predict_bits_per_byte(extremes)
    assert ((bits > 0) & (bits <= 8)).all()


def test_an_empty_tensor_has_ratio_one():
    assert predict_standalone_ratio(Sketch(1, 2, 0, 4, bytes(512))) == 1
