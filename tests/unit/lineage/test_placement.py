"""Where samples lie."""

from __future__ import annotations

import numpy as np
import pytest

from tensorhub.lineage.placement import NO_POSITION, reference_positions, sample_positions, shared_sample_mask


def test_positions_of_the_format_page():
    """The example of docs/format.md, section 11."""
    assert reference_positions(2048, 256, 256)[:4] == [388_864, 264_961, 131_074, 108_803]
    assert reference_positions(5, 3, 4) == [6, 7, 13, 8]
    assert reference_positions(1000, 1, 4) == [569, 754, 512, 425]


@pytest.mark.parametrize("element_width", [1, 2, 4, 8])
def test_positions_lie_inside(element_width):
    positions = sample_positions(17, 33, element_width)
    assert len(positions) == 512 // element_width
    assert positions.max() < 17 * 33
    assert not positions.flags.writeable


def test_columns_are_spread_over_the_row():
    columns = sample_positions(1000, 512, 2) % np.uint64(512)
    assert (columns // np.uint64(2)).tolist() == list(range(256))


@pytest.mark.parametrize("geometry", [(0, 4), (4, 0), (0, 0)])
def test_an_empty_tensor_has_no_positions(geometry):
    assert set(sample_positions(*geometry, 4).tolist()) == {NO_POSITION}
    assert not shared_sample_mask(geometry[0], *geometry, 4).any()


@pytest.mark.parametrize(("fewer", "more"), [(2048, 2056), (1000, 1500), (32_000, 32_256)])
def test_resizing_keeps_samples_in_proportion(fewer, more):
    kept = (sample_positions(fewer, 256, 2) == sample_positions(more, 256, 2)).mean()
    assert abs(kept - fewer / more) < 0.1
    assert (shared_sample_mask(fewer, more, 256, 2) == shared_sample_mask(more, fewer, 256, 2)).all()


def test_a_huge_tensor_is_placed_at_once():
    assert sample_positions(1 << 40, 3, 8).max() > 1 << 38
