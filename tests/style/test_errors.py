"""The error tree is complete, drawn, documented, and survives pickling."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from tensorhub import errors
from tensorhub.errors import TensorHubError

ROOT = Path(__file__).resolve().parents[2]
CLASSES = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TensorHubError)),
    key=lambda kind: kind.__name__,
)
BRANCHES = [kind for kind in CLASSES if TensorHubError in kind.__bases__]


def by_name(kind: type) -> str:
    return kind.__name__


def test_exit_codes_are_unique_per_branch() -> None:
    """No two branches share an exit code, and none takes one that means something else."""
    codes = [kind.exit_code for kind in BRANCHES]
    assert len(set(codes)) == len(codes), sorted((kind.exit_code, kind.__name__) for kind in BRANCHES)
    for kind in BRANCHES:
        assert 1 < kind.exit_code < 100, "100 to 127 are kept for warnings, above are signals"


@pytest.mark.parametrize("kind", CLASSES, ids=by_name)
def test_class_keeps_its_branch(kind: type[TensorHubError]) -> None:
    """A class below a branch has the exit code of the branch and a status of HTTP's errors."""
    for branch in BRANCHES:
        if issubclass(kind, branch):
            assert kind.exit_code == branch.exit_code
    assert 400 <= kind.http_status < 600


@pytest.mark.parametrize("kind", CLASSES, ids=by_name)
def test_class_is_drawn(kind: type[TensorHubError]) -> None:
    """The drawing at the top of the module names every class; a branch with its codes."""
    drawing = errors.__doc__ or ""
    lines = [line for line in drawing.splitlines() if re.search(rf"\b{kind.__name__}\b", line)]
    assert lines, f"{kind.__name__} is missing in the drawing"
    if kind in BRANCHES:
        assert f"exit {kind.exit_code} " in lines[0]
        assert f"HTTP {kind.http_status}" in lines[0]


def test_drawing_has_nothing_else() -> None:
    """Every class that is drawn exists."""
    drawn = set(re.findall(r"\b[A-Z]\w+Error\b", errors.__doc__ or "")) - {"ValueError", "LookupError"}
    assert drawn == {kind.__name__ for kind in CLASSES}


@pytest.mark.parametrize("kind", CLASSES, ids=by_name)
def test_class_is_documented(kind: type[TensorHubError]) -> None:
    """docs/errors.md has a row or a section for every class, with its branch's exit code."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    if kind in BRANCHES or kind is TensorHubError:
        section = re.search(rf"^## {kind.__name__}\n\n(.*)", page, re.M)
        assert section, f"docs/errors.md has no section {kind.__name__}"
        assert section.group(1).startswith(f"Exit {kind.exit_code}")
    else:
        assert re.search(rf"^\| `{kind.__name__}` \| .+ \| .+ \|$", page, re.M), kind.__name__


@pytest.mark.parametrize("kind", CLASSES, ids=by_name)
def test_message_has_four_parts(kind: type[TensorHubError]) -> None:
    """Text is built from the fields, in order."""
    assert str(kind("a thing", expected="this", found="that", action="Do so.")) == (
        "a thing: expected this, found that. Do so."
    )
    assert str(kind("a thing")) == "a thing"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, errors.OutOfSpaceError),
        (errno.EDQUOT, errors.OutOfSpaceError),
        (errno.EACCES, errors.BackendPermissionError),
        (errno.EROFS, errors.BackendPermissionError),
        (errno.ENOENT, errors.NotFoundError),
        (errno.EIO, errors.BackendError),
    ],
)
def test_system_errors_are_translated(number: int, kind: type[TensorHubError]) -> None:
    """An error of the system becomes the class that says what to do, and keeps its path."""
    error = errors.from_os_error(OSError(number, "reason", "/some/path"), "doing it")
    assert type(error) is kind
    assert (error.thing, error.found, error.path) == ("doing it", "reason", "/some/path")
