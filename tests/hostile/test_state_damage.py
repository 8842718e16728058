"""A damaged state is damage: never "nobody decided anything", and never another decision."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import select

from tensorhub.errors import CorruptStateError, UnsupportedVersionError
from tensorhub.hub.access import Role
from tensorhub.hub.accounts import Accounts
from tensorhub.hub.repositories import Repositories
from tensorhub.schema.names import parse_repository
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


def decisions(path: Path) -> object:
    """Give everything that was decided, as the hub reads it."""
    state = State(path)
    try:
        accounts, repositories = Accounts(state), Repositories(state)
        return (
            accounts.users(),
            accounts.organizations(),
            accounts.tokens.list(),
            dict(repositories.rows()),
            repositories.follow(parse_repository("ada/former")),
        )
    finally:
        state.close()


def test_flipped_bits(tmp_path: Path) -> None:
    """One flipped bit anywhere: the same decisions as before, or damage; nothing else, and never fewer of them."""
    state = State(tmp_path / "state.sqlite")
    accounts, repositories = Accounts(state), Repositories(state)
    accounts.create_user("ada", is_admin=True)
    for number in range(10):
        accounts.create_user(f"user{number}", namespaces={"team": Role.READ})
        accounts.tokens.create(f"user{number}", name="x")
        repositories.put(parse_repository(f"ada/model{number}"), owner="ada")
    repositories.rename(parse_repository("ada/model1"), parse_repository("ada/former"))
    repositories.rename(parse_repository("ada/former"), parse_repository("ada/now"))
    state.close()
    data = state.path.read_bytes()
    expected = decisions(state.path)
    used = [index for index, byte in enumerate(data) if byte]
    rng = random.Random(7)
    noticed = 0
    for index in [*range(0, 100, 3), *rng.sample(used, 80)]:
        flipped = bytearray(data)
        flipped[index] ^= 1 << rng.randrange(8)
        for suffix in ("-wal", "-shm"):
            state.path.with_name(state.path.name + suffix).unlink(missing_ok=True)
        state.path.write_bytes(flipped)
        try:
            found = decisions(state.path)
        except (CorruptStateError, UnsupportedVersionError):
            noticed += 1
        else:
            assert found == expected, f"byte {index}"
    assert noticed > 20
