"""What every format must keep to, as tests.

Duty: a pytest class that a format's author subclasses.
Not its duty: whether the format finds the right tensors.
Invariants checked: segments cover the file in order; no content makes a parse raise; equal content gives
equal answers; parsing leaves the source alone.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence

from tensorhub.formats.base import Format, ParsedFile, find_cover_fault
from tensorhub.formats.source import MemorySource

_SEED = 20  # any fixed number: a failure must come again
_MAX_TRUNCATIONS = 300  # every length of a small example; a spread over a large one
_N_BIT_FLIPS = 300
_N_GARBAGE = 200
_MAX_GARBAGE_NBYTES = 512


class FormatSuite(ABC):
    """Tests of the contract of :class:`tensorhub.formats.base.Format`.

    Subclass it under a name that starts with ``Test`` and give :meth:`make_format` and :meth:`examples`.
    """

    @abstractmethod
    def make_format(self) -> Format:
        """Make the format under test."""

    @abstractmethod
    def examples(self) -> Sequence[tuple[str, bytes]]:
        """Give files of the format: path and content; small, and at least one with a tensor."""

    def parse(self, path: str, content: bytes) -> ParsedFile | None:
        """Parse and check what must hold for any answer."""
        before = bytes(content)
        parsed = self.make_format().parse(path, MemorySource(content))
        assert content == before, "a parse must not change the source"
        if parsed is not None:
            fault = find_cover_fault(parsed.segments, len(content))
            assert fault is None, fault
            assert all(isinstance(notice, str) for notice in parsed.notices)
        return parsed

    def test_name(self) -> None:
        """A format has a name."""
        name = self.make_format().name
        assert name
        assert name != "bytes"

    def test_examples_are_recognised(self) -> None:
        """The format takes its own examples, and finds a tensor in at least one."""
        parsed = [self.parse(path, content) for path, content in self.examples()]
        assert all(file is not None and file.format_name == self.make_format().name for file in parsed)
        assert any(segment.tensor for file in parsed if file for segment in file.segments)

    def test_equal_answers(self) -> None:
        """The same content gives the same answer, from the same object and from another."""
        for path, content in self.examples():
            one = self.make_format()
            answers = [one.parse(path, MemorySource(content)) for _ in range(2)]
            answers.append(self.make_format().parse(path, MemorySource(bytearray(content))))
            assert answers[0] == answers[1] == answers[2]

    def test_truncations(self) -> None:
        """A file cut short anywhere is still covered, and never raises."""
        for path, content in self.examples():
            step = max(1, len(content) // _MAX_TRUNCATIONS)
            for length in range(0, len(content), step):
                self.parse(path, content[:length])

    def test_bit_flips(self) -> None:
        """A file with a bit flipped is still covered, and never raises."""
        generator = random.Random(_SEED)
        for path, content in self.examples():
            for _ in range(_N_BIT_FLIPS if content else 0):
                damaged = bytearray(content)
                damaged[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
                self.parse(path, bytes(damaged))

    def test_garbage(self) -> None:
        """Random bytes under the format's own paths are covered, and never raise."""
        generator = random.Random(_SEED)
        for path, content in self.examples():
            for _ in range(_N_GARBAGE):
                garbage = generator.randbytes(generator.randrange(_MAX_GARBAGE_NBYTES))
                self.parse(path, garbage)
                self.parse(path, content[: generator.randrange(len(content) + 1)] + garbage)

    def test_empty_file(self) -> None:
        """An empty file is no trouble."""
        for path, _ in self.examples():
            self.parse(path, b"")
