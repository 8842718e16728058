"""What reaches a terminal is safe; what reaches a program is exact."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tensorhub.cli import output
from tensorhub.cli.options import CommonOptions
from tensorhub.errors import InvariantError, TensorHubError


def test_control_characters_are_written_as_escapes() -> None:
    """A file name cannot colour, move or clear a terminal."""
    assert output.make_printable("a\x1b[31mb\nc\x07") == "a\\x1b[31mb\\nc\\x07"
    assert output.make_printable("\udc80") == "\\udc80"
    assert output.make_printable("模型 é [bold]") == "模型 é [bold]"


def test_lines_and_tables_are_not_cut_when_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    """A long name stays whole, and its brackets are not taken for markup."""
    name = "[red]" + "x" * 300
    output.print_line(name)
    output.print_table(("a", "b"), [("1", name), ("22", "y")], right=(0,))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == name
    assert lines[2] == f" 1  {name}"


def test_json_is_utf8(capfd: pytest.CaptureFixture[str]) -> None:
    """Names keep their letters; what is no text becomes an escape."""
    output.write_json({"name": "模型\udc80"})
    assert json.loads(capfd.readouterr().out)["name"].startswith("模型")


def test_notices_are_told_once_and_not_without_end(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Equal notices are one; many are cut; --quiet and --json tell none."""
    output.print_notices(["same", "same"], CommonOptions(tmp_path, False, False))
    assert capsys.readouterr().err == "note: same\n"
    output.print_notices([str(number) for number in range(50)], CommonOptions(tmp_path, False, False))
    assert "and 30 more notices" in capsys.readouterr().err
    output.print_notices(["same"], CommonOptions(tmp_path, True, False))
    output.print_notices(["same"], CommonOptions(tmp_path, False, True))
    assert capsys.readouterr().err == ""


def test_an_error_has_four_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """Which thing, what was expected, what was found, what to do."""
    error = TensorHubError("pack 12ab", expected="a footer", found="nothing", action="Run verify.", path="/p")
    error.add_note("2 were done")
    output.print_error(error)
    text = capsys.readouterr().err
    for part in (
        "error: pack 12ab",
        "expected  a footer",
        "found  nothing",
        "path  /p",
        "do  Run verify.",
        "2 were done",
    ):
        assert part in text


def test_a_bug_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken rule of our own is reported with where it happened."""
    try:
        raise InvariantError("a rule")
    except InvariantError as error:
        output.print_error(error)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "is_yes"), [("y\n", True), ("Yes\n", True), ("\n", False), ("", False), ("no\n", False)]
)
def test_only_yes_is_yes(
    answer: str, is_yes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question is on stderr, and anything but yes is no."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    assert output.confirm("Remove?") is is_yes
    assert capsys.readouterr() == ("", "Remove? [y/N] ")
