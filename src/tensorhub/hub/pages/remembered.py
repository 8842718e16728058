"""Answers that take long, kept and renewed beside the requests.

Duty: give the last answer at once, and have a newer one worked out in a thread. Not its duty: what is asked.
Invariants: of one question at most one answer is worked out at a time, and of all questions one after the other,
so that a crowd of readers costs one processor at most; at most :data:`MAX_ANSWERS` are kept. Safe for many threads.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLongError
from dataclasses import dataclass
from typing import Any, TypeVar

from tensorhub.errors import TensorHubError

_LOG = logging.getLogger("tensorhub.hub")
MAX_ANSWERS = 128  # of totals for different readers, each some kilobytes
_REST_SHARE = 20  # working answers out takes at most about a twentieth of one processor's time

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Kept:
    value: Any = None
    has_value: bool = False
    renewed_at_s: float = 0.0
    took_s: float = 0.0
    pending: Future[None] | None = None


class Remembered:
    """Keeps answers; close it at the end.

    Parameters
    ----------
    now_s
        Clock, monotonic.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._is_closed = False
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="hub-page")

    def close(self) -> None:
        """Finish what is being worked out, and nothing more; what is asked afterwards is answered by what is there."""
        with self._lock:
            self._is_closed = True
        self._worker.shutdown(cancel_futures=True)

    def ask(
        self,
        key: Hashable,
        work_out: Callable[[], Answer],
        *,
        max_age_s: float,
        wait_s: float = 0.0,
        rest_share: float = _REST_SHARE,
    ) -> Answer | None:
        """Give an answer.

        Parameters
        ----------
        key
            Names the question.
        work_out
            Works the answer out; in another thread.
        max_age_s
            An older answer is renewed; later where working it out takes long.
        wait_s
            How long to wait where there is no answer at all.
        rest_share
            How many times longer than working it out took the answer is kept at least.

        Returns
        -------
        The last answer; None while there is none.
        """
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > MAX_ANSWERS:
                self._kept.popitem(last=False)
            age_s = self._now_s() - kept.renewed_at_s
            is_due = kept.renewed_at_s == 0.0 or age_s >= max(max_age_s, rest_share * kept.took_s)
            if kept.pending is None and is_due and not self._is_closed:
                kept.pending = self._worker.submit(self._renew, kept, work_out)
            pending, has_value = kept.pending, kept.has_value
        if not has_value and pending is not None and wait_s > 0:
            try:
                pending.result(wait_s)
            except TookTooLongError:
                return None
        return kept.value  # type: ignore[no-any-return]

    def _renew(self, kept: _Kept, work_out: Callable[[], Any]) -> None:
        began_s = self._now_s()
        value, has_value = None, False
        try:
            value, has_value = work_out(), True
        except TensorHubError as error:  # damage, or a store that is busy: the page goes on with what it has
            _LOG.warning("working out a part of the page: %s", error)
        finally:
            with self._lock:  # whoever asked for this has noted it as pending by then
                if has_value:
                    kept.value, kept.has_value = value, True
                kept.renewed_at_s = self._now_s()
                kept.took_s = kept.renewed_at_s - began_s
                kept.pending = None
