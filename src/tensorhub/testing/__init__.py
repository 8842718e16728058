"""Conformance suites for people who extend TensorHub.

Duty: export pytest-style classes that an author subclasses to prove that a codec, predictor or format keeps
its contract. Not its duty: TensorHub's own unit tests; those live in ``tests``.
Invariant: a suite tests the written contract of an interface and nothing else.
"""

from tensorhub.testing.codec_suite import PredictorSuite, ResidualCodecSuite
from tensorhub.testing.format_suite import FormatSuite

__all__ = ["FormatSuite", "PredictorSuite", "ResidualCodecSuite"]
