"""Errors become messages and codes in one place, before and after parsing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

import tensorhub as th
from tensorhub import errors
from tensorhub.cli import stats
from tensorhub.cli.app import EXIT_INTERRUPTED, reflow


def test_options_before_and_after(run, store_path: Path, tmp_path: Path) -> None:
    """Shared options work on both sides; after the command wins."""
    assert len(run("--json", "ls").json()) == 3
    assert run("--store", tmp_path / "nothing", "ls").code == 10
    assert run("--store", tmp_path / "nothing", "ls", "--store", store_path).code == 0
    assert run("--store", store_path, "ls", "--json").json() == run("ls", "--json").json()


def test_version(run) -> None:
    """--version prints it and leaves."""
    assert run("--version") == type(run("--version"))(0, f"tensorhub {th.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("ls", "--nonsense"), ("cat", "only-one"), ("cat", "a/b", "c", "--offset", "x")],
)
def test_usage_errors(arguments: tuple[str, ...], run, store_path: Path) -> None:
    """The parser's errors have code 2, and are JSON with --json."""
    outcome = run(*arguments)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr
    outcome = run(*arguments, "--json")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.error()["exit_code"] == 2


def test_no_command_shows_help(run) -> None:
    """Without a command a person sees what there is."""
    outcome = run()
    assert outcome.code in (0, 2)
    assert "Usage" in outcome.stdout + outcome.stderr


CASES = [
    (errors.RepositoryNotFoundError("repository 'a/b'"), 10),
    (errors.StoreLockedError("store"), 11),
    (errors.UnsupportedVersionError("store"), 12),
    (errors.CorruptPackError("pack"), 13),
    (errors.OutOfSpaceError("store"), 14),
    (errors.InvariantError("a rule"), 70),
    (OSError(errno.ENOSPC, "No space left on device"), 14),
    (KeyboardInterrupt(), EXIT_INTERRUPTED),
    (RuntimeError("nobody foresaw this"), 70),
]


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda case: type(case).__name__)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_exit_codes(
    error: BaseException,
    code: int,
    options: tuple[str, ...],
    run,
    store_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever a call raises ends with the code of its branch, and with nothing on stdout."""

    def fail(store: th.Store) -> th.Stats:
        raise error

    monkeypatch.setattr(stats.th, "stats", fail)
    outcome = run("stats", *options)
    assert (outcome.code, outcome.stdout) == (code, "")
    if options and code != EXIT_INTERRUPTED:
        assert outcome.error()["exit_code"] == code


def test_reflow() -> None:
    """Paragraphs stay, lines inside them join."""
    assert reflow("One\n    two.\n\n    Three\n    four.\n    ") == "One two.\n\nThree four."
