"""Bringing the catalogue in step with the packs on disk.

Duty: where the catalogue lies, indexing packs that it does not know, building it anew.
Not its duty: repairing packs.
Invariants: a catalogue built anew gives the same answers; packs are indexed in the order in which they were
sealed, because a record may point only into packs that were sealed before it.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import platformdirs

from tensorhub.errors import (
    CorruptIndexError,
    FormatError,
    OutOfSpaceError,
    StoreLockedError,
    TensorHubError,
    from_os_error,
)
from tensorhub.schema.digest import Digest
from tensorhub.store.catalog import Catalog
from tensorhub.store.catalog_index import complete_trees, index_pack
from tensorhub.store.layout import Layout, Settings
from tensorhub.store.leases import store_lock
from tensorhub.store.pack import PackFile
from tensorhub.store.pack_table import PackTable
from tensorhub.store.progress import Progress, Quiet

_NEWS_TIMEOUT_S = 1.0  # publishing takes milliseconds; a look-up that found nothing should not wait longer
_FILES = ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm")


def catalog_path(layout: Layout, settings: Settings) -> Path:
    """Say where the catalogue lies.

    Beside the packs; or in ``TENSORHUB_CATALOG_DIR`` (for a store on a network mount, where SQLite's locks
    cannot be trusted); or, where the store cannot be written, in the user's cache folder.
    """
    configured = os.environ.get("TENSORHUB_CATALOG_DIR")
    if configured:
        folder = Path(configured).expanduser()
    elif os.access(layout.root, os.W_OK):
        return layout.root / _FILES[0]
    else:
        return _cached_path(settings)
    return _made(folder) / f"{settings.store_id.hex()}.sqlite"


def _cached_path(settings: Settings) -> Path:
    folder = Path(platformdirs.user_cache_dir("tensorhub")) / "catalogs"
    return _made(folder) / f"{settings.store_id.hex()}.sqlite"


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating the catalogue folder {folder}") from error
    return folder


def open_catalog(layout: Layout, settings: Settings) -> Catalog:
    """Open the catalogue and index what it has missed.

    Raises
    ------
    CorruptIndexError
        The file is damaged; `tensorhub verify --rebuild-catalog` makes it anew.
    """
    path = catalog_path(layout, settings)
    try:
        return _open_at(path, layout, settings)
    except OutOfSpaceError:
        cached = _cached_path(settings)  # SQLite needs some room even to read: a full disk stays readable
        if cached == path:
            raise
        return _open_at(cached, layout, settings)


def _open_at(path: Path, layout: Layout, settings: Settings) -> Catalog:
    _refuse_truncated(path)
    catalog = Catalog(path)
    try:
        if layout.list_packs().keys() - catalog.packs().keys():
            # Under the lock, because gc removes rows before files: what it is removing must not come back.
            is_writable = os.access(layout.root, os.W_OK)
            with store_lock(layout) if is_writable else nullcontext():
                index_missing(catalog, layout, settings)
    except BaseException:
        catalog.close()
        raise
    catalog.index_news = lambda: _index_news(catalog, layout, settings)
    return catalog


def _index_news(catalog: Catalog, layout: Layout, settings: Settings) -> bool:
    """Index packs that were sealed since the catalogue was opened by writers with another one."""
    unknown = layout.list_packs().keys() - catalog.packs().keys()
    if not unknown or not os.access(layout.root, os.W_OK):
        return False
    try:
        # Briefly: whoever holds the lock may be this very thread, publishing.
        with store_lock(layout, timeout_s=_NEWS_TIMEOUT_S):
            index_missing(catalog, layout, settings)
    except StoreLockedError:
        return False
    return bool(unknown & catalog.packs().keys())


def _refuse_truncated(path: Path) -> None:
    """Refuse a file that is shorter than its own header says; SQLite would find out only page by page."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return
    except OSError as error:
        raise from_os_error(error, f"opening the catalogue {path}") from error
    if path.with_name(path.name + "-wal").exists():
        return  # the header counts pages that may still lie in the write-ahead log
    page = int.from_bytes(head[16:18], "big")
    expected = int.from_bytes(head[28:32], "big") * (65536 if page == 1 else page)
    if len(head) < 100 or size < expected:
        if size == 0:
            path.unlink()  # SQLite makes an empty file before its first page: as good as none
            return
        raise CorruptIndexError(
            f"catalogue {path}",
            expected=f"{expected or 'at least 100'} bytes",
            found=f"{size} bytes",
            path=str(path),
            action="Run `tensorhub verify --rebuild-catalog`; packs and refs are the truth, nothing is lost.",
        )


def index_missing(
    catalog: Catalog, layout: Layout, settings: Settings, progress: Progress | None = None
) -> tuple[TensorHubError, ...]:
    """Index every sealed pack that the catalogue does not know.

    Returns
    -------
    tuple of TensorHubError
        One for each pack whose table cannot be read; the others are indexed all the same.
    """
    listener = progress or Quiet()
    known = catalog.packs()
    missing = {pack: path for pack, path in layout.list_packs().items() if pack not in known}
    if not missing:
        return ()
    listener.begin("Indexing packs", None)
    tables: list[tuple[int, Digest, int, PackTable]] = []
    damages: list[TensorHubError] = []
    for pack, path in missing.items():
        try:
            file = PackFile(path, pack)
            table = file.read_table(settings.store_id)
            tables.append((table.sealed_at_ns, pack, file.nbytes, table))
        except TensorHubError as error:
            damages.append(error)
            listener.notice(str(error))
    for _, pack, nbytes, table in sorted(tables, key=lambda item: (item[0], item[1].value)):
        catalog.has_news = True
        try:
            index_pack(catalog, settings.hasher, pack, nbytes, table)
        except FormatError as error:  # an object in it does not parse: the others are indexed all the same
            damages.append(error)
            listener.notice(str(error))
        listener.advance(nbytes)
    complete_trees(catalog)
    listener.end()
    return tuple(damages)


def remove_catalog(path: Path) -> None:
    """Delete a catalogue and its side files."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
