"""Rebuilding: the catalogue made anew from packs and refs.

Duty: :func:`rebuild_catalog`. Not its duty: indexing (``sync``), or finding damage (``verify``).
Invariants: packs and refs are not touched; killed at any point, opening the store finishes the work.
"""

from __future__ import annotations

from pathlib import Path

from tensorhub.errors import StoreLockedError
from tensorhub.store.catalog import Catalog
from tensorhub.store.layout import open_layout
from tensorhub.store.leases import clean_dead_leases, oldest_lease_ns, store_lock
from tensorhub.store.progress import Progress
from tensorhub.store.store import Store
from tensorhub.store.sync import catalog_path, index_missing, remove_catalog


def rebuild_catalog(path: Path | str, *, progress: Progress | None = None) -> tuple[str, ...]:
    """Make a store's catalogue anew from packs and refs; works when the present one is damaged.

    Parameters
    ----------
    path
        The hub directory.
    progress
        Told the bytes of packs indexed.

    Returns
    -------
    tuple of str
        One line for each pack that could not be read; what lies in it is missing from the catalogue.

    Raises
    ------
    StoreLockedError
        A writer is at work.
    """
    layout, settings = open_layout(Path(path))
    clean_dead_leases(layout)
    with store_lock(layout):
        if oldest_lease_ns(layout) is not None:
            raise StoreLockedError(
                f"store {path}",
                expected="no writer at work",
                found="a live lease",
                path=str(path),
                action="Wait until it is done, then run the same command again.",
            )
        remove_catalog(catalog_path(layout, settings))
        catalog = Catalog(catalog_path(layout, settings))
        try:
            damages = index_missing(catalog, layout, settings, progress)
        finally:
            catalog.close()
    Store(layout, settings).close()  # fills what follows from refs
    return tuple(str(error) for error in damages)
