"""The only door to the compiled core.

Duty: re-export the kernels of ``_core`` with their types. Not its duty: any logic.
Invariants: every function here takes buffers, releases the GIL for the work, and holds no state.
"""

from tensorhub._native._core import (
    sketch_features,
    sketch_nearest,
    sketch_positions,
    sketch_signature,
)

__all__ = [
    "sketch_features",
    "sketch_nearest",
    "sketch_positions",
    "sketch_signature",
]
