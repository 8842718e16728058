"""Base choice is a pure function of values."""

from __future__ import annotations

import random

import pytest

from tensorhub.lineage.choice import (
    MIN_SAVED_NBYTES,
    TRIAL_PIECE_NBYTES,
    SmallCandidate,
    Trial,
    choose_base,
    order_small_candidates,
    plan_trial_pieces,
    shortlist,
)
from tensorhub.lineage.match import Match


def match(key: int, ratio: float, nsamples: int = 256) -> Match:
    return Match(key, 3.0, ratio, 1.0, nsamples)


def keys(matches: list[Match]) -> list[int]:
    return [item.key for item in matches]


def test_shortlist_keeps_what_may_be_best():
    matches = [match(1, 2.0), match(2, 1.95), match(3, 1.5), match(4, 1.9)]
    assert keys(shortlist(matches, 1.3)) == [1, 2, 4]
    assert keys(shortlist(matches, 1.3, limit=2)) == [1, 2]


def test_shortlist_is_wider_where_samples_are_few():
    assert keys(shortlist([match(1, 2.0), match(2, 1.8, nsamples=64)], 1.3)) == [1, 2]
    assert keys(shortlist([match(1, 2.0), match(2, 1.8)], 1.3)) == [1]


def test_shortlist_refuses_what_is_worse_than_nothing():
    assert shortlist([match(1, 1.0), match(2, 1.1)], 1.3) == []
    assert shortlist([match(1, 1.28)], 1.3) == []
    assert keys(shortlist([match(1, 1.28, nsamples=64)], 1.3)) == [1]
    assert keys(shortlist([match(1, 1.3)], 1.3)) == [1]
    assert shortlist([], 1.3) == []


def test_a_hint_orders_but_does_not_displace_the_best():
    matches = [match(1, 2.0), match(2, 1.95), match(3, 1.94), match(4, 1.2)]
    assert keys(shortlist(matches, 1.3, hinted={3, 4})) == [1, 3, 2]
    assert keys(shortlist(matches, 1.3, limit=1, hinted={3})) == [1]


def test_order_of_arguments_does_not_matter():
    matches = [match(key, 1.5 + key % 7 / 100) for key in range(40)]
    trials = [Trial(key, 1000 + key % 5, key % 2 == 0) for key in range(40)]
    small = [SmallCandidate(key, key % 2 == 0) for key in range(40)]
    expected = shortlist(matches, 1.3), choose_base(5000, trials), order_small_candidates(small)
    for seed in range(5):
        for values in (matches, trials, small):
            random.Random(seed).shuffle(values)
        assert (shortlist(matches, 1.3), choose_base(5000, trials), order_small_candidates(small)) == expected


@pytest.mark.parametrize(
    ("standalone", "trials", "chosen"),
    [
        (100_000, [], None),
        (100_000, [Trial(1, 60_000), Trial(2, 50_000)], 2),
        (100_000, [Trial(1, 98_001)], None),
        (100_000, [Trial(1, 98_000)], 1),
        (1000, [Trial(1, 1000 - MIN_SAVED_NBYTES + 1)], None),
        (1000, [Trial(1, 1000 - MIN_SAVED_NBYTES)], 1),
        (100_000, [Trial(1, 50_000), Trial(2, 50_001, is_hinted=True)], 1),
        (100_000, [Trial(1, 50_000), Trial(2, 50_000, is_hinted=True)], 2),
        (100_000, [Trial(2, 50_000), Trial(1, 50_000)], 1),
        (0, [Trial(1, 0)], None),
    ],
)
def test_choose_base(standalone, trials, chosen):
    assert choose_base(standalone, trials) == chosen


def test_small_candidates_by_hint_and_age():
    candidates = [
        SmallCandidate(1),
        SmallCandidate(2),
        SmallCandidate(3, is_hinted=True),
        SmallCandidate(0, is_hinted=True),
    ]
    assert [item.key for item in order_small_candidates(candidates)] == [3, 0, 2, 1]
    assert [item.key for item in order_small_candidates(candidates, limit=2)] == [3, 0]
    assert len(order_small_candidates([SmallCandidate(key) for key in range(99)])) == 16


@pytest.mark.parametrize("nelems", [1, 8, 4096, 8192, 8193, 16_384, 16_385, 1 << 20, 3 << 30])
@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_trial_pieces_lie_inside_and_do_not_overlap(nelems, width):
    nbytes = nelems * width
    pieces = plan_trial_pieces(nbytes, width)
    assert sum(length for _, length in pieces) == min(nbytes, 2 * TRIAL_PIECE_NBYTES)
    end = 0
    for offset, length in pieces:
        assert offset >= end
        assert offset % width == 0
        assert length > 0
        end = offset + length
    assert end <= nbytes
