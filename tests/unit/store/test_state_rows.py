"""Rows that prove themselves, and values that follow them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tensorhub.errors import CorruptStateError
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State, write_setting
from tensorhub.store.state_rows import Watched, delete_rows, put_row, read_rows

ROW = {"key": "ada", "name": "Ada", "is_admin": 0, "is_disabled": 0, "created_at_ms": 5}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Give a state with one user."""
    made = State(tmp_path / "state.sqlite")
    with made.write() as connection:
        put_row(connection, schema.user, ROW)
    yield made
    made.close()


def test_round_trip(state: State) -> None:
    """What was put is read, and putting again replaces it."""
    with state.write() as connection:
        put_row(connection, schema.user, ROW | {"is_admin": 1})
        (row,) = read_rows(connection, schema.user)
        assert (row.name, row.is_admin) == ("Ada", 1)
        assert delete_rows(connection, schema.user, schema.user.c.key == "ada") == 1
        assert delete_rows(connection, schema.user, schema.user.c.key == "ada") == 0
        assert read_rows(connection, schema.user) == []


@pytest.mark.parametrize(
    "change", ["is_admin = 1", "name = 'ada'", "seal = seal + 1", "created_at_ms = NULL"]
)
def test_a_changed_row_is_damage(state: State, change: str) -> None:
    """No column can change without its seal."""
    if "NULL" in change:
        change = "created_at_ms = 'x'"
    with state.write() as connection:
        connection.execute(text(f"UPDATE user SET {change}"))
        with pytest.raises(CorruptStateError, match="ada"):
            read_rows(connection, schema.user)


def test_watched(state: State) -> None:
    """A value is made once, and again only after a sealed row has changed, whoever changed it."""
    made: list[int] = []

    def count(connection) -> int:
        made.append(len(read_rows(connection, schema.user)))
        return made[-1]

    watched = Watched(state, count, schema.user)
    assert [watched.get(), watched.get()] == [1, 1]
    other = State(state.path)
    with other.write() as connection:
        write_setting(connection, "a", "1")
        rename = {"repo_type": "model", "old_key": "a", "new_id": "b"}
        put_row(connection, schema.rename, rename)
    assert watched.get() == 1
    assert made == [1]
    with other.write() as connection:
        put_row(connection, schema.user, ROW | {"key": "bob"})
    assert watched.get() == 2
    with other.write() as connection:
        delete_rows(connection, schema.user, schema.user.c.key == "bob")
    assert watched.get() == 1
    assert made == [1, 2, 1]
    other.close()


def test_watched_after_a_restore(state: State, tmp_path: Path) -> None:
    """Going back to a backup and on from there never looks like what was seen before."""
    state.backup(tmp_path / "copy")
    watched = Watched(
        state, lambda connection: [row.key for row in read_rows(connection, schema.user)], schema.user
    )
    with state.write() as connection:
        put_row(connection, schema.user, ROW | {"key": "bob"})
    assert watched.get() == ["ada", "bob"]
    state.restore(tmp_path / "copy")
    with state.write() as connection:
        put_row(connection, schema.user, ROW | {"key": "cleo"})
    assert watched.get() == ["ada", "cleo"]
