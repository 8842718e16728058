"""Conformance suites for people who extend TensorHub.

Duty: export pytest-style classes that an author subclasses to prove an extension keeps its contract.
Not its duty: TensorHub's own unit tests; those live beside the sources.
Invariant: a suite tests the written contract of an interface and nothing else.
"""

from tensorhub.testing.codec_suite import PredictorSuite, ResidualCodecSuite

__all__ = ["PredictorSuite", "ResidualCodecSuite"]
