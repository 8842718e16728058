"""The command as a process: exit codes, streams, pipes, start-up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.wide

COMMAND = [sys.executable, "-m", "tensorhub"]


def run_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], env={**os.environ, **environment}, capture_output=True, check=False
    )


def test_streams_and_codes(store_path: Path) -> None:
    """Results are on stdout, errors on stderr, the code is the process's."""
    done = run_process("ls", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads(done.stdout)) == 3
    done = run_process("show", "me/nothing", "--json")
    assert (done.returncode, done.stdout) == (10, b"")
    assert json.loads(done.stderr)["error"]["error"] == "RepositoryNotFoundError"
    assert run_process("show").returncode == 2


def test_results_do_not_depend_on_the_locale(store_path: Path) -> None:
    """A terminal without UTF-8 does not break the output."""
    done = run_process("stats", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    done = run_process("ls", "--json", LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error(store_path: Path) -> None:
    """`tensorhub … | head` ends quietly with the code of SIGPIPE."""
    for arguments in (
        ["cat", "local/base", "model.safetensors"],
        ["ls", "local/base", "--tensors"],
        ["ls", "--json"],
    ):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([*COMMAND, *arguments], stdout=write_end, stderr=subprocess.PIPE, check=False)
        os.close(write_end)
        assert (done.returncode, done.stderr) == (141, b""), arguments


def test_help_loads_no_server() -> None:
    """A person who asks for help does not wait for what only a hub needs."""
    code = (
        "import sys; from tensorhub.cli import main; main(['--help']); "
        "print(sorted({'starlette', 'uvicorn', 'jinja2', 'httpx', 'lz4'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


def test_completion_is_offered(tmp_path: Path) -> None:
    """The shell asks the program which commands there are."""
    done = run_process(_TENSORHUB_COMPLETE="complete_bash", COMP_WORDS="tensorhub ve", COMP_CWORD="1")
    assert b"verify" in done.stdout
