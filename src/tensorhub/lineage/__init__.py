"""Sketches and base choice: which stored tensor does this one resemble, and is it worth leaning on?

Duty: sketches, their index, predicted sizes, the pure choice of a base.
Not its duty: reading tensors or coding them.
"""
