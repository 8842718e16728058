"""Who looks at a page, and what he may see.

Duty: one value that every view model takes. Not its duty: deciding; ``may_read`` comes from the hub's access rules.
Invariants: a repository that a reader may not see never appears by name: it is :data:`PRIVATE`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from tensorhub.schema.names import RepositoryId

PRIVATE = "private"  # what stands where the name of a hidden repository would


@dataclass(frozen=True, slots=True)
class Reader:
    """One who looks at a page.

    Attributes
    ----------
    name
        The user; None for somebody who gave no token.
    is_admin
        Whether he sees the state of the whole store.
    may_read
        Says of a repository whether he may see it.
    rights, rules
        What ``may_read`` depends on: rights are compared by value, the rules that everybody shares by identity. With
        rights of None nothing is kept that was made for the reader.
    """

    name: str | None
    is_admin: bool
    may_read: Callable[[RepositoryId], bool]
    rights: Hashable = None
    rules: object = None


OWNER = Reader("local", is_admin=True, may_read=lambda _: True)  # with no users, everybody is this one
