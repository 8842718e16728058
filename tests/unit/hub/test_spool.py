"""Spools: memory first, then a file without a name."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tensorhub.errors import OutOfSpaceError, SourceChangedError
from tensorhub.hub.spool import Spool, SpoolMemory


@pytest.mark.parametrize(("limit", "shared"), [(0, 100), (10, 100), (1000, 100), (1000, 7), (1000, 0)])
def test_ranges(tmp_path: Path, limit: int, shared: int) -> None:
    """What was written can be read wherever it lies, and memory is given back."""
    memory = SpoolMemory(shared)
    spool = Spool(tmp_path / "tmp", limit, memory)
    for piece in (b"abc", b"defgh", b"", b"ijklm"):
        spool.write(piece)
    assert memory.nbytes <= min(limit, shared)
    out = bytearray(4)
    spool.source("x", 2, 9).read_into(3, out)
    assert (bytes(out), spool.nbytes) == (b"fghi", 13)
    for offset in (6, 100):
        with pytest.raises(SourceChangedError):
            spool.source("x", 2, 9).read_into(offset, out)
    with pytest.raises(SourceChangedError):
        spool.read_into(10, out)
    assert not tmp_path.joinpath("tmp").exists() or not list(tmp_path.joinpath("tmp").iterdir())
    spool.close()
    spool.close()
    assert memory.nbytes == 0


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is told as such."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tensorhub.hub.spool.tempfile.TemporaryFile", refuse)
    with pytest.raises(OutOfSpaceError):
        Spool(tmp_path, 1).write(b"abc")
