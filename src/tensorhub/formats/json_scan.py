"""A bounded scanner for the JSON that model files carry.

Duty: read large flat JSON objects (safetensors headers, shard indexes) member by member.
Not its duty: what the members mean.
Invariants: memory is proportional to what is kept, never to how the text nests; time is linear in the text;
every failure is an ``InvalidHeaderError`` or ``LimitExceededError``. Stricter than ``json``: no NaN, no lone
surrogates, no bytes that are not UTF-8. Duplicate keys are seen one by one, in the order of the text.

A general JSON parser builds a tree that can take forty times the memory of a hostile text, and recurses as
deep as the text nests. Here only small values are given to it, within a stated window.
"""

from __future__ import annotations

import codecs
import json
import re

from tensorhub.errors import InvalidHeaderError, LimitExceededError

# A header of 100 MB, the limit of the reference reader of safetensors, has room for fewer members of any use.
MAX_MEMBERS = 1 << 21

SPACE = rb"[ \t\n\r]*+"
# Possessive, so that no text makes the match go back; what an escape means is checked when it is decoded.
STRING = rb'"([^"\\\x00-\x1f]*+(?:\\["\\/bfnrtu][^"\\\x00-\x1f]*+)*+)"'

_SPACE = re.compile(SPACE)
_STRING = re.compile(STRING)
_STRING_MEMBER = re.compile(SPACE + STRING + SPACE + b":" + SPACE + STRING + SPACE + b"([,}])")
_UTF8_STEP = 1 << 20  # bytes; a piece small enough that checking needs no memory worth counting
_WINDOWS = (256, 4096)  # bytes; nearly every small value ends within the first, so little is decoded twice


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


class JsonScanner:
    """Walks over JSON text from front to back.

    Parameters
    ----------
    data
        The text; borrowed.
    thing
        What it is, for error messages.

    Raises
    ------
    InvalidHeaderError
        The text is not UTF-8.
    """

    def __init__(self, data: bytes | bytearray, thing: str) -> None:
        self._data = data
        self._thing = thing
        self.position = 0
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            with memoryview(data) as view:
                for start in range(0, len(view), _UTF8_STEP):
                    decoder.decode(view[start : start + _UTF8_STEP])
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raise self.fail("UTF-8 text", error.reason) from error

    def fail(self, expected: str, found: str | None = None) -> InvalidHeaderError:
        """Make the error for the present position; the caller raises it."""
        if found is None:
            here = bytes(self._data[self.position : self.position + 20])
            found = repr(here) if here else "the end of the text"
        return InvalidHeaderError(self._thing, expected=expected, found=found, offset=self.position)

    def skip_space(self) -> None:
        """Go past white space."""
        match = _SPACE.match(self._data, self.position)
        if match is not None:
            self.position = match.end()

    def take(self, character: bytes) -> bool:
        """Go past white space, and past ``character`` if it is next; say whether it was."""
        self.skip_space()
        if not self._data.startswith(character, self.position):
            return False
        self.position += 1
        return True

    def expect(self, character: bytes) -> None:
        """Go past white space and ``character``, which must be next."""
        if not self.take(character):
            raise self.fail(character.decode("ascii"))

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Match a pattern here, and go past it where it matches."""
        match = pattern.match(self._data, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def string(self) -> str:
        """Read a string."""
        self.skip_space()
        match = self.match(_STRING)
        if match is None:
            raise self.fail("a string")
        return self.decode(match[1])

    def decode(self, literal: bytes) -> str:
        """Decode what stands between the quotes of a string.

        Raises
        ------
        InvalidHeaderError
            An escape is malformed, or is half of a surrogate pair.
        """
        try:
            if b"\\" not in literal:
                return literal.decode("utf-8")
            text: str = json.loads(b'"' + literal + b'"')
            text.encode("utf-8")
        except ValueError as error:
            raise self.fail("a string of Unicode text", f"{literal[:40]!r}") from error
        return text

    def string_map(self) -> dict[str, str]:
        """Read an object whose values are strings; the last of equal keys wins.

        Raises
        ------
        InvalidHeaderError
            The next value is anything else.
        LimitExceededError
            It has more than ``MAX_MEMBERS`` members.
        """
        self.expect(b"{")
        members: dict[str, str] = {}
        if self.take(b"}"):
            return members
        while True:
            match = self.match(_STRING_MEMBER)
            if match is None:
                raise self.fail("a member with a string value")
            members[self.decode(match[1])] = self.decode(match[2])
            if match[3] == b"}":
                return members
            if len(members) > MAX_MEMBERS:
                raise LimitExceededError(
                    self._thing, expected=f"at most {MAX_MEMBERS} members", found="more", offset=self.position
                )

    def small_value(self, max_nbytes: int) -> object:
        """Read any value that is not longer than ``max_nbytes`` bytes.

        Strings inside come out as Latin-1, one character for each byte: only what is plain ASCII in them
        may be used.

        Raises
        ------
        InvalidHeaderError
            The value is malformed, nests too deep, or does not end within ``max_nbytes``.
        """
        self.skip_space()
        fault: Exception | None = None
        for window in (*(size for size in _WINDOWS if size < max_nbytes), max_nbytes):
            text = self._data[self.position : self.position + window].decode("latin-1")
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError) as error:
                fault = error
                continue
            # A number that ends with the window may go on behind it.
            if end < len(text) or self.position + end == len(self._data):
                self.position += end
                return value
        raise self.fail(f"a JSON value of at most {max_nbytes} bytes", self.fail("").found) from fault

    def finish(self) -> None:
        """Check that only white space is left."""
        self.skip_space()
        if self.position != len(self._data):
            raise self.fail("the end of the text")
