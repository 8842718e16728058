"""What the crash tests put into stores."""

from __future__ import annotations

from collections.abc import Mapping

from tensorhub import Store
from tensorhub.store import ingest

from ..weights import noise, safetensors, tuned, weights

BASE = weights((128, 320), 1)
OLD = {
    "m.safetensors": safetensors({"w": BASE, "s": weights((30, 30), 2)}),
    "sub/notes.txt": b"old",
    "gone.bin": noise(120_000, 3),
}
NEW = {
    "m.safetensors": safetensors({"w": tuned(BASE, 4), "s": weights((30, 30), 2)}),
    "sub/notes.txt": b"new",
    "long.bin": noise(1_300_000, 5),
}


def put_new(store: Store, repository: str, files: Mapping[str, bytes], target_nbytes: int = 1 << 20) -> None:
    """Make files the tree of ``main``, over several packs."""
    ingest.TARGET_NBYTES = target_nbytes
    with store.begin_commit(repository, workers=2) as transaction:
        transaction.delete_all()
        for path, content in files.items():
            transaction.put_file(path, content)
        transaction.publish("put")
