"""The bar is there for a person, and for nobody else."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tensorhub.cli.options import CommonOptions
from tensorhub.cli.progress import Watcher


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def watch(options: CommonOptions) -> Watcher:
    with Watcher(options) as watcher:
        watcher.begin("reading [x]", 1_000_000)
        watcher.advance(500_000)
        watcher.begin("writing", None)
        watcher.advance(10)
        watcher.notice("a link was followed")
        watcher.end()
        watcher.advance(1)
    return watcher


def test_bar_is_drawn_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece of work replaces the one before; notices are kept for later."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    watcher = watch(CommonOptions(Path(), is_json=False, is_quiet=False))
    assert "reading [x]" in terminal.getvalue()
    assert watcher.notices == ["a link was followed"]


@pytest.mark.parametrize(("is_json", "is_quiet"), [(True, False), (False, True)])
def test_nothing_is_drawn_when_not_wanted(
    is_json: bool, is_quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--json and --quiet draw nothing, also on a terminal."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    watcher = watch(CommonOptions(Path(), is_json, is_quiet))
    assert terminal.getvalue() == ""
    assert watcher.notices == ["a link was followed"]


def test_nothing_is_drawn_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """A log stays free of bars."""
    watch(CommonOptions(Path(), is_json=False, is_quiet=False))
    assert capsys.readouterr() == ("", "")
