"""Names for people, and who reads what is new."""

from __future__ import annotations

import pytest

from tensorhub.errors import InvalidNameError
from tensorhub.hub.access import Visibility
from tensorhub.hub.namespaces import NamespaceInfo, Namespaces
from tensorhub.store.state import State


def test_put(state: State) -> None:
    """Nothing decided: its own name, and public; what is set stays when something else is set, in any spelling."""
    namespaces = Namespaces(state)
    assert namespaces.info("Team") == NamespaceInfo("Team", "Team", Visibility.PUBLIC)
    assert not state.is_made
    namespaces.put("Team", visibility=Visibility.PRIVATE)
    assert namespaces.info("team") == NamespaceInfo("Team", "Team", Visibility.PRIVATE)
    made = namespaces.put("TEAM", full_name="The Team")
    assert made == namespaces.info("team") == NamespaceInfo("Team", "The Team", Visibility.PRIVATE)
    assert Namespaces(State(state.path)).info("Team") == made


def test_names_are_checked(state: State) -> None:
    """A name that no namespace can have is refused."""
    with pytest.raises(InvalidNameError):
        Namespaces(state).put("a/b", full_name="x")
