"""Sketches and base choice: which stored tensor this one resembles, and whether it is worth leaning on.

Duty: sketches, their index, predicted sizes, the pure choice of a base.
Not its duty: reading tensors or coding them.
"""
