"""A damaged state is damage: never "nobody decided anything", and never another decision."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from tensorhub.errors import CorruptStateError
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State, read_setting, write_setting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the file of a state with some settings."""
    state = State(tmp_path / "state.sqlite")
    with state.write() as connection:
        for number in range(50):
            write_setting(connection, f"key {number}", f"value {number}" * 20)
    state.close()
    return state.path


def read_all(path: Path) -> None:
    """Read every table, and check what no query read."""
    state = State(path)
    try:
        with state.read() as connection:
            for table in schema.metadata.tables.values():
                connection.execute(select(table)).all()
            for number in range(50):
                assert read_setting(connection, f"key {number}") is not None
        state.check()
    finally:
        state.close()


@pytest.mark.parametrize("kept", [0, 1, 100, 4096, 5000, 0.5, 0.9])
def test_cut_off(path: Path, kept: float) -> None:
    """A file that was cut off, down to nothing, is damaged; so it is for a writer and for a backup."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept) if isinstance(kept, float) else kept])
    with pytest.raises(CorruptStateError) as caught:
        read_all(path)
    assert "backup" in str(caught.value)
    state = State(path)
    with pytest.raises(CorruptStateError), state.write() as connection:
        write_setting(connection, "a", "1")
    with pytest.raises(CorruptStateError):
        state.backup(path.with_name("copy"))
    state.close()
    assert not path.with_name("copy").exists()


def test_overwritten_pages(path: Path) -> None:
    """Garbage in a page of a table is damage, not a shorter table."""
    data = bytearray(path.read_bytes())
    rng = random.Random(1)
    for page in range(len(data) // 4096):
        damaged = bytearray(data)
        damaged[page * 4096 : page * 4096 + 4096] = rng.randbytes(4096)
        path.write_bytes(damaged)
        try:
            read_all(path)
        except CorruptStateError:
            continue
        pytest.fail(f"page {page} was read")


def test_a_lost_table(path: Path) -> None:
    """A table that the file once had does not come back empty."""
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE membership")
    connection.close()
    with pytest.raises(CorruptStateError, match="membership"):
        read_all(path)


def test_only_side_files(path: Path) -> None:
    """Somebody who removed the file alone is told; a new state beside an old log would take over its rows."""
    path.with_name("state.sqlite-wal").write_bytes(b"rows")
    path.unlink()
    with pytest.raises(CorruptStateError):
        read_all(path)
    with pytest.raises(CorruptStateError), State(path).write():
        pass


def test_not_ours(path: Path) -> None:
    """Another program's SQLite file in its place is refused."""
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE meta (key, value)")
    connection.close()
    with pytest.raises(CorruptStateError):
        read_all(path)
