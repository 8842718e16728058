"""What was decided about namespaces: their names for people, and who reads what is new in them.

Duty: rows of ``namespace`` in the state. Not its duty: members (``accounts``); repositories that are there.
Invariants: a namespace without a row has no other name, and a new repository in it is public unless its maker says
otherwise, as clients expect it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import Connection

from tensorhub.hub.access import Visibility
from tensorhub.schema.names import parse_namespace
from tensorhub.store import state_schema as schema
from tensorhub.store.state import State
from tensorhub.store.state_rows import Watched, put_row, read_rows


@dataclass(frozen=True, slots=True)
class NamespaceInfo:
    """A namespace; ``visibility`` is that of new repositories whose makers do not say which."""

    name: str
    full_name: str
    visibility: Visibility


class Namespaces:
    """Rows about namespaces; safe for many threads.

    Parameters
    ----------
    state
        Where they lie.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._watched = Watched(state, _load, schema.namespace)

    def info(self, name: str) -> NamespaceInfo:
        """Give what holds for a namespace, decided or not; its full name is its name where it has no other."""
        found = self._watched.get().get(name.casefold())
        return found or NamespaceInfo(name, name, Visibility.PUBLIC)

    def put(
        self, name: str, *, full_name: str | None = None, visibility: Visibility | None = None
    ) -> NamespaceInfo:
        """Decide about a namespace; what is None stays as it was.

        Raises
        ------
        InvalidNameError
            The name breaks the rules.
        """
        key = parse_namespace(name).casefold()
        with self._state.write() as connection:
            before = _load(connection).get(key)
            row = NamespaceInfo(
                before.name if before else name,
                full_name if full_name is not None else (before.full_name if before else name),
                visibility or (before.visibility if before else Visibility.PUBLIC),
            )
            put_row(
                connection,
                schema.namespace,
                {
                    "key": key,
                    "name": row.name,
                    "full_name": row.full_name,
                    "visibility": row.visibility.value,
                },
            )
        return row


def _load(connection: Connection) -> Mapping[str, NamespaceInfo]:
    rows = read_rows(connection, schema.namespace)
    return MappingProxyType(
        {row.key: NamespaceInfo(row.name, row.full_name, Visibility(row.visibility)) for row in rows}
    )
