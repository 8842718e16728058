"""Memos: what was computed of content that never changes, kept while there is room.

Duty: a bounded map, the least recently used leaves first. Not its duty: computing.
Invariants: safe for many threads; two of them may compute the same thing at once, and one result is kept; the weights
of what is kept stay within the limit, but for a single thing that is heavier.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """A bounded map from a name of content to what was computed of it.

    Parameters
    ----------
    max_weight
        Of everything kept together, in the unit that callers weigh in.
    """

    def __init__(self, max_weight: int) -> None:
        self._max_weight = max_weight
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def get(self, key: K, compute: Callable[[], tuple[V, int]]) -> V:
        """Give what is kept under a key; else compute and keep it.

        Parameters
        ----------
        key
            Names the content.
        compute
            Gives the value and its weight.
        """
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found[0]
        value, weight = compute()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = value, weight
                self._weight += weight
            while len(self._kept) > 1 and self._weight > self._max_weight:
                self._weight -= self._kept.popitem(last=False)[1][1]
        return value
