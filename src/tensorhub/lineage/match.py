"""What the sketch index answers: a kept tensor near the one asked about.

Duty: the value that passes from ``index`` to ``choice``. Not its duty: anything else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """A kept tensor near the one asked about.

    Attributes
    ----------
    key
        What the sketch was added under.
    bit_distance
        Differing bits per element, over the samples that both have.
    predicted_ratio
        Predicted ``nbytes / stored nbytes`` of the whole asked tensor as a delta against this one.
    overlap
        Fraction of the asked tensor's rows that this one has.
    nsamples
        Samples that both have; the standard error of ``bit_distance`` falls with its root.
    """

    key: int
    bit_distance: float
    predicted_ratio: float
    overlap: float
    nsamples: int
