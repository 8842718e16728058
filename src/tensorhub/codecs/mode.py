"""Modes: what a store trades speed against size for.

Duty: the three names and what each promises. Not its duty: which codec a mode takes (``planner``).
Invariant: a mode only steers encoders; every chunk says by itself how it is decoded, so chunks of all modes
live together in one store.
"""

from __future__ import annotations

from enum import Enum

from tensorhub.errors import UsageError


class Mode(Enum):
    """How hard an encoder tries.

    ``FAST`` decodes at the speed of memory, ``BALANCED`` is the default, ``MAX`` always takes what is smallest.
    """

    FAST = "fast"
    BALANCED = "balanced"
    MAX = "max"


def parse_mode(name: str) -> Mode:
    """Turn a caller's word into a mode.

    Parameters
    ----------
    name
        ``"fast"``, ``"balanced"`` or ``"max"``.

    Returns
    -------
    Mode
        The mode of that name.

    Raises
    ------
    UsageError
        There is none of this name.
    """
    try:
        return Mode(name)
    except ValueError:
        raise UsageError(
            f"mode {name!r}",
            expected=f"one of {', '.join(mode.value for mode in Mode)}",
            found=name,
            action="Check the spelling.",
        ) from None
