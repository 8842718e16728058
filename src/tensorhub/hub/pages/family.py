"""Families: which repositories lean on which, as far as a reader may know.

Duty: members and leans for the drawing, of one repository or of all. Not its duty: geometry (``family_tree``), or
finding who leans on whom (``store.survey``).
Invariants: everything comes from a survey of what the reader may see, so that of a hidden repository nothing is told
but that a visible one leans on something outside: one 'private' member for each that does, so that two of them are not
told to be the same. That a hidden one has the same tensor is never told, since that would prove what it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tensorhub.hub.pages.family_tree import Families, Lean, Member, plan_families
from tensorhub.hub.pages.links import Links
from tensorhub.hub.pages.listing import RepositoryRow
from tensorhub.hub.pages.reader import PRIVATE
from tensorhub.schema.names import RepositoryId
from tensorhub.store.survey import Survey

REMOVED = "removed repository"  # what lies outside a survey of everything
_MIN_SHARE = 0.01  # of a child's bytes
_MAX_NEIGHBOURS = 60  # of each side on a repository's own drawing: the heaviest; the whole family has a page


@dataclass(frozen=True, slots=True)
class Relative:
    """A relative of a repository.

    Attributes
    ----------
    name, repository
        As the reader may know it; None to link to nothing.
    identical_nbytes, delta_nbytes, delta_stored_nbytes
        Decoded bytes of tensors that both have, and that are coded against the other, and what these take.
    is_near
        Whether the bytes are a hundredth of the child's at least.
    """

    name: str
    repository: RepositoryId | None
    identical_nbytes: int
    delta_nbytes: int
    delta_stored_nbytes: int
    is_near: bool

    @property
    def nbytes(self) -> int:
        """Bytes in either way."""
        return self.identical_nbytes + self.delta_nbytes


@dataclass(frozen=True, slots=True)
class FamilyView:
    """The relatives of one repository.

    Attributes
    ----------
    leans_on, leaned_on_by
        Heaviest first.
    families
        The drawing of those that are near: one tree, or none.
    left_out
        How many of these the drawing leaves out.
    """

    leans_on: tuple[Relative, ...]
    leaned_on_by: tuple[Relative, ...]
    families: Families
    left_out: int


def view_family(
    repository: RepositoryId,
    found: Survey,
    links: Links,
    rows: Mapping[RepositoryId, RepositoryRow],
    *,
    is_whole: bool,
) -> FamilyView:
    """Show the relatives of one repository.

    Parameters
    ----------
    repository
        Whose.
    found, rows
        A survey of all that the reader may see, and the same repositories with their sizes.
    links
        Make addresses.
    is_whole
        Whether that is the whole store.
    """
    leans_on: list[Relative] = []
    leaned_on_by: list[Relative] = []
    for edge in found.edges:
        if repository not in (edge.child, edge.parent):
            continue
        sums = edge.identical_nbytes, edge.delta_nbytes, edge.delta_stored_nbytes
        child = rows.get(edge.child)
        is_near = child is None or edge.nbytes >= _MIN_SHARE * child.nbytes
        if edge.child == repository:
            name = str(edge.parent) if edge.parent is not None else REMOVED if is_whole else PRIVATE
            leans_on.append(Relative(name, edge.parent, *sums, is_near))
        else:
            leaned_on_by.append(Relative(str(edge.child), edge.child, *sums, is_near))
    members = {str(repository): _member(repository, links, rows)}
    leans: list[Lean] = []
    left_out = 0
    for is_parent, relatives in ((True, leans_on), (False, leaned_on_by)):
        near = [item for item in relatives if item.is_near]
        left_out += max(0, len(near) - _MAX_NEIGHBOURS)
        for item in near[:_MAX_NEIGHBOURS]:
            other = _member(item.repository, links, rows) if item.repository else Member(item.name, item.name)
            members.setdefault(str(other.key), other)
            pair = (str(repository), str(other.key)) if is_parent else (str(other.key), str(repository))
            leans.append(Lean(*pair, item.identical_nbytes, item.delta_nbytes))
    families = plan_families(members.values(), leans)
    return FamilyView(tuple(leans_on), tuple(leaned_on_by), families, left_out)


def view_families(
    found: Survey, links: Links, rows: Mapping[RepositoryId, RepositoryRow], *, is_whole: bool
) -> Families:
    """Draw the families of all repositories that a reader may see.

    Parameters
    ----------
    found, rows
        A survey of them, and the same repositories with their sizes.
    links
        Make addresses.
    is_whole
        Whether that is the whole store.

    Notes
    -----
    Links of less than a hundredth of what the child holds are left out: tensors that training never moved, such as
    norms of all ones, would join every model to every other.
    """
    members = {str(repository): _member(repository, links, rows) for repository in rows}
    leans: list[Lean] = []
    for edge in found.edges:
        row = rows.get(edge.child)
        if row is None or edge.nbytes < _MIN_SHARE * row.nbytes:
            continue
        key = str(edge.parent) if edge.parent is not None else f" outside {edge.child}"  # no name begins so
        if edge.parent is None:
            members[key] = Member(key, REMOVED if is_whole else PRIVATE)
        if key in members:
            leans.append(Lean(str(edge.child), key, edge.identical_nbytes, edge.delta_nbytes))
    return plan_families(members.values(), leans)


def _member(repository: RepositoryId, links: Links, rows: Mapping[RepositoryId, RepositoryRow]) -> Member:
    row = rows.get(repository)
    return Member(
        str(repository),
        str(repository),
        links.repository(repository),
        row.nbytes if row else None,
        row.stored_nbytes if row else None,
    )
