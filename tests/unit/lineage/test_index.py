"""The nearest sketches."""

from __future__ import annotations

import numpy as np
import pytest

from tensorhub.lineage.index import COARSE_KEEP, SketchIndex
from tensorhub.lineage.sketch import Sketch, sketch_of
from tensorhub.schema.dtype import DType
from tensorhub.schema.tensor import TensorSpec

from .weights import bf16, normal, sketch_bf16, tuned


def index_of(*sketches: Sketch) -> SketchIndex:
    index = SketchIndex()
    for key, sketch in enumerate(sketches):
        index.add(key, sketch)
    return index


def test_the_nearest_comes_first_and_strangers_last():
    root = normal((256, 256), 0)
    changes = [0.3, 0.001, 0.05]
    index = index_of(
        *(sketch_bf16(tuned(root, c, i)) for i, c in enumerate(changes)), sketch_bf16(normal((256, 256), 9))
    )
    matches = index.query(sketch_bf16(root))
    assert [match.key for match in matches] == [1, 2, 0, 3]
    assert matches[0].bit_distance < 1 < 5 < matches[3].bit_distance
    assert matches[0].predicted_ratio > 3 > matches[3].predicted_ratio
    assert all(match.overlap == 1 and match.nsamples == 256 for match in matches)


def test_bit_distance_estimates_the_true_one():
    root = normal((512, 128), 0)
    child = tuned(root, 0.01, 1)
    true = np.bitwise_count(bf16(root) ^ bf16(child)).mean()
    match = index_of(sketch_bf16(root)).query(sketch_bf16(child))[0]
    assert match.bit_distance == pytest.approx(true, abs=0.5)


@pytest.mark.parametrize(("base_rows", "rows"), [(2048, 2056), (2056, 2048), (1024, 1536), (1536, 1024)])
def test_a_resized_vocabulary_finds_its_base(base_rows, rows):
    longest = normal((max(base_rows, rows), 64), 0)
    child = tuned(longest, 0.002, 1)[:rows]
    index = index_of(sketch_bf16(normal((rows, 64), 5)), sketch_bf16(longest[:base_rows]))
    match = index.query(sketch_bf16(child))[0]
    assert match.key == 1
    assert match.overlap == min(1, base_rows / rows)
    assert match.bit_distance < 2
    whole = index_of(sketch_bf16(longest[:rows])).query(sketch_bf16(child))[0]
    assert match.predicted_ratio <= whole.predicted_ratio * 1.1


def test_too_few_common_rows_are_no_candidates():
    weights = normal((4096, 16), 0)
    assert index_of(sketch_bf16(weights[:64])).query(sketch_bf16(weights)) == []


def test_rank_three_and_flat_tensors():
    cube = normal((64, 16, 9), 0)
    flat = normal((70_000,), 1)
    index = index_of(sketch_bf16(cube), sketch_bf16(flat))
    assert [match.key for match in index.query(sketch_bf16(tuned(cube, 0.01, 2)))] == [0]
    assert [match.key for match in index.query(sketch_bf16(tuned(flat, 0.01, 2)))] == [1]
    # The trailing dimensions count as one row: a reshaped copy is the same bytes in the same order.
    assert index.query(sketch_bf16(cube.reshape(64, 144)))[0].bit_distance == 0


def test_width_and_row_length_separate():
    data = bf16(normal((256, 256), 0)).tobytes()
    index = index_of(sketch_of(data, TensorSpec("w", DType.BF16, (256, 256))))
    assert index.query(sketch_of(data, TensorSpec("w", DType.F32, (256, 128)))) == []
    assert index.query(sketch_of(data, TensorSpec("w", DType.BF16, (512, 128)))) == []
    assert len(index.query(sketch_of(data, TensorSpec("w", DType.F16, (256, 256))))) == 1


def test_nan_payloads_are_bits_like_others():
    words = bf16(normal((128, 128), 0)) | np.uint16(0x7F80)
    other = words ^ np.uint16(1)
    spec = TensorSpec("w", DType.BF16, words.shape)
    match = index_of(sketch_of(words.tobytes(), spec)).query(sketch_of(other.tobytes(), spec))[0]
    assert match.bit_distance == 1
    assert match.predicted_ratio > 3


def test_empty_tensors_are_left_out():
    empty = sketch_of(b"", TensorSpec("w", DType.BF16, (0, 8)))
    index = index_of(empty)
    assert len(index) == 0
    index.add(1, sketch_bf16(normal((8, 8), 0)))
    assert index.query(empty) == []


def test_every_sketch_is_found_across_blocks():
    """Growth over several blocks of two row counts loses nothing and mixes nothing up."""
    chance = np.random.default_rng(0)
    sketches = [Sketch(1, 2, 512 + key % 2, 64, chance.bytes(512)) for key in range(150)]
    index = index_of(*sketches)
    assert len(index) == 150
    assert index.nbytes > 0
    for key, sketch in enumerate(sketches):
        best = index.query(sketch, limit=1)[0]
        assert (best.key, best.bit_distance) == (key, 0)


def test_the_shortlist_by_signature_loses_nothing_near():
    """Two stages against comparing all, beyond the size where the first stage starts to cut."""
    chance = np.random.default_rng(3)
    roots = [normal((1, 256), seed)[0] for seed in range(30)]
    index, queries = SketchIndex(), []
    for number in range(30 * 50):
        root = roots[number % 30]
        values = bf16(tuned(root, float(10 ** chance.uniform(-4, -1)), number)).tobytes()
        index.add(number, Sketch(1, 2, 4096, 4096, values))
        queries.append(Sketch(1, 2, 4096, 4096, values))
    assert len(index) > COARSE_KEEP
    for number in range(0, 1500, 50):
        near = index.query(queries[number], limit=8)
        assert near == index.query(queries[number], limit=8, is_exhaustive=True)
        assert near[0].key == number
        assert {match.key % 30 for match in near} == {number % 30}


def test_hostile_geometries_answer():
    """Any sketch that parses may be added and asked about."""
    values = bytes(range(256)) * 2
    shapes = [(1, 1, 1), (8, 1, 1), (1, (1 << 63) - 1, 1), (1, 1, (1 << 63) - 1), (2, 1 << 31, 1 << 31)]
    for width, nrows, row_nelems in shapes:
        sketch = Sketch(1, width, nrows, row_nelems, values)
        assert index_of(sketch).query(sketch)[0].bit_distance == 0
