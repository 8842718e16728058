"""Patterns of ``.gitignore`` and ``.gitattributes``, as git matches them.

Duty: parse patterns, match paths, fold ignore rules. Not its duty: what attributes mean (``revision_view``).
Invariants: matching takes time in proportion to pattern and path at most, whatever the pattern is, because patterns
come from users and regular expressions can be made to take years; what git would not understand matches nothing.
References: gitignore(5), gitattributes(5), git's ``wildmatch.c``.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MAX_PATTERN = 512  # characters; the longest paths that systems take have parts of 255
MAX_PATTERNS = 1000  # in one file; what comes later is not looked at
MAX_DEPTH = 32  # folders of a path that rules are tried on; each costs as much as the path itself

_Test = Callable[[str], bool]
_ANY_RUN = None  # in a compiled part: a star; in a compiled path: two of them
_CLASSES = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, range(32))) + "\x7f",
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": string.whitespace,
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}


def _match_run(tests: Sequence[_Test | None], items: Sequence[str]) -> bool:
    """Match items one by one, where None stands for any run of them: only the last such run is ever tried longer."""
    at, item = 0, 0
    run_at, run_item = -1, 0
    while item < len(items):
        test = tests[at] if at < len(tests) else None
        if at < len(tests) and test is None:
            run_at, run_item = at, item
            at += 1
        elif test is not None and test(items[item]):
            at += 1
            item += 1
        elif run_at >= 0:
            run_item += 1
            at, item = run_at + 1, run_item
        else:
            return False
    return all(test is None for test in tests[at:])


def _is(character: str) -> _Test:
    return lambda found: found == character


def _is_any(_: str) -> bool:
    return True


def _parse_class(text: str, at: int) -> tuple[_Test, int] | None:
    """Parse ``[...]`` from its second character on; gives the test and where it ends, None where it never does."""
    is_negated = text[at : at + 1] in ("!", "^") and at < len(text)
    at += is_negated
    ranges: list[tuple[str, str]] = []
    sets: list[str] = []
    first = at
    while at < len(text) and (text[at] != "]" or at == first):
        if text.startswith("[:", at):
            end = text.find(":]", at)
            if end < 0 or text[at + 2 : end] not in _CLASSES:
                return None
            sets.append(_CLASSES[text[at + 2 : end]])
            at = end + 2
            continue
        at += text[at] == "\\"
        low = text[at : at + 1]
        at += 1
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("", "]"):
            at += 1
            at += text[at] == "\\"
            ranges.append((low, text[at : at + 1]))
            at += 1
        else:
            ranges.append((low, low))
    if at >= len(text):
        return None

    def test(found: str) -> bool:
        is_in = any(low <= found <= high for low, high in ranges) or any(found in item for item in sets)
        return is_in is not is_negated

    return test, at + 1


def _compile_part(text: str) -> _Test | None:
    """Compile a pattern of one part of a path; None where git would not understand it."""
    plain = not any(character in "*?[\\" for character in text)
    if plain:
        return _is(text)
    if text[0] == "*" and len(text) > 1 and not any(character in "*?[\\" for character in text[1:]):
        ending = text[1:]
        return lambda part: part.endswith(ending)
    tests: list[_Test | None] = []
    at = 0
    while at < len(text):
        character = text[at]
        at += 1
        if character == "*":
            if not tests or tests[-1] is not None:
                tests.append(None)
        elif character == "?":
            tests.append(_is_any)
        elif character == "[":
            found = _parse_class(text, at)
            if found is None:
                return None
            test, at = found
            tests.append(test)
        elif character == "\\":
            if at >= len(text):
                return None
            tests.append(_is(text[at]))
            at += 1
        else:
            tests.append(_is(character))
    return lambda part: _match_run(tests, part)


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One pattern.

    Attributes
    ----------
    parts
        Tests of the parts of a path, None for any number of parts.
    only_name
        Whether the last part of a path is all that is looked at.
    only_folders
        Whether it is about folders.
    """

    parts: tuple[_Test | None, ...]
    only_name: bool
    only_folders: bool

    def matches(self, parts: Sequence[str], *, is_folder: bool = False) -> bool:
        """Say whether a path, given as its parts, is one that the pattern is about."""
        if self.only_folders and not is_folder:
            return False
        return _match_run(self.parts, parts[-1:] if self.only_name else parts)


def parse_pattern(text: str) -> PathPattern | None:
    """Parse a pattern without its ``!``; None where it matches nothing.

    Parameters
    ----------
    text
        Such as ``*.bin``, ``/build/``, ``a/**/b``.
    """
    only_folders = text.endswith("/")
    text = text.removesuffix("/")
    if not text or len(text) > MAX_PATTERN:
        return None
    only_name = "/" not in text
    pieces = text.removeprefix("/").split("/")
    parts: list[_Test | None] = []
    for number, piece in enumerate(pieces):
        if piece == "**" and not only_name:
            is_last = number == len(pieces) - 1
            if is_last:
                parts.append(_is_any)  # all that is in the folder, and not the folder itself
            if not parts or parts[-1] is not None or is_last:
                parts.append(None)
            continue
        test = _compile_part(piece) if piece else None
        if test is None:
            return None
        parts.append(test)
    return PathPattern(tuple(parts), only_name, only_folders)


class IgnoreRules:
    """The rules of a ``.gitignore`` file.

    Parameters
    ----------
    text
        The file's content; later lines win.
    """

    def __init__(self, text: str) -> None:
        self._rules: list[tuple[PathPattern, bool]] = []
        for line in text.splitlines()[:MAX_PATTERNS]:
            stripped = line.rstrip(" ")
            if stripped.endswith("\\") and len(stripped) < len(line):
                stripped += " "  # an escaped space at the end is meant
            is_negated = stripped.startswith("!")
            pattern = None if stripped.startswith("#") else parse_pattern(stripped[is_negated:])
            if pattern is not None:
                self._rules.append((pattern, not is_negated))

    def ignores(self, path: str) -> bool:
        """Say whether a file is left out: itself, or a folder that it lies in."""
        parts = path.split("/")
        folders = range(1, min(len(parts), MAX_DEPTH))
        return self._verdict(parts, is_folder=False) or any(
            self._verdict(parts[:depth], is_folder=True) for depth in folders
        )

    def _verdict(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        for pattern, is_ignored in reversed(self._rules):
            if pattern.matches(parts, is_folder=is_folder):
                return is_ignored
        return False
