"""The state: made on first write, seen at once by everybody, copied and put back whole."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from tensorhub.errors import (
    AlreadyExistsError,
    BackendPermissionError,
    CorruptStateError,
    InvariantError,
    NotFoundError,
    UnsupportedVersionError,
)
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State, read_setting, write_setting

WRITER = """
import sys
from pathlib import Path
from tensorhub.store.state import State, read_setting, write_setting
state = State(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    with state.write() as connection:
        write_setting(connection, "count", str(int(read_setting(connection, "count") or "0") + 1))
state.close()
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Give a state that nobody wrote to."""
    made = State(tmp_path / "state.sqlite")
    yield made
    made.close()


def put(state: State, key: str, value: str | None) -> None:
    with state.write() as connection:
        write_setting(connection, key, value)


def get(state: State, key: str) -> str | None:
    with state.read() as connection:
        return read_setting(connection, key)


@pytest.mark.parametrize("name", sorted(schema.metadata.tables))
def test_table_is_documented(name: str) -> None:
    """The format page has every table."""
    page = (Path(__file__).resolve().parents[3] / "docs" / "format.md").read_text(encoding="utf-8")
    section = page[page.index("**`state.sqlite`**") : page.index("## 3 ")]
    assert f"`{name}`" in section
    is_sealed = "seal" in schema.metadata.tables[name].c
    sealed = section[section.index("Rows of ") : section.index("have a `seal`")]
    assert (f"`{name}`" in sealed) is is_sealed


def test_no_file_is_nothing_decided(state: State) -> None:
    """Reading gives no rows of any table, and makes no file; there is nothing to back up."""
    with state.read() as connection:
        for table in schema.metadata.tables.values():
            assert connection.execute(select(table)).all() == []
    assert not state.is_made
    assert list(state.path.parent.iterdir()) == []
    with pytest.raises(NotFoundError):
        state.backup(state.path.with_name("copy"))


def test_first_write_makes_it(state: State) -> None:
    """The first write makes the file, readable by its owner only; what is written stays."""
    put(state, "a", "1")
    assert state.is_made
    assert stat.S_IMODE(state.path.stat().st_mode) == 0o600
    state.close()
    assert [path.name for path in state.path.parent.iterdir()] == ["state.sqlite"]
    assert get(state, "a") == "1"
    put(state, "a", None)
    assert get(state, "a") is None


def test_an_error_undoes(state: State) -> None:
    """What raises inside a write leaves nothing."""
    put(state, "a", "1")
    with pytest.raises(ZeroDivisionError), state.write() as connection:
        write_setting(connection, "a", "2")
        raise ZeroDivisionError
    assert get(state, "a") == "1"


def test_a_write_inside_a_write_is_a_bug(state: State) -> None:
    """It is told at once, not after a minute of waiting; the outer one goes on."""
    with state.write() as connection:
        with pytest.raises(InvariantError), state.write():
            pass
        write_setting(connection, "a", "1")
    assert get(state, "a") == "1"


def test_changes_are_seen(state: State) -> None:
    """Any commit by anybody changes the number, and nothing else does; the first file and another file do, too."""
    empty = state.change()
    assert state.change() == empty
    other = State(state.path)
    put(other, "a", "1")
    first = state.change()
    assert first != empty
    put(other, "a", "2")
    second = state.change()
    assert second != first
    assert get(state, "a") == "2"
    assert state.change() == second
    other.close()
    state.path.rename(state.path.with_name("gone"))
    for suffix in ("-wal", "-shm"):
        state.path.with_name(f"state.sqlite{suffix}").unlink(missing_ok=True)
    assert get(state, "a") is None
    assert state.change() not in (empty, first, second)


def test_processes_and_threads_write(state: State) -> None:
    """Two processes that make the file and count in it, with threads beside them, lose no count."""
    command = [sys.executable, "-c", WRITER, str(state.path), "20"]
    processes = [
        subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}) for _ in "ab"
    ]

    def count() -> None:
        for _ in range(10):
            with state.write() as connection:
                write_setting(connection, "count", str(int(read_setting(connection, "count") or "0") + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert get(state, "count") == "80"


def test_backup_and_restore(state: State, tmp_path: Path) -> None:
    """A copy is one complete file, never replaces one, and brings back what was decided, also under a user."""
    put(state, "a", "1")
    copy = tmp_path / "copy"
    state.backup(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(AlreadyExistsError):
        state.backup(copy)
    other = State(state.path)
    put(other, "a", "2")
    before = state.change()
    other.restore(copy)
    assert state.change() != before
    assert get(state, "a") == get(other, "a") == "1"
    other.close()
    fresh = State(tmp_path / "elsewhere.sqlite")
    fresh.restore(copy)
    assert get(fresh, "a") == "1"
    fresh.close()
    assert not list(tmp_path.glob(".*"))


def test_restoring_what_is_no_copy(state: State, tmp_path: Path) -> None:
    """A missing, damaged or foreign file changes nothing."""
    put(state, "a", "1")
    with pytest.raises(NotFoundError):
        state.restore(tmp_path / "none")
    for content in (b"", b"not a database, certainly not" * 40):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(CorruptStateError):
            state.restore(tmp_path / "bad")
    assert get(state, "a") == "1"


def test_tables_that_came_later(state: State) -> None:
    """A file without a table that it never had gets it; one that names tables of a newer program keeps them."""
    put(state, "a", "1")
    names = " ".join(sorted({*schema.metadata.tables, "later"} - {"retained"}))
    with state.write() as connection:
        connection.execute(text("DROP TABLE retained"))
        connection.execute(text("CREATE TABLE later (key)"))
        connection.execute(text("UPDATE meta SET value = :names WHERE key = 'tables'"), {"names": names})
    state.close()
    with state.read() as connection:
        assert connection.execute(select(schema.retained)).all() == []
        kept = connection.execute(text("SELECT value FROM meta WHERE key = 'tables'")).scalar_one()
    assert set(kept.split()) == {*schema.metadata.tables, "later"}


def test_a_newer_version_is_refused(state: State) -> None:
    """The state of a newer program is not guessed at."""
    with state.write() as connection:
        connection.execute(text("UPDATE meta SET value = '2' WHERE key = 'version'"))
    state.close()
    with pytest.raises(UnsupportedVersionError):
        get(state, "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(state: State) -> None:
    """A store on a read-only mount can be read; a write says why it cannot be done."""
    put(state, "a", "1")
    state.close()
    state.path.parent.chmod(0o500)
    try:
        assert get(state, "a") == "1"
        with pytest.raises(BackendPermissionError):
            put(state, "a", "2")
    finally:
        state.close()
        state.path.parent.chmod(0o700)


def test_the_store_has_it(state: State, tmp_path: Path) -> None:
    """Opening a store makes no state."""
    from tensorhub import Store

    with Store.create(tmp_path / "hub") as store:
        assert not store.state.is_made
        put(store.state, "a", "1")
        with store.state.write() as connection:
            connection.execute(
                insert(schema.retained), {"file": b"\1" * 32, "holder": "test", "expires_at_ms": 1}
            )
    assert (tmp_path / "hub" / "state.sqlite").is_file()
