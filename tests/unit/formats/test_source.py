"""Sources give exactly the bytes asked for, or a clear error."""

from pathlib import Path

import pytest

from tensorhub.errors import NotFoundError, SourceChangedError
from tensorhub.formats.source import FileSource, MemorySource


def test_memory() -> None:
    """Any part can be read; more than there is cannot."""
    source = MemorySource(bytearray(b"hello"), "greeting")
    out = bytearray(3)
    source.read_into(1, out)
    assert (bytes(out), source.nbytes, source.name) == (b"ell", 5, "greeting")
    with pytest.raises(SourceChangedError):
        source.read_into(3, out)


def test_file(tmp_path: Path) -> None:
    """The size is that at opening; a file that shrank is an error."""
    path = tmp_path / "f"
    path.write_bytes(b"hello")
    with FileSource(path) as source:
        out = bytearray(5)
        source.read_into(0, out)
        assert (bytes(out), source.nbytes) == (b"hello", 5)
        path.write_bytes(b"he")
        with pytest.raises(SourceChangedError):
            source.read_into(0, out)
    with pytest.raises(NotFoundError):
        FileSource(tmp_path / "missing")
