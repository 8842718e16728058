"""A repository's own page: card, sizes, how to download it, what it leans on.

Duty: gather one page. Not its duty: files (``files``), history (``history``), drawings.
Invariants: only what the reader may see is named.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod

from tensorhub.hub.pages.blob import read_content
from tensorhub.hub.pages.card import MAX_CARD_NBYTES, Card, render_card
from tensorhub.hub.pages.links import Links
from tensorhub.schema.names import RefKind, RepositoryId, parse_ref
from tensorhub.schema.records import FileMode
from tensorhub.store.snapshots import Snapshot
from tensorhub.store.store import Store
from tensorhub.store.stored_sizes import StoredSize, stored_size_together

CARD_NAME = "README.md"
_SHOWN_DTYPES = 4


@dataclass(frozen=True, slots=True)
class RevisionChoice:
    """A revision in the picker: what a link needs, and what is written."""

    revision: str
    label: str
    commit_id: str


@dataclass(frozen=True, slots=True)
class RevisionChoices:
    """All refs of a repository, by kind."""

    branches: tuple[RevisionChoice, ...]
    tags: tuple[RevisionChoice, ...]
    pulls: tuple[RevisionChoice, ...]
    others: tuple[RevisionChoice, ...]

    @property
    def groups(self) -> tuple[tuple[str, tuple[RevisionChoice, ...]], ...]:
        """Kinds that have any, with their names."""
        named = (
            ("Branches", self.branches),
            ("Tags", self.tags),
            ("Pull requests", self.pulls),
            ("Conversions", self.others),
        )
        return tuple((name, choices) for name, choices in named if choices)


def list_revisions(store: Store, repository: RepositoryId) -> RevisionChoices:
    """List what a reader can choose; ``main`` comes first."""
    groups: dict[RefKind, list[RevisionChoice]] = {kind: [] for kind in RefKind}
    for info in store.refs(repository):
        ref = parse_ref(info.name)
        is_branch = ref.kind is RefKind.HEADS
        revision = ref.name if is_branch or ref.kind is RefKind.TAGS else info.name
        groups[ref.kind].append(RevisionChoice(revision, ref.name, info.commit_id))
    groups[RefKind.HEADS].sort(key=lambda choice: (choice.label != "main", choice.label))
    return RevisionChoices(*(tuple(groups[kind]) for kind in RefKind))


@dataclass(frozen=True, slots=True)
class TensorSummary:
    """The tensors of a snapshot: how many, their elements together, and the commonest types."""

    count: int
    elements: int
    dtypes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class RepositoryView:
    """A repository at a revision.

    Attributes
    ----------
    files, nbytes, stored
        Of the snapshot.
    tensors
        None where it has none.
    card
        None where it has no README.
    paths
        All paths, for the commands.
    """

    files: int
    nbytes: int
    stored: StoredSize
    tensors: TensorSummary | None
    card: Card | None
    paths: tuple[str, ...]


def read_repository_view(store: Store, snapshot: Snapshot, revision: str, links: Links) -> RepositoryView:
    """Gather a repository's page.

    Parameters
    ----------
    store, snapshot
        What to show.
    revision
        As the reader asked for it; links inside the card keep to it.
    links
        Make addresses.
    """
    entries = snapshot.tree.entries
    sizes = snapshot.source.file_sizes([entry.file for entry in entries])
    return RepositoryView(
        len(entries),
        sum(sizes.get(entry.file, (0, 0))[0] for entry in entries),
        stored_size_together(store.catalog, (entry.file for entry in entries)),
        _sum_tensors(snapshot),
        _read_card(store, snapshot, revision, links),
        tuple(entry.path for entry in entries),
    )


def _sum_tensors(snapshot: Snapshot) -> TensorSummary | None:
    sizes = snapshot.source.file_sizes([entry.file for entry in snapshot.tree.entries])
    count = elements = 0
    dtypes: Counter[str] = Counter()
    for entry in snapshot.tree.entries:
        if not sizes.get(entry.file, (0, 0))[1]:
            continue
        for segment in snapshot.record(entry).segments:
            if segment.tensor is not None:
                count += 1
                size = prod(segment.tensor.shape)
                elements += size
                dtypes[segment.tensor.dtype.name] += size
    return TensorSummary(count, elements, tuple(dtypes.most_common(_SHOWN_DTYPES))) if count else None


def _read_card(store: Store, snapshot: Snapshot, revision: str, links: Links) -> Card | None:
    entry = next((item for item in snapshot.tree.entries if item.path == CARD_NAME), None)
    if entry is None or entry.mode is FileMode.SYMLINK:
        return None
    record = snapshot.record(entry)
    return render_card(
        read_content(store, record, MAX_CARD_NBYTES),
        to_file=lambda path: links.blob(snapshot.repository, revision, path),
        to_picture=lambda path: links.picture(snapshot.repository, revision, path),
        is_cut=record.nbytes > MAX_CARD_NBYTES,
    )
