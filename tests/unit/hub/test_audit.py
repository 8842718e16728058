"""The audit log: newest first, cut, and not for ever."""

from __future__ import annotations

from tensorhub.hub.audit import AuditLog
from tensorhub.store.state import State


def test_newest_first(state: State, clock) -> None:
    """Records come back, newest first, as many as asked, of whom asked."""
    log = AuditLog(state, clock)
    assert log.entries() == []
    for number in range(5):
        clock.now_s += 1
        log.record("repository.delete", f"me/{number}", user="Ada" if number % 2 else None, address="::1")
    assert [entry.subject for entry in log.entries(2)] == ["me/4", "me/3"]
    assert [entry.subject for entry in log.entries(user="ada")] == ["me/3", "me/1"]
    newest = log.entries(1)[0]
    assert (newest.at_ms, newest.user, newest.action, newest.detail, newest.address) == (
        int(clock.now_s * 1000),
        None,
        "repository.delete",
        "",
        "::1",
    )


def test_long_and_strange_texts(state: State) -> None:
    """A text from a request is cut, and is no reason to fail."""
    log = AuditLog(state)
    log.record("access.refused", "x" * 100_000, detail="\udcff \0 \x1b[31m")
    (entry,) = log.entries()
    assert len(entry.subject) == 1000
    assert "\\udcff" in entry.detail


def test_old_ones_go(state: State, clock) -> None:
    """What is older than kept, and what is too much, goes with one of the next records."""
    log = AuditLog(state, clock, kept_s=100, kept_rows=3)
    log.record("a", "old")
    clock.now_s += 101
    AuditLog(state, clock, kept_s=100, kept_rows=3).record("a", "1")
    assert [entry.subject for entry in log.entries()] == ["1"]
    for number in "2345":
        log.record("a", number)
    AuditLog(state, clock, kept_s=100, kept_rows=3).record("a", "6")
    assert [entry.subject for entry in log.entries()] == ["6", "5", "4"]
