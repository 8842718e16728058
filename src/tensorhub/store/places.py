"""Places: which repositories hold a blob.

Duty: keep and answer the way from blobs back to repositories. Not its duty: liveness; a place is recorded
just before a ref moves and may for a moment name a tree that did not make it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress

from sqlalchemy import Select, delete, func, insert, select, update

from tensorhub.errors import IntegrityError
from tensorhub.schema.digest import Digest
from tensorhub.schema.names import RepositoryId, RepoType
from tensorhub.store import catalog_schema as schema
from tensorhub.store.catalog import Catalog
from tensorhub.store.refs import RefStore
from tensorhub.store.snapshots import Snapshots


def record_places(catalog: Catalog, repository: RepositoryId, tree: Digest, date_ms: int) -> None:
    """Say that a repository is about to hold a tree, by a commit of this date."""
    columns = schema.stored_object.c
    with catalog.write() as connection:
        tree_id = connection.execute(select(columns.id).where(columns.digest == tree.value)).scalar_one()
        connection.execute(
            insert(schema.repository_tree).prefix_with("OR IGNORE"),
            {
                "repo_type": repository.repo_type.value,
                "repo_id": repository.repo_id,
                "tree": tree_id,
                "date_ms": date_ms,
            },
        )


def refresh_places(catalog: Catalog, refs: RefStore, snapshots: Snapshots, repository: RepositoryId) -> None:
    """Make a repository's places what its refs reach now."""
    trees: dict[bytes, int] = {}
    for reference in snapshots.walk(refs.list(repository).values()):
        commit = snapshots.commit(reference.digest)
        trees[commit.tree.value] = min(commit.date_ms, trees.get(commit.tree.value, commit.date_ms))
    table, columns = schema.repository_tree, schema.stored_object.c
    with catalog.write() as connection:
        connection.execute(
            delete(table).where(
                table.c.repo_type == repository.repo_type.value, table.c.repo_id == repository.repo_id
            )
        )
        for tree, date_ms in trees.items():
            tree_id = connection.execute(select(columns.id).where(columns.digest == tree)).scalar()
            if tree_id is not None:
                connection.execute(
                    insert(table).prefix_with("OR IGNORE"),
                    {
                        "repo_type": repository.repo_type.value,
                        "repo_id": repository.repo_id,
                        "tree": tree_id,
                        "date_ms": date_ms,
                    },
                )


def fill_places(catalog: Catalog, refs: RefStore, snapshots: Snapshots) -> None:
    """Make the places of every repository anew; damaged ones are left to verify."""
    for repository in refs.repositories():
        with suppress(IntegrityError):
            refresh_places(catalog, refs, snapshots, repository)
    catalog.mark_complete()


_MOVE = "move"  # key in the table meta: a repository that is being renamed, lest a crash leaves its old name


def begin_move(catalog: Catalog, old: RepositoryId, new: RepositoryId) -> None:
    """Note that a repository is about to be renamed; :func:`finish_move` or :func:`mend_moves` takes it back."""
    names = [[item.repo_type.value, item.repo_id] for item in (old, new)]
    with catalog.write() as connection:
        connection.execute(
            insert(schema.meta).prefix_with("OR REPLACE"), {"key": _MOVE, "value": json.dumps(names)}
        )


def finish_move(catalog: Catalog, old: RepositoryId, new: RepositoryId) -> None:
    """Give a renamed repository's places its new name."""
    columns = schema.repository_tree.c
    with catalog.write() as connection:
        connection.execute(
            update(schema.repository_tree)
            .prefix_with("OR REPLACE")
            .where(columns.repo_type == old.repo_type.value, columns.repo_id == old.repo_id)
            .values(repo_type=new.repo_type.value, repo_id=new.repo_id)
        )
        connection.execute(delete(schema.meta).where(schema.meta.c.key == _MOVE))


def mend_moves(catalog: Catalog, refs: RefStore, snapshots: Snapshots) -> None:
    """Make places right after a renaming that was cut short; call under the store lock."""
    with catalog.read() as connection:
        noted = connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == _MOVE)).scalar()
    if noted is None:
        return
    for repo_type, repo_id in json.loads(noted):
        with suppress(IntegrityError):  # damage is left to verify, as when places are filled
            refresh_places(catalog, refs, snapshots, RepositoryId(RepoType(repo_type), repo_id))
    with catalog.write() as connection:
        connection.execute(delete(schema.meta).where(schema.meta.c.key == _MOVE))


def has_unfinished_move(catalog: Catalog) -> bool:
    """Say whether :func:`mend_moves` has something to do."""
    return bool(catalog.ask("SELECT 1 FROM meta WHERE key = ?", (_MOVE,)))


class Places:
    """Answers where blobs occur."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def repositories(
        self, digests: Iterable[Digest], *, limit: int | None = None
    ) -> dict[Digest, list[RepositoryId]]:
        """Give the repositories that hold each blob, in the order in which they got it; the first so many of them."""
        return self._first_repositories(digests, limit)

    def _first_repositories(
        self, digests: Iterable[Digest], limit: int | None
    ) -> dict[Digest, list[RepositoryId]]:
        found: dict[Digest, list[RepositoryId]] = {}
        values = [digest.value for digest in digests]
        with self._catalog.read() as connection:
            for start in range(0, len(values), 500):
                query = _homes(values[start : start + 500], limit)
                for row in connection.execute(query):
                    repository = RepositoryId(RepoType(row[1]), row[2])
                    found.setdefault(Digest(row[0]), []).append(repository)
        return found

    def count_by_repository(
        self, blobs: Mapping[Digest, int], *, prefer_other_than: RepositoryId | None = None
    ) -> dict[str, int]:
        """Add up counts of blobs by the first repository that holds each, largest first."""
        homes = self._first_repositories(
            blobs, 2
        )  # a base may lie in thousands; two hold one that is another
        totals: dict[str, int] = {}
        for digest, count in blobs.items():
            options = homes.get(digest, [])
            home = next(
                (item for item in options if item != prefer_other_than), options[0] if options else None
            )
            name = str(home) if home else "(content without a repository)"
            totals[name] = totals.get(name, 0) + count
        return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))

    def files(self, digest: Digest) -> list[tuple[RepositoryId, Digest, Digest]]:
        """Give repository, tree and file record of every place of one blob."""
        blob, segment, entry, place = schema.blob, schema.segment, schema.tree_entry, schema.repository_tree
        tree, file = schema.stored_object.alias(), schema.stored_object.alias()
        query = (
            select(place.c.repo_type, place.c.repo_id, tree.c.digest, file.c.digest, place.c.date_ms)
            .select_from(blob)
            .join(segment, segment.c.blob == blob.c.id)
            .join(entry, entry.c.file == segment.c.file)
            .join(place, place.c.tree == entry.c.tree)
            .join(tree, tree.c.id == entry.c.tree)
            .join(file, file.c.id == entry.c.file)
            .where(blob.c.digest == digest.value)
            .order_by(place.c.date_ms, place.c.repo_type, place.c.repo_id, tree.c.digest, file.c.digest)
            .distinct()
        )
        with self._catalog.read() as connection:
            return [
                (RepositoryId(RepoType(row[0]), row[1]), Digest(row[2]), Digest(row[3]))
                for row in connection.execute(query)
            ]


def _homes(values: list[bytes], limit: int | None) -> Select[bytes, str, str]:
    """Ask for blob and repository, each pair once, by the date of the first commit that holds the blob."""
    blob, segment, entry, place = schema.blob, schema.segment, schema.tree_entry, schema.repository_tree
    date_ms = func.min(place.c.date_ms)
    order = (date_ms, place.c.repo_type, place.c.repo_id)
    query = (
        select(blob.c.digest, place.c.repo_type, place.c.repo_id)
        .join(segment, segment.c.blob == blob.c.id)
        .join(entry, entry.c.file == segment.c.file)
        .join(place, place.c.tree == entry.c.tree)
        .where(blob.c.digest.in_(values))
        .group_by(blob.c.digest, place.c.repo_type, place.c.repo_id)
    )
    if limit is None:
        return query.order_by(*order)
    rank = func.row_number().over(partition_by=blob.c.digest, order_by=order).label("rank")
    ranked = query.add_columns(rank).subquery()
    return (
        select(ranked.c.digest, ranked.c.repo_type, ranked.c.repo_id)
        .where(ranked.c.rank <= limit)
        .order_by(ranked.c.digest, ranked.c.rank)
    )
