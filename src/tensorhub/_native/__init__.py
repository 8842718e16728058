"""The only door to the compiled core.

Duty: re-export the kernels of ``_core`` with their types. Not its duty: any logic.
Invariants: every function here takes buffers, releases the GIL for the work, and holds no state.
"""
