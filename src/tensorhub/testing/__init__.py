"""Conformance suites for authors of extensions: subclass one, name your part, run pytest.

Duty: ship the whole expected behaviour of codecs, predictors and formats as test classes.
Not its duty: fixtures of TensorHub's own tests. Needs pytest; nothing in the store imports this room.
"""
