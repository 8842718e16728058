"""Bytes of segments that stay in memory between the two passes over them, so that they are read once.

Duty: lend chunk buffers, within a budget for large segments, and take them back. Not its duty: deciding what is read.
Invariants: what is lent is bounded by the budget plus what callers insist on; a buffer that came back is lent again,
because fresh pages cost as much as reading a file a second time. Safe to use from many threads.
"""

from __future__ import annotations

import threading

from tensorhub.schema.records import CHUNK_NBYTES

# One tensor of 64 MiB in coding and one in digesting; a second read of a byte cost 0.2 s per GB (stages of record
# throughput.json). Part of the 512 MiB that adding may take (record memory.json).
BUDGET_NBYTES = 128 << 20
# Below this size a buffer of its own costs less than it would waste of a whole chunk.
POOLED_NBYTES = CHUNK_NBYTES // 4


class KeptBytes:
    """Lends buffers for the chunks of segments.

    Parameters
    ----------
    budget_nbytes
        How much may be lent to those who can do without; None for ``BUDGET_NBYTES``.
    """

    def __init__(self, budget_nbytes: int | None = None) -> None:
        self._budget = BUDGET_NBYTES if budget_nbytes is None else budget_nbytes
        self._lock = threading.Lock()
        self._free: list[bytearray] = []
        self._lent_nbytes = 0

    def take(self, nbytes: int, *, must: bool) -> memoryview | None:
        """Lend a buffer.

        Parameters
        ----------
        nbytes
            Its length, at most ``CHUNK_NBYTES``.
        must
            Lend it whatever the budget says: the caller bounds what it asks for by itself.

        Returns
        -------
        memoryview or None
            Writable, with old content; None where the budget is spent.
        """
        with self._lock:
            if not must and self._lent_nbytes + CHUNK_NBYTES > self._budget:
                return None
            if nbytes < POOLED_NBYTES:
                return memoryview(bytearray(nbytes))
            self._lent_nbytes += CHUNK_NBYTES
            buffer = self._free.pop() if self._free else None
        return memoryview(buffer or bytearray(CHUNK_NBYTES))[:nbytes]

    def give(self, chunk: memoryview | None) -> None:
        """Take a buffer back; the caller must not use it any more."""
        if chunk is None or len(chunk) < POOLED_NBYTES:
            return
        buffer = chunk.obj
        if isinstance(buffer, bytearray):
            with self._lock:
                self._lent_nbytes -= CHUNK_NBYTES
                self._free.append(buffer)
