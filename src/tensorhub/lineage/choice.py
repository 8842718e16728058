"""Base choice: which candidates deserve a trial, and which base, if any, wins.

Duty: decide from values. Not its duty: finding candidates (``index``), coding trials, knowing the store.
Invariants: pure and deterministic (no clock, no chance, no input or output; checked by the import rule);
a hint orders and breaks exact ties, it never makes a worse base win; the order of the arguments does not
change the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tensorhub.lineage.match import Match

# A prediction from 256 samples is off by 3 % on average and 8 % at the 95th percentile (record
# lineage-calibration.json): candidates within this fraction of the best predicted size may be the best.
SHORTLIST_TOLERANCE = 0.08
FULL_SAMPLES = 256  # the tolerance is for so many samples; with fewer it grows as the error of a mean does
# Trials per tensor. On a real family, with trials that code everything, 2 give 0.989 hits, 3 give 0.992, 4 give
# 0.995, 6 give 0.998 (record lineage-hits.json, by_shortlist_limit).
SHORTLIST_LIMIT = 4

MIN_SAVING = 0.02  # a delta leans on another blob (reads, repair, gc); that is not worth less than 2 %
MIN_SAVED_NBYTES = 64  # a source reference takes about 40 bytes in the record and 8 per chunk

SMALL_CANDIDATES = 16  # tensors below 64 KiB: all of them are compared bit by bit, the nearest few are tried

# Two pieces of 32 KiB hold 128 times the samples of a sketch: candidates 1 % apart are told apart.
TRIAL_PIECE_NBYTES = 32 << 10


@dataclass(frozen=True, slots=True)
class Trial:
    """What a candidate made of real bytes.

    Attributes
    ----------
    key
        The candidate.
    coded_nbytes
        Coded size of the trial's bytes as a delta against it.
    is_hinted
        Whether metadata names it as a base.
    """

    key: int
    coded_nbytes: int
    is_hinted: bool = False


@dataclass(frozen=True, slots=True)
class SmallCandidate:
    """A kept tensor of the same type and shape as a small one, which has no sketch.

    Attributes
    ----------
    key
        The candidate; later tensors have larger keys.
    is_hinted
        Whether it belongs to a repository that metadata names as a base.
    """

    key: int
    is_hinted: bool = False


def shortlist(
    matches: Sequence[Match],
    standalone_ratio: float,
    *,
    limit: int = SHORTLIST_LIMIT,
    hinted: Collection[int] = (),
) -> list[Match]:
    """Pick the candidates that deserve a trial on real bytes.

    Parameters
    ----------
    matches
        From the index, in any order.
    standalone_ratio
        Ratio without a base as ``predict_standalone_ratio`` gives it, so that the recipe's bias cancels.
    limit
        Most trials, at least 1.
    hinted
        Keys that metadata names; they go before others that are as good within the sampling error.

    Returns
    -------
    list of Match
        The best predicted first, then hinted ones, then by falling predicted ratio. Empty where even the best
        is not predicted to beat ``standalone_ratio``.
    """
    if not matches:
        return []
    ranked = sorted(matches, key=lambda match: (-match.predicted_ratio, match.bit_distance, match.key))
    best = ranked[0]

    worth = [
        match
        for match in ranked
        if match.predicted_ratio * (1.0 + _tolerance(match)) >= best.predicted_ratio
        # Both predictions come from the same samples, so most of their error cancels: of 540 tensors with a
        # base on a real family, the closest call was predicted 1.03 times better than standalone (record
        # lineage-hits.json, closest_prediction_of_a_delta). Only the
        # error beyond that of full samples is allowed for.
        and match.predicted_ratio * (1.0 + _tolerance(match) - SHORTLIST_TOLERANCE) >= standalone_ratio
    ]
    rest = sorted(worth[1:], key=lambda match: match.key not in hinted)
    return (worth[:1] + rest)[:limit]


def _tolerance(match: Match) -> float:
    shortage: float = max(1.0, FULL_SAMPLES / match.nsamples) ** 0.5
    return SHORTLIST_TOLERANCE * shortage


def choose_base(standalone_nbytes: int, trials: Sequence[Trial]) -> int | None:
    """Choose the base, or none.

    Parameters
    ----------
    standalone_nbytes
        Coded size of the same bytes without a base.
    trials
        At most one per candidate, in any order.

    Returns
    -------
    int or None
        Key of the smallest trial; of equal ones a hinted one, then the smallest key. None unless it saves at
        least ``MIN_SAVING`` of the standalone size and ``MIN_SAVED_NBYTES``.
    """
    if not trials:
        return None
    best = min(trials, key=lambda trial: (trial.coded_nbytes, not trial.is_hinted, trial.key))
    saved = standalone_nbytes - best.coded_nbytes
    return best.key if saved >= max(MIN_SAVED_NBYTES, MIN_SAVING * standalone_nbytes) else None


def order_small_candidates(
    candidates: Sequence[SmallCandidate], *, limit: int = SMALL_CANDIDATES
) -> list[SmallCandidate]:
    """Order and cap the candidates of a tensor that is too small for a sketch.

    Parameters
    ----------
    candidates
        Kept tensors of the same type and shape, in any order.
    limit
        Longest answer.

    Returns
    -------
    list of SmallCandidate
        Hinted ones, then the rest; the newest first in each.
    """
    ordered = sorted(
        candidates,
        key=lambda candidate: (not candidate.is_hinted, -candidate.key),
    )
    return ordered[:limit]


def plan_trial_pieces(nbytes: int, element_width: int) -> list[tuple[int, int]]:
    """Say which runs of a tensor a trial compares: all of a small one, else one in each half.

    Parameters
    ----------
    nbytes
        Size of the tensor.
    element_width
        Bytes per element.

    Returns
    -------
    list of (offset, nbytes)
        Offsets and lengths are multiples of the element width, but for the whole tensor.
    """
    if nbytes <= 2 * TRIAL_PIECE_NBYTES:
        return [(0, nbytes)]
    length = TRIAL_PIECE_NBYTES // element_width * element_width
    slack = nbytes - 2 * length
    starts = [slack // 4, length + slack * 3 // 4]
    return [(start // element_width * element_width, length) for start in starts]
