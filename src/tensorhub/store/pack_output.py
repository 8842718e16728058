"""Pack output: the packs that take what is moved or coded anew.

Duty: open a pack when there is something for it, say when it is full, seal it, and let its records count.
Not its duty: what goes in (``gc``, ``salvage``, ``optimize``).
Invariants: what was not sealed leaves nothing behind; a sealed pack is indexed before anything else happens.
Used by one thread.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tensorhub.schema.digest import Digest
from tensorhub.store.catalog_index import index_pack
from tensorhub.store.leases import Lease
from tensorhub.store.pack import TARGET_NBYTES, PackWriter
from tensorhub.store.table_estimate import TARGET_TABLE_NBYTES

if TYPE_CHECKING:
    from tensorhub.store.store import Store


class PackOutput:
    """Packs written one after the other.

    Parameters
    ----------
    store
        Where to.
    lease
        The writer's; unsealed packs carry its name.

    Attributes
    ----------
    made
        Size of each sealed pack.
    """

    def __init__(self, store: Store, lease: Lease) -> None:
        self._store = store
        self._lease = lease
        self._writer: PackWriter | None = None
        self.made: dict[Digest, int] = {}

    @property
    def is_full(self) -> bool:
        """Whether the pack at hand should be sealed before more goes in."""
        writer = self._writer
        return writer is not None and (
            writer.nbytes >= TARGET_NBYTES or writer.table_nbytes_estimate >= TARGET_TABLE_NBYTES
        )

    def writer(self) -> PackWriter:
        """Give the pack at hand; opens one where there is none."""
        if self._writer is None:
            settings = self._store.settings
            path = self._lease.temporary_pack()
            self._writer = PackWriter(self._store.layout, settings.store_id, settings.hasher, path)
        return self._writer

    def seal(self) -> Digest | None:
        """Seal and index the pack at hand; gives its id, None where none is open."""
        writer, catalog = self._writer, self._store.catalog
        if writer is None:
            return None
        hasher = self._store.settings.hasher
        pack, nbytes = writer.seal(max(time.time_ns(), catalog.last_sealed_at_ns() + 1))
        self._writer = None
        self.made[pack] = nbytes
        index_pack(catalog, hasher, pack, nbytes, writer.table)
        objects = [hasher.object_digest(kind, payload) for kind, payload in writer.table.objects]
        catalog.move_objects(objects, writer.table.facts, pack)
        return pack

    def discard(self) -> None:
        """Throw away what is not sealed."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None
