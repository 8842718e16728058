"""The only door to the compiled core.

Duty: re-export the kernels of ``_core`` with their types. Not its duty: any logic.
Invariants: every function here takes buffers, releases the GIL for the work, and holds no state.
"""

from tensorhub._native._core import (
    byte_statistics,
    error_class_names,
    merge_nonzero,
    merge_planes,
    merge_planes_xor,
    move_sign_down,
    move_sign_up,
    sketch_features,
    sketch_nearest,
    sketch_positions,
    sketch_signature,
    split_nonzero,
    split_planes,
    xor_bytes,
    xor_popcount,
    xor_split_planes,
)

__all__ = [
    "byte_statistics",
    "error_class_names",
    "merge_nonzero",
    "merge_planes",
    "merge_planes_xor",
    "move_sign_down",
    "move_sign_up",
    "sketch_features",
    "sketch_nearest",
    "sketch_positions",
    "sketch_signature",
    "split_nonzero",
    "split_planes",
    "xor_bytes",
    "xor_popcount",
    "xor_split_planes",
]
