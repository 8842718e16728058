"""Answers that take long are given at once, and renewed beside."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tensorhub.errors import NotFoundError
from tensorhub.hub.pages.remembered import MAX_ANSWERS, Remembered


class Clock:
    """Seconds, as the test says."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remembered(clock: Clock) -> Iterator[Remembered]:
    made = Remembered(clock)
    yield made
    made.close()


def test_an_answer_is_kept_until_it_is_old(remembered: Remembered, clock: Clock) -> None:
    """The first reader waits, the next gets the same; an old one is given while a new one is worked out."""
    answers = iter(range(10))
    assert remembered.ask("q", lambda: next(answers), max_age_s=5, wait_s=5) == 0
    clock.now_s += 4
    assert remembered.ask("q", lambda: next(answers), max_age_s=5, wait_s=5) == 0
    clock.now_s += 4
    done = threading.Event()
    assert remembered.ask("q", lambda: (next(answers), done.set())[0], max_age_s=5) == 0
    assert done.wait(5)
    remembered.ask("other", lambda: 0, max_age_s=5, wait_s=5)  # after it: one is worked out after the other
    assert remembered.ask("q", lambda: next(answers), max_age_s=5) == 1


def test_nobody_waits_longer_than_told(remembered: Remembered) -> None:
    """While the first answer is worked out there is none."""
    go = threading.Event()
    assert remembered.ask("q", lambda: go.wait(10), max_age_s=5) is None
    assert remembered.ask("q", lambda: go.wait(10), max_age_s=5, wait_s=0.01) is None
    go.set()
    assert remembered.ask("q", lambda: False, max_age_s=5, wait_s=5) is True


def test_slow_answers_are_renewed_seldom(remembered: Remembered, clock: Clock) -> None:
    """Working them out takes a twentieth of the time at most."""

    def slow() -> float:
        clock.now_s += 10
        return clock.now_s

    assert remembered.ask("q", slow, max_age_s=1, wait_s=5) == 110
    clock.now_s += 150
    assert remembered.ask("q", slow, max_age_s=1, wait_s=5) == 110
    assert clock.now_s == 260


def test_failure_keeps_the_last_answer(remembered: Remembered, clock: Clock) -> None:
    """What fails is asked again later."""

    def fail() -> int:
        raise NotFoundError("it")

    assert remembered.ask("q", fail, max_age_s=5, wait_s=5) is None
    clock.now_s += 10
    assert remembered.ask("q", lambda: 7, max_age_s=5, wait_s=5) == 7


def test_few_are_kept(remembered: Remembered) -> None:
    """The ones asked for last."""
    for number in range(MAX_ANSWERS + 10):
        assert remembered.ask(number, lambda number=number: number, max_age_s=5, wait_s=5) == number
    assert len(remembered._kept) == MAX_ANSWERS


def test_closed(remembered: Remembered, clock: Clock) -> None:
    """The last answer is given, and no new one is worked out."""
    assert remembered.ask("q", lambda: 1, max_age_s=5, wait_s=5) == 1
    remembered.close()
    clock.now_s += 100
    assert remembered.ask("q", lambda: 2, max_age_s=5, wait_s=5) == 1
    assert remembered.ask("other", lambda: 2, max_age_s=5, wait_s=5) is None
