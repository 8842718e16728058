"""Scratch memory that each thread keeps, so that coding a chunk touches no fresh pages.

Duty: lend a buffer by purpose and size. Not its duty: results; what is lent is overwritten by the next loan.
Invariants: a loan is valid until the same thread asks for the same purpose again; one purpose per function,
so that two loans alive at once never share memory. Fresh pages cost three times a copy on common servers.
"""

from __future__ import annotations

import threading

# What a thread keeps per purpose: the largest chunk (schema.records.MAX_CHUNK_NBYTES), nothing longer.
_KEPT_NBYTES = 4 << 20


class _ThreadBuffers(threading.local):
    def __init__(self) -> None:
        self.by_purpose: dict[str, bytearray] = {}


_BUFFERS = _ThreadBuffers()


def lend_scratch(purpose: str, nbytes: int) -> memoryview:
    """Lend this thread's buffer of one purpose.

    Parameters
    ----------
    purpose
        Who uses it for what; a literal of the calling module.
    nbytes
        Bytes needed; never a number from coded bytes.

    Returns
    -------
    memoryview, shape (nbytes,), uint8, writable
        Holds old content. Valid until this thread asks for the same purpose again.
    """
    buffer = _BUFFERS.by_purpose.get(purpose)
    if buffer is None or len(buffer) < nbytes:
        # Doubling: a run of growing chunks does not allocate each time.
        buffer = bytearray(max(nbytes, min(2 * nbytes, _KEPT_NBYTES)))
        if len(buffer) <= _KEPT_NBYTES:
            _BUFFERS.by_purpose[purpose] = buffer
    return memoryview(buffer)[:nbytes]
