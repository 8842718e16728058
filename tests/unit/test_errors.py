"""The error tree: codes, messages, pickling, and the picture at its top."""

from __future__ import annotations

import errno
import pickle

import pytest

from tensorhub import errors
from tensorhub.errors import TensorHubError, from_os_error


def descendants(cls: type[TensorHubError]) -> list[type[TensorHubError]]:
    return [cls, *(item for child in cls.__subclasses__() for item in descendants(child))]


TREE = descendants(TensorHubError)
BRANCHES = TensorHubError.__subclasses__()


def test_the_picture_is_the_tree() -> None:
    """Every class is drawn at the top of the module, under its branch, and nothing else is."""
    lines = [line.split()[1:2] for line in (errors.__doc__ or "").splitlines() if "──" in line]
    drawn = [
        "TensorHubError",
        *(
            word
            for line in (errors.__doc__ or "").splitlines()
            if "──" in line
            for word in [line.split("── ")[1].split()[0]]
        ),
    ]
    assert len(lines) == len(drawn) - 1
    assert sorted(drawn) == sorted(cls.__name__ for cls in TREE)


def test_exit_codes() -> None:
    """Branches have codes of their own; classes have their branch's."""
    assert len({cls.exit_code for cls in BRANCHES}) == len(BRANCHES)
    assert all(cls.exit_code not in (0, 1) and not 100 <= cls.exit_code <= 127 for cls in BRANCHES)
    for branch in BRANCHES:
        assert {cls.exit_code for cls in descendants(branch)} == {branch.exit_code}
        for cls in descendants(branch):
            line = next(
                line for line in (errors.__doc__ or "").splitlines() if f"── {cls.__name__} " in line + " "
            )
            if "HTTP" in line:
                assert f"HTTP {cls.http_status}" in line
            else:
                assert cls.http_status == branch.http_status
            assert cls.default_retryable is ("retryable" in line)


@pytest.mark.parametrize("cls", TREE)
def test_pickling(cls: type[TensorHubError]) -> None:
    """Every class survives a process border with all its fields."""
    made = cls(
        "thing",
        expected="e",
        found="f",
        action="Do it.",
        digest="d",
        pack="p",
        path="/x",
        offset=7,
        retryable=True,
    )
    found = pickle.loads(pickle.dumps(made))
    assert type(found) is cls
    assert found.to_dict() == made.to_dict()
    assert str(found) == "thing: expected e, found f. Do it."
    assert found.to_dict()["error"] == cls.__name__


def test_messages() -> None:
    """A message has the parts that are known."""
    assert str(TensorHubError("thing")) == "thing"
    assert str(TensorHubError("thing", found="x")) == "thing: found x"
    assert str(TensorHubError("thing", action="Do it.")) == "thing. Do it."
    assert TensorHubError("thing").to_dict(with_class=False)["offset"] is None


@pytest.mark.parametrize(
    ("number", "cls"),
    [
        (errno.ENOSPC, errors.OutOfSpaceError),
        (errno.EDQUOT, errors.OutOfSpaceError),
        (errno.EACCES, errors.BackendPermissionError),
        (errno.EROFS, errors.BackendPermissionError),
        (errno.ENOENT, errors.NotFoundError),
        (errno.ENOTDIR, errors.NotFoundError),
        (errno.EIO, errors.BackendError),
    ],
)
def test_system_errors(number: int, cls: type[TensorHubError]) -> None:
    """What the system says becomes a class that says what to do."""
    found = from_os_error(OSError(number, "why", "/x"), "doing")
    assert type(found) is cls
    assert (found.thing, found.found, found.path) == ("doing", "why", "/x")
    assert found.action
