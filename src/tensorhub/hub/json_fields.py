"""Fields of JSON bodies, checked as they are read.

Duty: text, lists and choices out of a parsed object. Not its duty: what they mean.
Invariants: what is given has the type that is said; a wrong one is told with its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorhub.errors import InvalidRequestError

MAX_TEXT = 65_536  # characters of any one text


def read_text(body: Mapping[str, Any], name: str) -> str:
    """Give a text that must be there.

    Raises
    ------
    InvalidRequestError
        It is not, or is something else.
    """
    value = read_optional_text(body, name)
    if not value:
        raise _refuse(name, "a text", "none")
    return value


def read_optional_text(body: Mapping[str, Any], name: str) -> str | None:
    """Give a text; None where it is absent.

    Raises
    ------
    InvalidRequestError
        It is something else, or too long.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _refuse(name, "a text", type(value).__name__)
    if len(value) > MAX_TEXT:
        raise _refuse(name, f"a text of at most {MAX_TEXT} characters", str(len(value)))
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refuse(name, "a text in UTF-8", "half a surrogate pair") from error
    return value


def read_choice(body: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    """Give one of several texts; None where it is absent.

    Raises
    ------
    InvalidRequestError
        It is something else.
    """
    value = read_optional_text(body, name)
    if value is not None and value not in choices:
        raise _refuse(name, " or ".join(choices), repr(value)[:60])
    return value


def read_objects(body: Mapping[str, Any], name: str, max_items: int) -> list[Mapping[str, Any]]:
    """Give a list of objects that must be there.

    Raises
    ------
    InvalidRequestError
        It is something else, or too long.
    """
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _refuse(name, "a list of objects", type(value).__name__)
    if len(value) > max_items:
        raise _refuse(name, f"at most {max_items} items", str(len(value)))
    return value


def read_nbytes(body: Mapping[str, Any], name: str) -> int:
    """Give a size in bytes that must be there.

    Raises
    ------
    InvalidRequestError
        It is something else.
    """
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1 << 50:
        raise _refuse(name, "a size in bytes", repr(value)[:60])
    return value


def _refuse(name: str, expected: str, found: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"field {name!r} of the request",
        expected=expected,
        found=found,
        action="Send what clients send.",
    )
