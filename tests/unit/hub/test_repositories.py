"""Visibility, owners, and names that lead elsewhere."""

from __future__ import annotations

from sqlalchemy import func, insert, select

from tensorhub.hub.access import Gate, Visibility
from tensorhub.hub.repositories import Repositories
from tensorhub.schema.names import parse_repository
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State

A, B, C = (parse_repository(f"me/{name}") for name in "abc")
DATASET = parse_repository("me/a", "dataset")


def test_put(state: State, clock) -> None:
    """The first put makes a private row; later ones change what they name; other types are other repositories."""
    repositories = Repositories(state, clock)
    assert repositories.row(A) is None
    made = repositories.put(A, owner="Me", sdk="gradio")
    assert (made.visibility, made.gate, made.owner) == (Visibility.PRIVATE, Gate.NO, "me")
    assert made.created_at_ms == int(clock.now_s * 1000)
    clock.now_s += 1
    changed = repositories.put(parse_repository("ME/A"), visibility=Visibility.PUBLIC, gate=Gate.MANUAL)
    assert changed == repositories.row(A)
    assert changed.repository == A
    assert (changed.owner, changed.sdk, changed.created_at_ms) == ("me", "gradio", made.created_at_ms)
    assert repositories.row(DATASET) is None
    assert list(repositories.rows()) == [A.key]
    other = Repositories(State(state.path))
    assert other.row(A) == changed


def test_rename(state: State) -> None:
    """Old names lead to the newest one, over several steps; a name that is taken again does not."""
    repositories = Repositories(state)
    repositories.put(A, visibility=Visibility.PUBLIC)
    with state.write() as connection:
        values = {"repo_type": "model", "repo_key": "me/a", "num": 1, "title": "t", "description": ""}
        values |= {"author": "me", "created_at_ms": 0, "base": "main", "status": "open"}
        connection.execute(insert(schema.pull_request), values)
    repositories.rename(A, B)
    repositories.rename(B, C)
    assert repositories.follow(A) == repositories.follow(B) == C
    assert repositories.follow(C) is None
    assert repositories.follow(DATASET) is None
    row = repositories.row(C)
    assert row is not None
    assert row.visibility is Visibility.PUBLIC
    assert row.repository == C
    assert repositories.row(A) is None
    with state.read() as connection:
        assert connection.execute(select(schema.pull_request.c.repo_key)).scalars().all() == ["me/c"]
    repositories.put(B)
    assert repositories.follow(B) is None
    assert repositories.follow(A) == B


def test_back_and_forth(state: State) -> None:
    """Renaming back, or only the spelling, makes no circle."""
    repositories = Repositories(state)
    repositories.put(A)
    repositories.rename(A, B)
    repositories.rename(B, A)
    assert repositories.follow(A) is None
    assert repositories.follow(B) == A
    shouted = parse_repository("me/A")
    repositories.rename(A, shouted)
    assert repositories.follow(shouted) is None
    row = repositories.row(A)
    assert row is not None
    assert row.repository.repo_id == "me/A"


def test_rename_over_what_is_left(state: State) -> None:
    """A name that a removed repository left does not open the one that gets it."""
    repositories = Repositories(state)
    repositories.put(B, visibility=Visibility.PUBLIC)
    repositories.rename(A, B)
    assert repositories.row(B) is None
    assert repositories.follow(A) == B


def test_forget(state: State) -> None:
    """A repository that is no more leaves no row, and no name leads to it."""
    repositories = Repositories(state)
    repositories.put(A)
    repositories.rename(A, B)
    repositories.forget(B)
    assert repositories.row(B) is None
    assert repositories.follow(A) is None
    with state.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.rename)).scalar_one() == 0
